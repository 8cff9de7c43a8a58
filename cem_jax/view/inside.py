"""What goes on inside a network, as matplotlib axes: interactions, doses, layers."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from cem_jax.arguments import one_of
from cem_jax.inside.dose import Dose
from cem_jax.inside.interactions import Interactions
from cem_jax.inside.layers import Layers
from cem_jax.plain_text import visible
from cem_jax.view.boxes import as_written, points, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = "#3d5a80"
_BAND = "#98b4d4"
_DOT = "dot: the 95 % interval holds 0"


def _own_axes(width: float, height: float, upright: str, names: Sequence[str] = ()) -> "Axes":
    """Axes of a figure of their own, all of whose texts have room.

    Args:
        width: inches of the axes and what stands at their right, for a font of 10 points.
        height: of the figure, in such inches, or more for the upright text.
        upright: a text that is as long as it is high.
        names: of the rows.
    """
    import matplotlib.pyplot as plt

    beside = max((words(name).width for name in names), default=0.0)
    each = points() / 10
    size = (each * width + beside, max(each * height, words(upright).width + 1.2 * each))
    return plt.subplots(figsize=size, layout="constrained")[1]


def _label(what: str, unit: str) -> str:
    return f"{what} [{visible(unit) or 'outcome'}]"


def _dots(ax: "Axes", places: Int[np.ndarray, "n 2"]) -> None:
    """Dots at rows and columns, seen on all colours."""
    ax.scatter(places[:, 1], places[:, 0], s=14, c="black", edgecolors="white", linewidths=0.6)


def _rows(ax: "Axes", names: Sequence[str]) -> None:
    """Names of rows, as they are written."""
    ax.set_yticks(range(len(names)), names)
    for text in ax.get_yticklabels():
        as_written(text)


def plot_interactions(
    found: Interactions,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws the matrix: red where two blocks together take less than the sum, blue where more.

    A dot marks those whose 95 % interval holds 0.

    Args:
        found: the interactions.
        ax: where to draw; None makes a figure.
        limit: where the colours end, in the outcome's unit; None takes the largest in size.
        colour_map: name of matplotlib's diverging colours.

    Returns:
        The axes.
    """
    label = _label("interaction", found.unit)
    if ax is None:
        rows, columns = found.effect.shape
        ax = _own_axes(max(2.2 + 0.22 * columns, 5), max(1.5 + 0.22 * rows, 4), label)
    size = np.abs(found.effect[np.isfinite(found.effect)]).max(initial=0)
    end = float(size) if limit is None else float(limit)
    picture = ax.imshow(found.effect, cmap=colour_map, vmin=-(end or 1), vmax=end or 1)
    low, high = found.interval()
    unsure = np.argwhere((low <= 0) & (high >= 0) & np.isfinite(found.effect))
    _dots(ax, unsure)
    for axis, blocks in ((ax.xaxis, found.others), (ax.yaxis, found.blocks)):
        axis.set_ticks(range(len(blocks)), [f"{row}, {column}" for row, column in blocks])
    ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel(f"block (row, column)\n{_DOT}")
    ax.set_ylabel("block (row, column)")
    ax.figure.colorbar(picture, ax=ax, label=label)
    return ax


def plot_dose(found: Dose, feature: str, ax: "Axes | None" = None) -> "Axes":
    """Draws the mean effect of draws against a feature of what they pasted, with 95 % intervals.

    Args:
        found: of `dose`.
        feature: one of its curves.
        ax: where to draw; None makes a figure.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such curve, or none at all.
    """
    if not found.curves:
        raise ValueError("found: no curves; too few blocks had draws of different patches")
    feature = one_of("feature", feature, found.curves)
    label = _label("effect of a draw", found.unit)
    ax = _own_axes(5, 3.6, label) if ax is None else ax
    curve = found.curves[feature]
    ax.fill_between(curve.feature, curve.low, curve.high, color=_BAND, linewidth=0)
    ax.plot(curve.feature, curve.effect, "o-", color=_BARS)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xlabel(f"{feature} of what was pasted\nband: 95 % intervals")
    ax.set_ylabel(label)
    return ax


def plot_layers(found: Layers, ax: "Axes | None" = None) -> "Axes":
    """Draws how much of the mean effect passes each module, with 95 % intervals.

    Args:
        found: of `trace_layers`.
        ax: where to draw; None makes a figure.

    Returns:
        The axes; modules from top to bottom in the order of evaluation, the effect itself dashed.
    """
    names = [visible(name) for name in found.layers]
    ax = _own_axes(5, 1.4 + 0.25 * len(names), "", names) if ax is None else ax
    low, high = found.interval()
    place = np.arange(len(found.layers))
    sides = np.stack([found.mean - low, high - found.mean])
    ax.barh(place, found.mean, xerr=sides, color=_BAND, ecolor=_BARS)
    ax.axvline(float(found.effect.mean()), color="black", linestyle="--", linewidth=0.8)
    ax.axvline(0, color="black", linewidth=0.6)
    _rows(ax, names)
    ax.invert_yaxis()
    told = "dashed: the effect itself; lines: 95 % intervals"
    ax.set_xlabel(f"{_label('mean effect that passes it', found.unit)}\n{told}")
    return ax


def plot_layers_by_distance(
    found: Layers,
    edges: Sequence[float],
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws how much of the effects passes each module, by classes of the blocks' distance.

    A dot marks those whose 95 % interval holds 0; classes without blocks stay empty.

    Args:
        found: the layers.
        edges: of the classes, in input pixels from the region, ascending; see `Layers.by_distance`.
        ax: where to draw; None makes a figure.
        limit: where the colours end, in the outcome's unit; None takes the largest in size.
        colour_map: name of matplotlib's diverging colours.

    Returns:
        The axes; modules from top to bottom in the order of evaluation.
    """
    names = [visible(name) for name in found.layers]
    label = _label("passes it", found.unit)
    classes = [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
    if ax is None:
        each = max((words(one).width for one in classes), default=0.0) * 10 / points() + 0.15
        width = max(each * len(classes), 3) + 1.5
        ax = _own_axes(width, 1.4 + 0.25 * len(names), label, names)
    passes, low, high = found.by_distance(edges), *found.interval_by_distance(edges)
    end = float(np.nanmax(np.abs(passes), initial=0)) if limit is None else float(limit)
    picture = ax.imshow(passes, cmap=colour_map, vmin=-(end or 1), vmax=end or 1, aspect="auto")
    unsure = np.argwhere((low <= 0) & (high >= 0))
    _dots(ax, unsure)
    ax.set_xticks(range(len(classes)), classes)
    _rows(ax, names)
    ax.set_xlabel(f"distance from the region [input pixels]\n{_DOT}")
    ax.figure.colorbar(picture, ax=ax, label=label)
    return ax
