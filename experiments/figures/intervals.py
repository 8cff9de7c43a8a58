"""Intervals of means in the panels of a figure; its legend above all panels, its note below."""

from collections.abc import Callable, Mapping, Sequence
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
    _draw(ax, found, colour, bounds, lambda value: (x, value), "v^")


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
    _draw(ax, found, colour, bounds, lambda value: (value, y), "<>")


def _draw(
    ax: "Axes", found: Mapping[str, Any], colour: Any, bounds: tuple[float, float],
    point: Callable[[float], tuple[float, float]], arrows: str,
) -> None:  # fmt: skip
    """Draws what lies between bounds of an interval, and an arrow where it goes past one.

    Args:
        ax: to draw in.
        found: the interval.
        colour: of the line.
        bounds: lowest and highest value.
        point: where a value stands.
        arrows: markers of the lower and of the upper bound.
    """
    if found["low"] is None:
        return
    ends = [point(float(end)) for end in np.clip((found["low"], found["high"]), *bounds)]
    ax.plot(*zip(*ends, strict=True), color=colour, **_LINE)
    past = found["low"] < bounds[0], found["high"] > bounds[1]
    for bound, is_past, arrow in zip(bounds, past, arrows, strict=True):
        if is_past:
            ax.plot(*point(bound), arrow, color=colour, **_ARROW)


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
