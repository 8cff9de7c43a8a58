"""What goes on inside a network, as matplotlib axes: interactions, doses, layers."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cem_jax.arguments import one_of
from cem_jax.inside.dose import Dose
from cem_jax.inside.interactions import Interactions
from cem_jax.inside.layers import Layers
from cem_jax.plain_text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = "#3d5a80"
_BAND = "#98b4d4"


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
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1] if ax is None else ax
    size = np.abs(found.effect[np.isfinite(found.effect)]).max(initial=0)
    end = float(size) if limit is None else float(limit)
    picture = ax.imshow(found.effect, cmap=colour_map, vmin=-(end or 1), vmax=end or 1)
    low, high = found.interval()
    unsure = np.argwhere((low <= 0) & (high >= 0) & np.isfinite(found.effect))
    ax.scatter(unsure[:, 1], unsure[:, 0], s=8, c="black")
    for axis, blocks in ((ax.xaxis, found.others), (ax.yaxis, found.blocks)):
        axis.set_ticks(range(len(blocks)), [f"{row}, {column}" for row, column in blocks])
    ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel("block (row, column)")
    ax.set_ylabel("block (row, column)")
    ax.figure.colorbar(picture, ax=ax, label=f"interaction [{visible(found.unit) or 'outcome'}]")
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
        ValueError: there is no such curve.
    """
    import matplotlib.pyplot as plt

    feature = one_of("feature", feature, found.curves)
    ax = plt.subplots()[1] if ax is None else ax
    curve = found.curves[feature]
    ax.fill_between(curve.feature, curve.low, curve.high, color=_BAND, linewidth=0)
    ax.plot(curve.feature, curve.effect, "o-", color=_BARS)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xlabel(f"{feature} of what was pasted")
    ax.set_ylabel(f"effect of a draw [{visible(found.unit) or 'outcome'}]")
    return ax


def plot_layers(found: Layers, ax: "Axes | None" = None) -> "Axes":
    """Draws how much of the mean effect passes each module, with 95 % intervals.

    Args:
        found: of `trace_layers`.
        ax: where to draw; None makes a figure.

    Returns:
        The axes; modules from top to bottom in the order of evaluation, the effect itself dashed.
    """
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(6, 1 + 0.25 * len(found.layers)))[1] if ax is None else ax
    low, high = found.interval()
    place = np.arange(len(found.layers))
    sides = np.stack([found.mean - low, high - found.mean])
    ax.barh(place, found.mean, xerr=sides, color=_BAND, ecolor=_BARS)
    ax.axvline(float(found.effect.mean()), color="black", linestyle="--", linewidth=0.8)
    ax.axvline(0, color="black", linewidth=0.6)
    ax.set_yticks(place, [visible(name) for name in found.layers])
    ax.invert_yaxis()
    ax.set_xlabel(f"mean effect that passes it [{visible(found.unit) or 'outcome'}]")
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
    import matplotlib.pyplot as plt

    if ax is None:
        size = (2.5 + 0.8 * len(edges), 1 + 0.25 * len(found.layers))
        ax = plt.subplots(figsize=size)[1]
    passes, low, high = found.by_distance(edges), *found.interval_by_distance(edges)
    end = float(np.nanmax(np.abs(passes), initial=0)) if limit is None else float(limit)
    picture = ax.imshow(passes, cmap=colour_map, vmin=-(end or 1), vmax=end or 1, aspect="auto")
    unsure = np.argwhere((low <= 0) & (high >= 0))
    ax.scatter(unsure[:, 1], unsure[:, 0], s=8, c="black")
    classes = [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(found.layers)), [visible(name) for name in found.layers])
    ax.set_xlabel("distance from the region [input pixels]")
    ax.figure.colorbar(picture, ax=ax, label=f"passes it [{visible(found.unit) or 'outcome'}]")
    return ax
