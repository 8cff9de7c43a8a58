"""Intervals of means in the panels of a figure; its legend above all panels, its note below."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cem_jax.experiments.figures.panels import note

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVAL = "interval"
"""Group id of the lines that are intervals."""
ANYTHING = (-np.inf, np.inf)
_LINE: dict[str, Any] = {
    "linewidth": 1.0, "solid_capstyle": "butt", "snap": False, "gid": INTERVAL, "zorder": 1.8,
}  # fmt: skip
_ARROW: dict[str, Any] = {"markersize": 3, "linestyle": "none", "clip_on": False, "zorder": 3}


def upright(
    ax: "Axes", x: float, found: Mapping[str, Any], colour: Any,
    bounds: tuple[float, float] = ANYTHING,
) -> None:  # fmt: skip
    """Draws an interval upright; where it goes past a bound, an arrow stands at the bound.

    Args:
        ax: to draw in.
        x: where.
        found: see `statistics.over_scenes`; without an interval nothing is drawn.
        colour: of the line.
        bounds: lowest and highest value that there can be, or that the panel shows.
    """
    shown = _shown(found, bounds)
    if shown is None:
        return
    ax.plot((x, x), shown, color=colour, **_LINE)
    for end, past, marker in _passed(found, bounds, "v^"):
        if past:
            ax.plot(x, end, marker, color=colour, **_ARROW)


def level(
    ax: "Axes", y: float, found: Mapping[str, Any], colour: Any,
    bounds: tuple[float, float] = ANYTHING,
) -> None:  # fmt: skip
    """Draws an interval level; otherwise as `upright`.

    Args:
        ax: to draw in.
        y: where.
        found: see `statistics.over_scenes`; without an interval nothing is drawn.
        colour: of the line.
        bounds: lowest and highest value that there can be, or that the panel shows.
    """
    shown = _shown(found, bounds)
    if shown is None:
        return
    ax.plot(shown, (y, y), color=colour, **_LINE)
    for end, past, marker in _passed(found, bounds, "<>"):
        if past:
            ax.plot(end, y, marker, color=colour, **_ARROW)


def _shown(found: Mapping[str, Any], bounds: tuple[float, float]) -> tuple[float, float] | None:
    """The part of an interval between bounds."""
    if found["low"] is None:
        return None
    low, high = np.clip((found["low"], found["high"]), *bounds)
    return float(low), float(high)


def _passed(
    found: Mapping[str, Any], bounds: tuple[float, float], markers: str
) -> list[tuple[float, bool, str]]:
    """Each bound, whether the interval goes past it, and the arrow that says so."""
    past = found["low"] < bounds[0], found["high"] > bounds[1]
    return list(zip(bounds, past, markers, strict=True))


def apart(count: int, step: float) -> list[float]:
    """Displacements around 0 of what would stand at one place.

    Args:
        count: how many stand there.
        step: between neighbours.
    """
    return [step * (k - (count - 1) / 2) for k in range(count)]


def surround(figure: "Figure", handles: Sequence["Artist"], columns: int, text: str) -> None:
    """Puts the legend above all panels and a note below them.

    Args:
        figure: in a constrained layout.
        handles: of the legend.
        columns: of the legend.
        text: the note.
    """
    figure.legend(
        handles=handles, loc="outside upper center", ncols=columns, frameon=False,
        handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    note(figure, text)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    end = figure.texts[-1].get_window_extent(renderer).y1 / figure.bbox.height
    below = end + 0.04 / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, below, 1, 1 - below))  # type: ignore[union-attr]
