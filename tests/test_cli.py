"""The command line, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import cem_jax as cem


def call(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "cem_jax.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(cem.example_image("pagoda")[:64, :72]).save(path)
    return str(path)


def test_map_writes_map_figure_and_table_and_resumes(photograph, tmp_path):
    arguments = ("map", "--model", "DnCNN-compact", "--task", "DN", "--image", photograph)
    arguments += ("--roi", "24,24,8,8", "--plan", "fixed:2", "--out", str(tmp_path / "out"))
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    assert "DnCNN-compact" in done.stdout
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert found.effect.shape == (8, 9) and found.evaluations > 0
    with Image.open(tmp_path / "out" / "map.png") as figure:
        assert figure.width > 400
    again = call(*arguments)
    assert again.returncode == 0, again.stderr
    kept = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert kept.provenance == found.provenance  # nothing was computed again
    other = call(*arguments, "--seed", "3")
    assert other.returncode == 2
    assert "seed was 0, is 3" in other.stderr


def test_models_lists_the_names():
    done = call("models")
    assert done.returncode == 0
    assert all(name in done.stdout for name in cem.models.names())


BAD = {
    "unknown name": (["--model", "EDRS-compact"], "EDSR-compact"),
    "task": (["--task", "XX"], "--task"),
    "region": (["--roi", "1,2,3"], "--roi '1,2,3'"),
    "region outside": (["--roi", "60,0,8,8"], "roi="),
    "plan": (["--plan", "many"], "--plan 'many'"),
    "no draws": (["--plan", "fixed:0"], "n=0"),
    "image": (["--image", "missing.png"], "missing.png"),
    "weights": (["--weights", "missing.pth"], "missing.pth"),
    "scale": (["--model", "EDSR-compact"], "scale"),
    "pool": (["--pool", "missing.npz"], "missing.npz"),
    "folder": (["--out", "."], "not empty"),
    "option": (["--nonsense"], "--nonsense"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_status_2_and_one_line(case, photograph, tmp_path):
    (tmp_path / "something").write_text("else")
    change, message = BAD[case]
    options = {
        "--model": "DnCNN-compact", "--task": "DN", "--image": photograph, "--roi": "8,8,8,8",
        "--out": str(tmp_path / "out"),
    }  # fmt: skip
    options |= dict(zip(change[::2], change[1::2], strict=False))
    arguments = [word for pair in options.items() for word in pair]
    done = call("map", *arguments, *([change[0]] if len(change) == 1 else []), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_the_demo_writes_what_it_says(tmp_path):
    done = call("demo", "--out", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    for name in ("teaser.png", "teaser.pdf", "table.md", "SR/map.npz", "DN/map.npz", "DR/map.npz"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
    for task in ("SR", "DN", "DR"):
        found = cem.EffectMap.load(tmp_path / "demo" / task / "map.npz")
        json.dumps(found.provenance)
        assert found.counts.positive > 0


def test_the_page_of_the_zoo_is_what_the_command_prints():
    done = call("models", "--details")
    assert done.returncode == 0
    page = (Path(__file__).parents[1] / "docs" / "zoo.md").read_text()
    assert page.endswith("\n\n" + done.stdout.strip() + "\n")
