"""Progress of a sweep on a terminal: how far, how fast, how long yet. Silent elsewhere."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
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


class Progress(Protocol):
    """What a sweep tells of its progress."""

    def begin(self, total: int) -> None:
        """A stage of `total` interventions begins."""
        ...

    def advance(self, count: int) -> None:
        """`count` of them are done."""
        ...


class _Rate(ProgressColumn):
    """Interventions per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


class _Terminal:
    """Progress drawn by rich."""

    def __init__(self, bar: Bar, name: str):
        self._bar, self._name, self._stage = bar, name, 0

    def begin(self, total: int) -> None:
        self._stage += 1
        self._task = self._bar.add_task(f"{self._name}, stage {self._stage}", total=total)

    def advance(self, count: int) -> None:
        self._bar.advance(self._task, count)


@contextlib.contextmanager
def show_progress(name: str) -> Iterator[Progress | None]:
    """A progress bar on stderr while the context lasts; None where stderr is no terminal.

    Args:
        name: what is being swept.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=console) as bar:
        yield _Terminal(bar, name)
