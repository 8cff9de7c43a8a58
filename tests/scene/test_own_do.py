"""do() as a function of the user's own file."""

import pytest
from conftest import curved

import cem_jax as cem
from cem_jax.scene.pairs import meaning_of

OWN = "from {helper} import LEVEL\n\n\ndef darker(image):\n    return LEVEL * image\n"


def a_file(folder, level, helper, text=OWN):
    folder.mkdir()
    (folder / f"{helper}.py").write_text(f"LEVEL = {level}\n")
    (folder / "simulator.py").write_text(text.format(helper=helper))
    return folder


def test_a_file_imports_what_lies_beside_it(tmp_path):
    folder = a_file(tmp_path / "one", 0.5, "strengths")
    clean = cem.example_image("facade")[:64, :64]
    scene = cem.Scene.custom(clean, clean // 2, meaning_of("simulator.py:darker", folder))
    network, roi = cem.wrap(curved, name="curved"), cem.ROI(24, 24, 16, 16)
    found = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(1), progress=False)
    assert found.provenance["scene"]["do"] == "again"


def test_helpers_of_one_name_in_two_folders_are_not_taken_for_each_other(tmp_path):
    one, other = (a_file(tmp_path / name, 0.5, "amounts") for name in ("one", "other"))
    text = f"{one / 'simulator.py'}:darker"
    first = meaning_of(text)
    with pytest.raises(ValueError, match=r"it imports amounts, which is in .*other and also"):
        meaning_of("simulator.py:darker", other)
    assert first.function(1.0) == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("def other(image):", "expected an indented block"),
        ("other = 3", "has no function 'darker'"),
    ],
)
def test_a_file_that_fails_is_told_in_one_line(text, words, tmp_path):
    folder = a_file(tmp_path / "one", 0.5, "unused", text)
    with pytest.raises(ValueError, match=r"do='simulator\.py:darker': .*") as caught:
        meaning_of("simulator.py:darker", folder)
    assert words in str(caught.value) and "\n" not in str(caught.value)
