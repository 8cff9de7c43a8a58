"""Maps as matplotlib axes, drawn as in the paper: red helps, blue harms, white does neither."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cem_jax.effect_map import EffectMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMITS = {"SR": 2.5, "DN": 1.0, "DR": 2.0}
"""Effects at which the paper's colours end, in dB, by task."""

_EXPONENT = 1 / 1.2
_INPUT_SHARE = 0.1
_ROI_COLOUR = (0.0, 0.75, 0.2)


def colour_limit(effect_map: EffectMap) -> float:
    """The effect at which the colours end, in the outcome's unit.

    It is the map's largest effect, but in dB never more than the paper's limit for the task.

    Args:
        effect_map: the map.

    Returns:
        A positive number.
    """
    low, high = effect_map.range
    largest = max(-low, high, effect_map.tolerance)
    limits = LIMITS if effect_map.unit == "dB" else {}
    return min(largest, limits.get(effect_map.task, largest)) or 1.0


def _bend(share: np.ndarray) -> np.ndarray:
    return np.sign(share) * np.abs(share) ** _EXPONENT


def _straighten(level: np.ndarray) -> np.ndarray:
    return np.sign(level) * np.abs(level) ** (1 / _EXPONENT)


def colours(effect: np.ndarray, limit: float) -> np.ndarray:
    """Colours of effects: seismic over sign(v) |v|^(1/1.2), v the effect over the limit.

    Args:
        effect: any shape, in the outcome's unit.
        limit: effect at which the colours end, in the same unit.

    Returns:
        RGB in [0, 1], [..., 3].
    """
    from matplotlib import colormaps

    return colormaps["seismic"](0.5 + _bend(np.clip(effect / limit, -1, 1)) / 2)[..., :3]


def _label(effect_map: EffectMap) -> str:
    return f"effect ({effect_map.unit or effect_map.outcome})"


def _quality(effect_map: EffectMap) -> str:
    if effect_map.unit:
        return f"{effect_map.baseline:.2f} {effect_map.unit}"
    return f"{effect_map.outcome} {effect_map.baseline:.4g}"


def _enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    return image.repeat(factor, 0).repeat(factor, 1)


def _own_axes(ax: "Axes | None") -> "Axes":
    import matplotlib.pyplot as plt

    return plt.subplots()[1] if ax is None else ax


def _outline(effect_map: EffectMap, ax: "Axes", width: float) -> None:
    """Draws the region's border, in output pixels."""
    from matplotlib.patches import Rectangle

    roi = effect_map.roi
    corner = (roi.x - 0.5, roi.y - 0.5)
    ax.add_patch(
        Rectangle(corner, roi.width, roi.height, fill=False, color=_ROI_COLOUR, linewidth=width)
    )


def plot_input(effect_map: EffectMap, ax: "Axes | None" = None) -> "Axes":
    """Draws the degraded input with the region's box.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.

    Returns:
        The axes.
    """
    ax = _own_axes(ax)
    ax.imshow(_enlarge(effect_map.degraded, effect_map.scale))
    _outline(effect_map, ax, 2.0)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def plot(effect_map: EffectMap, ax: "Axes | None" = None, limit: float | None = None) -> "Axes":
    """Draws a map over its input, the region in green.

    Effects below the tolerance are white.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure, with a colour-bar.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.

    Returns:
        The axes.
    """
    alone = ax is None
    ax = _own_axes(ax)
    limit = colour_limit(effect_map) if limit is None else limit
    rgb = colours(np.nan_to_num(effect_map.thresholded), limit)
    rgb[effect_map.inside_roi] = _ROI_COLOUR
    h, w = (side * effect_map.scale for side in effect_map.degraded.shape[:2])
    image = _enlarge(effect_map.degraded, effect_map.scale) / 255
    overlay = _enlarge(rgb, effect_map.block * effect_map.scale)[:h, :w]
    ax.imshow((1 - _INPUT_SHARE) * overlay + _INPUT_SHARE * image)
    _outline(effect_map, ax, 1.0)
    ax.set_xticks([])
    ax.set_yticks([])
    if alone:
        plot_colour_bar(effect_map, ax, limit)
    return ax


def plot_colour_bar(
    effect_map: EffectMap, ax: "Axes | Sequence[Axes]", limit: float | None = None
) -> "Axes":
    """Draws the scale of a map's colours, with the effect's unit, beside it.

    Args:
        effect_map: the map.
        ax: the axes that hold the map, or several with the same limit; they give up room for it.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.

    Returns:
        The scale's own axes.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import FuncNorm
    from matplotlib.figure import Figure

    limit = colour_limit(effect_map) if limit is None else limit
    scale = FuncNorm((_bend, _straighten), -limit, limit)
    figure = np.ravel(np.asarray(ax, object))[0].figure
    assert isinstance(figure, Figure)
    bar = figure.colorbar(
        ScalarMappable(scale, "seismic"), ax=ax, label=_label(effect_map), fraction=0.046, pad=0.04
    )
    bar.set_ticks([-limit, -limit / 2, 0, limit / 2, limit])
    bar.formatter = "{x:+.2g}"
    return bar.ax


def plot_shares(effect_map: EffectMap, ax: "Axes | None" = None) -> "Axes":
    """Draws the pie of positive (red), negative (blue) and zero (white) blocks.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.

    Returns:
        The axes.
    """
    ax = _own_axes(ax)
    counts = effect_map.counts
    shares = [counts.positive, counts.negative, counts.zero]
    ax.pie(
        shares if sum(shares) else [0, 0, 1],
        colors=["#d7191c", "#2c4bb7", "white"],
        startangle=90,
        counterclock=False,
        wedgeprops={"edgecolor": "black", "linewidth": 0.6},
    )
    return ax


def plot_range(
    effect_map: EffectMap, ax: "Axes | None" = None, limit: float | None = None
) -> "Axes":
    """Draws the bar from the smallest to the largest effect, both ends printed.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.

    Returns:
        The axes.
    """
    ax = _own_axes(ax)
    limit = colour_limit(effect_map) if limit is None else limit
    low, high = effect_map.range
    effects = np.linspace(low, high if high > low else low + 1e-6, 512)
    ax.imshow(colours(effects, limit)[None], aspect="auto", extent=(0, 1, 0, 1))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(_label(effect_map), labelpad=3)
    for x, side, value in ((-0.03, "right", low), (1.03, "left", high)):
        ax.text(x, 0.5, f"{value:+.2f}", ha=side, va="center", transform=ax.transAxes)
    return ax


def plot_teaser(maps: Sequence[EffectMap]) -> "Figure":
    """The paper's teaser: for each map the input, the map, its pie and its range, in a column.

    Args:
        maps: one map for each column.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    width, height, side, gap = 3.0 * len(maps) + 0.3, 7.9, 2.75, 0.3
    figure = plt.figure(figsize=(width, height))

    def place(x: float, y: float, w: float, h: float) -> "Axes":
        return figure.add_axes((x / width, y / height, w / width, h / height))

    for column, effect_map in enumerate(maps):
        left = gap + column * (side + 0.25)
        name = effect_map.provenance.get("network", "")
        top = plot_input(effect_map, place(left, 4.8, side, side))
        top.set_title(f"{effect_map.task}: input and region", fontsize="large")
        middle = plot(effect_map, place(left, 1.4, side, side))
        middle.set_title(f"{name}\n{_quality(effect_map)} on the region", fontsize="medium")
        plot_shares(effect_map, place(left, 0.62, 0.7, 0.7))
        plot_range(effect_map, place(left + 1.3, 1.1, 0.95, 0.17))
        negative, positive, zero = effect_map.counts
        tally = f"{positive} help, {negative} harm, {zero} neither"
        figure.text((left + 1.78) / width, 0.62 / height, tally, ha="center", fontsize="small")
    limits = ", ".join(
        f"\u00b1{colour_limit(m):.2g} {m.unit or m.outcome} ({m.task})" for m in maps
    )
    legend = (
        "Red blocks help the region, blue ones harm it, white ones do neither (pie: shares).",
        f"Colours end at {limits}.",
    )
    lines = "\n".join(textwrap.fill(sentence, int(15 * width)) for sentence in legend)
    figure.text(0.5, 0.08 / height, lines, ha="center", va="bottom", fontsize="small")
    return figure
