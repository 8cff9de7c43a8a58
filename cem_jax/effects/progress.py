"""How a sweep is followed: not at all, on a terminal, in a log, in a notebook."""

import contextlib
import dataclasses
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
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

from cem_jax.arguments import positive_number
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import quoted, shortened, visible

_LONGEST_NAME = 32
_WAIT = 0.5
"""Seconds between two pictures of the map."""


@dataclasses.dataclass(frozen=True)
class State:
    """How far a sweep is.

    Args:
        stage: of the plan, from 1.
        done: interventions of the stage that are done.
        total: interventions of the stage.
        seconds: since the stage began.
        effects: makes the mean effects so far [rows, columns], NaN where nothing was drawn.
        map: makes the map so far, as the plan estimates it from what was drawn, of the first region
            and outcome; None where a sweep does not tell it.
        note: what makes the sweep slow: why a network runs on the host; "" if nothing does.
    """

    stage: int
    done: int
    total: int
    seconds: float
    effects: Callable[[], Float[np.ndarray, "rows columns"]]
    map: Callable[[], EffectMap] | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """One line about it."""
        rate = self.done / self.seconds if self.seconds else 0.0
        left = (self.total - self.done) / rate if rate else 0.0
        return (
            f"stage {self.stage}: {self.done} of {self.total} interventions, {rate:.3g}/s, "
            f"{left:.0f} s left" + (f" ({visible(self.note)})" if self.note else "")
        )


@runtime_checkable
class Progress(Protocol):
    """How a sweep is followed."""

    def follow(self, name: str) -> AbstractContextManager[Callable[[State], None]]:
        """Follows one sweep while the context lasts.

        Args:
            name: what is being swept.

        Returns:
            Gives a function that is called with the state after every chunk.
        """
        ...


@dataclasses.dataclass(frozen=True)
class NoProgress:
    """Nothing is shown."""

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        """Does nothing.

        Args:
            name: what is being swept.

        Returns:
            See `Progress.follow`.
        """
        yield lambda state: None


@dataclasses.dataclass(frozen=True)
class TextProgress:
    """A line on stderr every so often, for logs; none for a sweep that is done before.

    Args:
        every: seconds between two lines.

    Raises:
        ValueError: not more than 0.
    """

    every: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", positive_number("every", self.every))

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        """Writes lines.

        Args:
            name: what is being swept.

        Returns:
            See `Progress.follow`.
        """
        last, name = time.monotonic(), _shown(name)

        def show(state: State) -> None:
            nonlocal last
            if time.monotonic() - last >= self.every:
                last = time.monotonic()
                print(f"{name}, {state.words}", file=sys.stderr, flush=True)

        yield show


def _shown(name: str) -> str:
    """A name as a line can show it."""
    return shortened(visible(name), _LONGEST_NAME)


class _Rate(ProgressColumn):
    """Interventions per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="cyan")


@dataclasses.dataclass(frozen=True)
class TerminalProgress:
    """A bar for each stage of the plan with rate and time left, and the map so far, on stderr."""

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        """Draws both; nothing where stderr is no terminal.

        Args:
            name: what is being swept.

        Returns:
            See `Progress.follow`.
        """
        console = Console(stderr=True, force_jupyter=False)
        if not console.is_terminal:
            yield lambda state: None
            return
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
            _Rate(), TimeRemainingColumn(),
        )  # fmt: skip
        bar = Bar(*columns, console=console)
        tasks: dict[int, Any] = {}
        drawn = 0.0
        with Live(bar, console=console, refresh_per_second=4) as live:

            def show(state: State) -> None:
                nonlocal drawn
                if state.stage not in tasks:
                    title = f"{_shown(name)}, stage {state.stage}"
                    tasks[state.stage] = bar.add_task(title, total=state.total)
                bar.update(tasks[state.stage], completed=state.done)
                if state.done == state.total or time.monotonic() - drawn > _WAIT:
                    drawn = time.monotonic()
                    why = [Text(visible(state.note), style="dim")] if state.note else []
                    live.update(Group(draw_map(state.effects()), bar, *why))

            yield show


@dataclasses.dataclass(frozen=True)
class NotebookProgress:
    """The line and the map so far, in the output of a notebook's cell.

    Raises:
        ImportError: IPython is not installed.
    """

    def __post_init__(self) -> None:
        import IPython  # noqa: F401  # pyright: ignore[reportMissingImports]

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        """Shows both, and takes them away at the end.

        Args:
            name: what is being swept.

        Returns:
            See `Progress.follow`.
        """
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        handle = display(HTML(""), display_id=True)
        drawn = 0.0

        def show(state: State) -> None:
            nonlocal drawn
            if state.done == state.total or time.monotonic() - drawn > _WAIT:
                drawn = time.monotonic()
                handle.update(
                    HTML(_html(f"{_shown(name)}, {state.words}", draw_map(state.effects())))
                )

        try:
            yield show
        finally:
            handle.update(HTML(""))


def _html(line: str, picture: Text) -> str:
    # In a notebook rich would show by itself, beside what is asked for, all that is printed here.
    console = Console(file=io.StringIO(), record=True, width=10_000, force_jupyter=False)
    console.print(Text(line), picture, sep="\n")
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def as_progress(given: Any) -> Progress:
    """How a sweep is followed, from what a user gives.

    Args:
        given: True, False, or an object with a method `follow`.

    Raises:
        ValueError: something else.
    """
    if isinstance(given, bool | np.bool_):
        return suiting() if given else NoProgress()
    if isinstance(given, Progress) and not isinstance(given, type):
        return given
    raise ValueError(
        f"progress={quoted(given)}: expected True, False, TerminalProgress(), TextProgress(), "
        "NotebookProgress() or NoProgress()"
    )


def suiting() -> Progress:
    """The kind that suits where this process writes to."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__):
        return NotebookProgress()
    return TerminalProgress() if Console(stderr=True).is_terminal else TextProgress()


def draw_map(effects: np.ndarray) -> Text:
    """Mean effects so far in coloured half blocks: red helps, blue harms, grey is not drawn yet.

    Args:
        effects: [rows, columns], NaN where there is none.
    """
    most = max(float(np.nanmax(np.abs(effects), initial=0.0)), 1e-6)
    picture = Text()
    for row in range(0, len(effects), 2):
        lower = effects[row + 1] if row + 1 < len(effects) else np.full(effects.shape[1], np.nan)
        for above, below in zip(effects[row], lower, strict=True):
            picture.append("\u2580", style=f"{_colour(above, most)} on {_colour(below, most)}")
        picture.append("\n")
    return picture


def _colour(effect: float, most: float) -> str:
    if not np.isfinite(effect):
        return "#606060"
    fade = round(255 * (1 - min(abs(effect) / most, 1.0) ** 0.5))
    return f"#ff{fade:02x}{fade:02x}" if effect > 0 else f"#{fade:02x}{fade:02x}ff"
