"""Any text can be a name: pictures, pages and messages show it as it is written."""

import io
import json
import re
import warnings

import matplotlib
import numpy as np
import pytest
from PIL import Image
from report_maps import made_map
from test_report import Page

import cem_jax as cem
from cem_jax.effects.progress import State, TerminalProgress
from cem_jax.plain_text import shortened, told, visible
from cem_jax.view.figure_file import figure_bytes, write_figure

matplotlib.use("Agg")

NAMES = {
    "formula": r"$\frac$", "dollar": "$", "two dollars": "a$b$c", "braces": "{x} %s \\",
    "markup": "<script>alert(1)</script>", "entity": "&lt;&#0;", "template": "${style} $$",
    "lines": "one\ntwo\r\n\tthree", "long": "name-" * 200, "empty": "", "space": " ",
    "right to left": "שלום", "turned": "a\u202egnp.b", "half": "\ud800", "null": "a\0b",
    "escape": "\x1b[31mred\x07", "script": "写真 🧿", "rich": "[/] [red]x",
    "joined": "\u0645\u06cc\u200c\u062e",
}  # fmt: skip


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def named(name: str) -> cem.EffectMap:
    facts = {"network": name, "scene_name": name, "plan": name, "seconds": 1.0, name or "key": name}
    return made_map(provenance=facts, shape=(12, 13), outcome=name, unit=name, task=name)


@pytest.mark.parametrize("case", NAMES)
def test_any_text_is_a_name_in_pictures(case, tmp_path):
    one = named(NAMES[case])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = cem.plot_teaser([one, one])
        write_figure(figure, tmp_path / "teaser.png")
        write_figure(cem.plot(one).figure, tmp_path / "map.pdf")
    with Image.open(tmp_path / "teaser.png") as drawn:
        assert drawn.width > 300
    bold = [text.get_text() for text in figure.texts if text.get_weight() == "bold"]
    head = shortened(visible(NAMES[case]), 32)
    assert "".join(bold).replace(" ", "") == 2 * head.replace(" ", "")
    assert all(len(text.get_text()) < 130 for text in figure.texts)


def test_a_formula_is_drawn_as_it_is_written():
    plain, formula = (
        figure_bytes(cem.plot_teaser([made_map(name)]), "png") for name in ("$x^2$", "$x^{2}$")
    )
    first, second = (np.asarray(Image.open(io.BytesIO(one))) for one in (plain, formula))
    assert first.shape == second.shape and (first != second).any()  # as formulas they are alike


@pytest.mark.parametrize("case", NAMES)
def test_any_text_is_a_name_in_the_report(case, tmp_path):
    name = NAMES[case]
    cem.report([named(name), named("other")], tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert [len(scene["maps"]) for scene in page.scenes] == [1, 1]
    assert page.scenes[0]["maps"][0]["name"] == visible(name)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "\x1b" not in text and "\u202e" not in text and "\0" not in text
    usual = tmp_path / "usual.html"
    cem.report([named("usual"), named("other")], usual)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in Page(usual).tags]


@pytest.mark.parametrize("case", NAMES)
def test_any_text_is_a_name_in_a_map_that_is_saved(case, tmp_path):
    one = named(NAMES[case])
    one.save(tmp_path / "map.npz")
    found = cem.EffectMap.load(tmp_path / "map.npz")
    assert (found.provenance, found.outcome) == (one.provenance, one.outcome)
    json.dumps(cem.summarise(found))


@pytest.mark.parametrize("case", NAMES)
def test_any_text_is_a_name_on_a_terminal(case, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with TerminalProgress().follow(NAMES[case]) as show:
        show(State(1, 1, 2, 1.0, lambda: np.zeros((2, 2))))
    shown = capsys.readouterr().err
    assert f"{shortened(visible(NAMES[case]), 32)}, stage 1".strip() in re.sub(
        r"\x1b\[[0-9;?]*[A-Za-z]", "", shown
    )
    assert "\x1b[31m" not in shown and "\x07" not in shown


@pytest.mark.parametrize("case", NAMES)
def test_a_visible_text_is_one_line_that_can_be_encoded(case):
    text = visible(NAMES[case])
    assert text.replace("\u200c", "").isprintable()
    text.encode()
    assert visible(text) == text
    assert len(shortened(text, 10)) <= 10


def test_an_error_is_told_with_its_kind_where_it_is_not_ours():
    assert told(ValueError("seed=-1:\n expected")) == "seed=-1: expected"
    assert told(ZeroDivisionError("division by zero")) == "ZeroDivisionError: division by zero"
    assert told(KeyError()) == "KeyError" and told(ValueError()) == "ValueError"
