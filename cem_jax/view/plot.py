"""Maps as matplotlib axes, drawn as in the paper: red helps, blue harms, white does neither.

The colours are matplotlib's `seismic` unless a function is given another `colour_map`.
"""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cem_jax.grid import ROI
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import shortened, visible
from cem_jax.scene.image import in_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.text import Text

LIMITS = {"SR": 2.5, "DN": 1.0, "DR": 2.0}
"""Effects at which the paper's colours end, in dB, by task."""

_EXPONENT = 1 / 1.2
_LONGEST_NAME = 32
"""Characters of a name that fit into a column of the teaser."""
_INPUT_SHARE = 0.1
_ROI_COLOUR = (0.0, 0.75, 0.2)
_ROI_EDGE = (0.0, 0.2, 0.05)
_SHARES_OF_SEISMIC = ("#d7191c", "#2c4bb7", "white")
"""Of the pie: softer than those of the map."""


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


def find_colours(name: str) -> "Colormap":
    """Diverging colours by their name.

    Args:
        name: one of matplotlib's.

    Raises:
        ValueError: there is none of this name.
    """
    from matplotlib import colormaps

    if not isinstance(name, str) or name not in colormaps:
        raise ValueError(
            f"colour_map={name!r}: expected one of matplotlib's diverging colormaps, such as "
            "'seismic', or 'PuOr_r' (orange helps, purple harms) for readers who are colour-blind"
        )
    return colormaps[name]


def colours(effect: np.ndarray, limit: float, colour_map: str = "seismic") -> np.ndarray:
    """Colours of effects: a colour map over sign(v) |v|^(1/1.2), v the effect over the limit.

    Args:
        effect: any shape, in the outcome's unit.
        limit: effect at which the colours end, in the same unit.
        colour_map: name of matplotlib's.

    Returns:
        RGB in [0, 1], [..., 3].

    Raises:
        ValueError: there is no such colour map.
    """
    return find_colours(colour_map)(0.5 + _bend(np.clip(effect / limit, -1, 1)) / 2)[..., :3]


def _named(name: str) -> str:
    """A name from outside, as it fits into a picture."""
    return shortened(visible(name), _LONGEST_NAME)


def as_written(text: "Text") -> None:
    """Draws a text as it is: dollars and backslashes begin no formula, whatever the settings.

    Args:
        text: of a figure.
    """
    text.set_parse_math(False)
    text.set_usetex(False)


def _label(effect_map: EffectMap) -> str:
    return f"effect ({_named(effect_map.unit or effect_map.outcome)})"


def _quality(effect_map: EffectMap) -> str:
    if effect_map.unit:
        return f"{effect_map.baseline:.2f} {_named(effect_map.unit)}"
    return f"{_named(effect_map.outcome)} {effect_map.baseline:.4g}"


def _enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    return image.repeat(factor, 0).repeat(factor, 1)


def _own_axes(ax: "Axes | None") -> "Axes":
    import matplotlib.pyplot as plt

    return plt.subplots()[1] if ax is None else ax


def outline(roi: ROI, ax: "Axes", width: float) -> None:
    """Draws a region's border, green with a dark edge: for some eyes green is red.

    Args:
        roi: the region, in output pixels.
        ax: where an image in output pixels is drawn.
        width: of the line, in points.
    """
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    corner = (roi.x - 0.5, roi.y - 0.5)
    border = Rectangle(
        corner, roi.width, roi.height, fill=False, color=_ROI_COLOUR, linewidth=width
    )
    border.set_path_effects([withStroke(linewidth=width + 1, foreground=_ROI_EDGE)])
    ax.add_patch(border)


def plot_input(effect_map: EffectMap, ax: "Axes | None" = None) -> "Axes":
    """Draws the degraded input with the region's box.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.

    Returns:
        The axes.
    """
    ax = _own_axes(ax)
    ax.imshow(_enlarge(in_colour(effect_map.degraded), effect_map.scale))
    outline(effect_map.roi, ax, 2.0)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def plot(
    effect_map: EffectMap,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws a map over its input, the region in green.

    Effects below the tolerance have the colour of zero: white.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure, with a colour-bar.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    alone = ax is None
    limit = colour_limit(effect_map) if limit is None else limit
    rgb = colours(np.nan_to_num(effect_map.thresholded), limit, colour_map)
    ax = _own_axes(ax)
    rgb[effect_map.inside_roi] = _ROI_COLOUR
    h, w = (side * effect_map.scale for side in effect_map.degraded.shape[:2])
    image = _enlarge(effect_map.degraded, effect_map.scale) / 255
    overlay = _enlarge(rgb, effect_map.block * effect_map.scale)[:h, :w]
    ax.imshow((1 - _INPUT_SHARE) * overlay + _INPUT_SHARE * image)
    outline(effect_map.roi, ax, 1.0)
    ax.set_xticks([])
    ax.set_yticks([])
    if alone:
        plot_colour_bar(effect_map, ax, limit, colour_map)
    return ax


def plot_colour_bar(
    effect_map: EffectMap,
    ax: "Axes | Sequence[Axes]",
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws the scale of a map's colours, with the effect's unit, beside it.

    Args:
        effect_map: the map.
        ax: the axes that hold the map, or several with the same limit; they give up room for it.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Returns:
        The scale's own axes.

    Raises:
        ValueError: there is no such colour map.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import FuncNorm
    from matplotlib.figure import Figure

    limit = colour_limit(effect_map) if limit is None else limit
    scale = ScalarMappable(FuncNorm((_bend, _straighten), -limit, limit), find_colours(colour_map))
    figure = np.ravel(np.asarray(ax, object))[0].figure
    assert isinstance(figure, Figure)
    bar = figure.colorbar(scale, ax=ax, label=_label(effect_map), fraction=0.046, pad=0.04)
    bar.set_ticks([-limit, -limit / 2, 0, limit / 2, limit])
    bar.formatter = "{x:+.2g}"
    as_written(bar.ax.yaxis.label)
    return bar.ax


def share_colours(colour_map: str) -> tuple[Any, Any, Any]:
    """Colours that stand for blocks that help, that harm, and that do neither.

    Args:
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Raises:
        ValueError: there is no such colour map.
    """
    found = find_colours(colour_map)
    return _SHARES_OF_SEISMIC if colour_map == "seismic" else tuple(found([0.85, 0.15, 0.5]))


def plot_shares(
    effect_map: EffectMap, ax: "Axes | None" = None, colour_map: str = "seismic"
) -> "Axes":
    """Draws the pie of positive (red), negative (blue) and zero (white) blocks.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    colors = share_colours(colour_map)
    ax = _own_axes(ax)
    counts = effect_map.counts
    shares = [counts.positive, counts.negative, counts.zero]
    ax.pie(
        shares if sum(shares) else [0, 0, 1],
        colors=colors,
        startangle=90,
        counterclock=False,
        wedgeprops={"edgecolor": "black", "linewidth": 0.6},
    )
    return ax


def plot_range(
    effect_map: EffectMap,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws the bar from the smallest to the largest effect, both ends printed.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    limit = colour_limit(effect_map) if limit is None else limit
    low, high = effect_map.range
    effects = np.linspace(low, high if high > low else low + 1e-6, 512)
    rgb = colours(effects, limit, colour_map)
    ax = _own_axes(ax)
    ax.imshow(rgb[None], aspect="auto", extent=(0, 1, 0, 1))
    ax.set_xticks([0, 1], [f"{low:+.2f}", f"{high:+.2f}"])
    ax.tick_params(length=0, pad=2)
    for end, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
        end.set_horizontalalignment(side)  # within the bar, which may stand beside another
    ax.set_yticks([])
    as_written(ax.set_xlabel(_label(effect_map), labelpad=1))
    return ax


def plot_teaser(maps: Sequence[EffectMap], colour_map: str = "seismic") -> "Figure":
    """The paper's teaser: for each map the input, the map, its pie and its range, in a column.

    Args:
        maps: one map for each column.
        colour_map: name of matplotlib's diverging colours; the upper end helps.

    Returns:
        The figure.

    Raises:
        ValueError: there is no such colour map.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    colors = share_colours(colour_map)
    width, height, side, gap = 3.0 * len(maps) + 0.3, 7.9, 2.75, 0.3
    figure = plt.figure(figsize=(width, height))

    def place(x: float, y: float, w: float, h: float) -> "Axes":
        return figure.add_axes((x / width, y / height, w / width, h / height))

    for column, effect_map in enumerate(maps):
        left = gap + column * (side + 0.25)
        name = _named(str(effect_map.provenance.get("network", "")))
        top = plot_input(effect_map, place(left, 4.8, side, side))
        as_written(top.set_title(f"{_named(effect_map.task)}: input and region", fontsize="large"))
        middle = plot(effect_map, place(left, 1.4, side, side), colour_map=colour_map)
        title = f"{name}\n{_quality(effect_map)} on the region"
        as_written(middle.set_title(title, fontsize="medium"))
        plot_shares(effect_map, place(left, 0.62, 0.7, 0.7), colour_map)
        plot_range(effect_map, place(left + 0.85, 1.13, side - 0.85, 0.17), colour_map=colour_map)
        negative, positive, zero = effect_map.counts
        tally = f"{positive} help, {negative} harm, {zero} neither"
        middle_of_bar = (left + (0.85 + side) / 2) / width
        figure.text(middle_of_bar, 0.62 / height, tally, ha="center", fontsize="small")
    limits = ", ".join(
        f"\u00b1{colour_limit(m):.2g} {_named(m.unit or m.outcome)} ({_named(m.task)})"
        for m in maps
    )
    signs = ("helps the region", "harms it", "neither")
    handles = [
        Patch(facecolor=color, edgecolor="black", linewidth=0.6, label=sign)
        for color, sign in zip(colors, signs, strict=True)
    ]
    title = f"Pie: shares of the blocks. Colours end at {limits}."
    legend = figure.legend(
        handles=handles,
        title=textwrap.fill(title, int(15 * width)),
        loc="lower center",
        ncols=3,
        frameon=False,
        fontsize="small",
        title_fontsize="small",
    )
    as_written(legend.get_title())
    return figure
