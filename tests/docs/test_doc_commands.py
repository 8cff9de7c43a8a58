"""Every command and every program of the pages is run.

Quick ones run by default, commands within this process. A page with slow ones is followed from top
to bottom under `long`, as a reader would, in processes of its own. Lists of them are in
`page_commands.py`.
The official checkpoint that the pages speak of has the bundled denoiser's weights here.
"""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from command_line import status
from page_commands import BEFORE, ELSEWHERE, OPTIONAL, PROGRAMS, QUICK, SHOWN, SLOW, is_slow
from pages import ROOT, shown
from reader import bring, bring_onnx, stamps, stand_in

_OFFICIAL = "results/DnCNN/demo_2.png/y152-x96-32x32/map.npz"

# Quick ones


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What a reader has after the slow commands: their maps are stood in for."""
    path = tmp_path_factory.mktemp("reader")
    bring(path)
    bring_onnx(path)
    stand_in(path, {"results/photo/map.npz", _OFFICIAL})
    return path


@pytest.mark.parametrize("command", QUICK)
def test_a_quick_command_does_what_it_says(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = stamps(QUICK[command], folder)
    program, *arguments = shlex.split(command)
    if program == "cem-jax":
        assert not status(monkeypatch, *arguments)
    else:
        monkeypatch.setattr(sys, "argv", arguments[1:])
        importlib.import_module(arguments[1]).main()
    after = stamps(QUICK[command], folder)
    assert None not in after
    assert all(new != old for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize("one", [one for one in PROGRAMS if not is_slow(one)], ids=str)
def test_a_quick_program_runs(one, folder, monkeypatch):
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    monkeypatch.chdir(folder)
    try:
        exec(compile(BEFORE.get(one.page, "") + one.text, str(one), "exec"), {})
    except ImportError as error:
        cause = error if error.__cause__ is None else error.__cause__
        if getattr(cause, "name", None) in OPTIONAL:
            pytest.skip(str(error))
        raise
    finally:
        plt.close("all")


# Pages with slow ones


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Where all pages keep compiled programs."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.long
@pytest.mark.parametrize("page", sorted({one.page for one in SHOWN if is_slow(one)}))
def test_a_page_works_from_top_to_bottom(page, cache, tmp_path):
    bring(tmp_path)
    environment = os.environ | {
        "PATH": f"{tmp_path / '.venv/bin'}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(cache),
        "MPLBACKEND": "Agg",
    }
    rules = QUICK | SLOW
    made = {name for one in shown(ROOT / page) for name in rules.get(one.text, ())}
    stand_in(tmp_path, {"results/photo/map.npz"} - made)
    for one in shown(ROOT / page):
        if one.kind == "file":
            name = re.match(r"# (\S+)", one.text)
            assert name is not None, one.text
            (tmp_path / name[1]).write_text(one.text)
            continue
        if one.text in ELSEWHERE:
            continue
        command = ["bash", "-c", one.text]
        if one.kind == "program":
            command = ["python", "-c", BEFORE.get(page, "") + one.text]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        lacking = re.search(r"No module named '(\w+)", done.stderr)
        if lacking and lacking[1] in OPTIONAL:
            continue
        assert done.returncode == 0, f"{one}\n{done.stderr[-3000:]}"
        assert None not in stamps(rules.get(one.text, ()), tmp_path), one
