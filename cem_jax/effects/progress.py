"""Progress of a sweep on a terminal: how far, how fast, how long yet. Silent elsewhere."""

import contextlib
import time
from collections.abc import Iterator

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

_WAIT = 0.5
"""Seconds between two pictures of the map."""


class _Rate(ProgressColumn):
    """Interventions per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


class Progress:
    """Progress drawn by rich: a bar for each stage of the plan, and the map so far."""

    def __init__(self, bar: Bar, live: Live, name: str, shape: tuple[int, int]):
        self._bar, self._live, self._name, self._shape = bar, live, name, shape
        self._stage, self._left, self._drawn = 0, 0, 0.0

    def advance(self, count: int, total: int, values: np.ndarray, baseline: float) -> None:
        """`count` more of a stage's `total` interventions are done.

        Args:
            count: since the last call.
            total: of the stage.
            values: outcomes so far [cells, draws], NaN where there is none.
            baseline: the outcome without an intervention.
        """
        if self._left == 0:
            self._stage, self._left = self._stage + 1, total
            self._task = self._bar.add_task(f"{self._name}, stage {self._stage}", total=total)
        self._left -= count
        self._bar.advance(self._task, count)
        if self._left == 0 or time.monotonic() - self._drawn > _WAIT:
            self._drawn = time.monotonic()
            picture = draw_map(values, baseline, self._shape)
            self._live.update(Group(picture, self._bar))


def draw_map(values: np.ndarray, baseline: float, shape: tuple[int, int]) -> Text:
    """Mean effects so far in coloured half blocks: red helps, blue harms, grey is not drawn yet.

    Args:
        values: outcomes [cells, draws], NaN where there is none.
        baseline: the outcome without an intervention.
        shape: rows and columns of the grid.
    """
    count = np.isfinite(values).sum(axis=1)
    effect = baseline - np.nansum(values, axis=1) / np.maximum(count, 1)
    effect = np.where(count > 0, effect, np.nan).reshape(shape)
    most = max(float(np.nanmax(np.abs(effect), initial=0.0)), 1e-6)
    picture = Text()
    for row in range(0, shape[0], 2):
        lower = effect[row + 1] if row + 1 < shape[0] else np.full(shape[1], np.nan)
        for above, below in zip(effect[row], lower, strict=True):
            picture.append("\u2580", style=f"{_colour(above, most)} on {_colour(below, most)}")
        picture.append("\n")
    return picture


def _colour(effect: float, most: float) -> str:
    if not np.isfinite(effect):
        return "#606060"
    fade = round(255 * (1 - min(abs(effect) / most, 1.0) ** 0.5))
    return f"#ff{fade:02x}{fade:02x}" if effect > 0 else f"#{fade:02x}{fade:02x}ff"


@contextlib.contextmanager
def show_progress(name: str, shape: tuple[int, int]) -> Iterator[Progress | None]:
    """Progress on stderr while the context lasts; None where stderr is no terminal.

    Args:
        name: what is being swept.
        shape: rows and columns of the map.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(),
        TimeRemainingColumn(),
    )  # fmt: skip
    bar = Bar(*columns, console=console)
    with Live(bar, console=console, refresh_per_second=4) as live:
        yield Progress(bar, live, name, shape)
