"""A sweep is followed in words, on a terminal, in a notebook, or not at all."""

import contextlib
import dataclasses
import re
import sys
import types

import numpy as np
import pytest
from conftest import unchanged

import cem_jax as cem
from cem_jax.effects import progress
from cem_jax.effects.progress import State

ROI = cem.ROI(24, 32, 16, 16)


def sweep(local, clean, how):
    scene = cem.Scene.custom(clean, clean, unchanged)
    return cem.causal_effect_map(local, scene, ROI, plan="coarse-to-fine:2,3", progress=how)


class Kept:
    """Somebody's own way to follow a sweep."""

    def __init__(self):
        self.names, self.states, self.ended = [], [], False

    @contextlib.contextmanager
    def follow(self, name):
        self.names.append(name)
        yield self.states.append
        self.ended = True


def test_an_own_object_sees_every_stage_to_its_end(clean, local):
    kept = Kept()
    found = sweep(local, clean, kept)
    assert kept.names == ["curved"] and kept.ended
    stages = {state.stage: state for state in kept.states}
    assert list(stages) == [1, 2]
    assert all(state.done == state.total for state in stages.values())
    assert sum(state.total for state in stages.values()) == found.evaluations
    coarse = found.values[..., :2]
    drawn = np.isfinite(coarse).all(axis=2)
    seen = kept.states[-1].effects()
    assert seen.shape == found.effect.shape and (np.isfinite(seen) == drawn).all()
    mean = found.baseline - np.nanmean(found.values[drawn], axis=1)
    np.testing.assert_allclose(seen[drawn], mean, atol=1e-5)


def state(done=50, seconds=10.0):
    return State(2, done, 200, seconds, lambda: np.array([[0.1, -0.2, np.nan]]))


def test_a_state_in_words():
    assert state().words == "stage 2: 50 of 200 interventions, 5/s, 30 s left"
    assert state(0, 0.0).words == "stage 2: 0 of 200 interventions, 0/s, 0 s left"
    slow = dataclasses.replace(state(), note="on the host: aten.odd\x1b")
    assert slow.words == f"{state().words} (on the host: aten.odd\\x1b)"


def test_a_log_gets_a_line_every_so_often(monkeypatch, capsys):
    now = types.SimpleNamespace(value=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.value)
    with cem.TextProgress(every=60).follow("net\nwork") as show:
        for second in (10, 59, 61, 70, 130):
            now.value = float(second)
            show(state(second))
    lines = capsys.readouterr().err.splitlines()
    assert [re.search(r"(\d+) of", line).group(1) for line in lines] == ["61", "130"]
    assert lines[0].startswith("net work, stage 2: ")


@pytest.mark.parametrize("every", [0, -1, float("nan"), "often"])
def test_a_line_comes_after_a_while(every):
    with pytest.raises(ValueError, match="every="):
        cem.TextProgress(every=every)


def test_a_terminal_gets_bars_and_the_map(monkeypatch, capsys, clean, local):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    sweep(local, clean, True)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert "curved, stage 1" in shown and "curved, stage 2" in shown
    assert progress.draw_map(np.zeros((3, 4))).plain.splitlines()[0] in shown or "\u2580" in shown


def test_nothing_is_shown_where_nobody_looks(capsys, clean, local):
    for how in (True, False, cem.NoProgress(), cem.TerminalProgress()):
        sweep(local, clean, how)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_true_takes_what_suits(monkeypatch):
    assert cem.Compute().progress == cem.TextProgress()  # no terminal here
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert cem.Compute().progress == cem.TerminalProgress()
    assert cem.Compute(progress=False).progress == cem.NoProgress()


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, html):
        self.shown.append(html)


def test_a_notebook_gets_line_and_map_in_place(monkeypatch):
    handle = Handle()
    shell = type("ZMQInteractiveShell", (), {})()
    display = types.ModuleType("IPython.display")
    display.HTML = str
    display.display = lambda html, display_id: handle
    module = types.ModuleType("IPython")
    module.get_ipython, module.display = (lambda: shell), display
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    # What rich shows by itself in a notebook stays there, a picture below the other.
    by_rich: list[object] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *shown: by_rich.append(shown))
    chosen = cem.Compute().progress
    assert chosen == cem.NotebookProgress()
    with chosen.follow("<b>net</b>") as show:
        show(state())
    assert not by_rich
    first, last = handle.shown
    assert "stage 2: 50 of 200" in first and "&lt;b&gt;net" in first and "\u2580" in first
    assert last == ""
