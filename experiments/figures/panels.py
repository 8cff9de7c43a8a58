"""Panels that several figures share: a map with pie, range and PSNR; galleries of them."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

import cem_jax as cem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.16
"""Of a page of two columns, in inches."""
STYLE: dict[Any, Any] = {
    "font.size": 7, "axes.titlesize": 7, "axes.labelsize": 7, "xtick.labelsize": 6,
    "ytick.labelsize": 6, "legend.fontsize": 6, "axes.linewidth": 0.6, "pdf.fonttype": 42,
    "savefig.dpi": 200,
}  # fmt: skip
"""For `matplotlib.rc_context`: readable in print at this width."""

_GAP = 0.12
_TITLE = 0.32
_UNDER = 0.46
_FOOT = 0.55
_ROI = (0.0, 0.75, 0.2)
_MOST_MAPS = 5
"""Beside one input; a longer row is broken into equal ones."""
_LETTERS = 23
"""In an inch of the small print at the lower end."""


def map_cell(
    figure: "Figure",
    corner: tuple[float, float],
    side: float,
    effect_map: cem.EffectMap,
    title: str,
    colour_map: str,
    limit: float | None = None,
) -> None:
    """Draws a map, and under it the pie and the bar of its range.

    Blocks whose sign is uncertain are hatched.

    Args:
        figure: to draw in.
        corner: left and lower end of the map, in inches.
        side: of the map, in inches.
        effect_map: the map.
        title: above it; the region's PSNR follows.
        colour_map: diverging colours by name.
        limit: effect at which the colours end, in dB; None: the map's own.
    """
    x, y = corner
    ax = _axes(figure, x, y, side, side)
    cem.plot(effect_map, ax, limit, colour_map=colour_map)
    ax.set_title(f"{title}\n{effect_map.baseline:.2f} dB", pad=3)
    pie = 0.36
    below = _axes(figure, x, y - 0.06 - pie, pie, pie)
    cem.plot_shares(effect_map, below, colour_map=colour_map, look="paper")
    left = pie + 0.08
    bar = _axes(figure, x + left, y - 0.22, side - left, 0.1)
    cem.plot_range(effect_map, bar, limit, colour_map=colour_map).set_xlabel("")


def input_cell(
    figure: "Figure",
    corner: tuple[float, float],
    side: float,
    effect_map: cem.EffectMap,
    title: str,
) -> None:
    """Draws the input of a map with the region.

    Args:
        figure: to draw in.
        corner: left and lower end of the input, in inches.
        side: of the input, in inches.
        effect_map: the map.
        title: above it.
    """
    ax = _axes(figure, *corner, side, side)
    cem.plot_input(effect_map, ax).set_title(title, pad=3)


def _axes(figure: "Figure", x: float, y: float, width: float, height: float) -> "Axes":
    w, h = figure.get_size_inches()
    return figure.add_axes((x / w, y / h, width / w, height / h))


def common_limit(maps: Sequence[cem.EffectMap]) -> float:
    """The effect at which the colours of several maps end, in dB.

    It is the median of their largest effects, so that one map of huge effects does not make all
    others pale; what is larger has the last colour.

    Args:
        maps: of one scene.
    """
    largest = [max(*np.abs(one.range), one.tolerance) for one in maps]
    return float(np.median(largest))


def gallery(
    rows: Sequence[tuple[str, Sequence[tuple[str, cem.EffectMap]]]], colour_map: str
) -> "Figure":
    """Rows of maps, each after the input that they share, on a scale that they share.

    Args:
        rows: what stands above the row's input, and its maps with their titles.
        colour_map: diverging colours by name.

    Returns:
        The figure; rows that are too long go on below.
    """
    longest = max(len(maps) for _, maps in rows)
    columns = math.ceil(longest / math.ceil(longest / _MOST_MAPS))
    side = min((WIDTH - _GAP) / (columns + 1) - _GAP, 1.7)
    width = (columns + 1) * (side + _GAP) + _GAP
    lines = [
        (label, maps[first : first + columns], first)
        for label, maps in rows
        for first in range(0, len(maps), columns)
    ]
    each = _TITLE + side + _UNDER + _GAP
    height = len(lines) * each + _FOOT
    figure = plt.figure(figsize=(width, height))
    limits = {label: common_limit([one for _, one in maps]) for label, maps in rows}
    for number, (label, maps, first) in enumerate(lines):
        y = height - number * each - _TITLE - side
        if first == 0:
            input_cell(figure, (_GAP, y), side, maps[0][1], f"{label}\ninput and region")
            text = f"colours end at\n\u00b1{limits[label]:.2f} dB in all\nmaps of this scene"
            figure.text(
                (_GAP + side / 2) / width, (y - 0.06) / height, text, ha="center", va="top",
                fontsize=6,
            )  # fmt: skip
        for column, (title, effect_map) in enumerate(maps, 1):
            corner = (_GAP + column * (side + _GAP), y)
            map_cell(figure, corner, side, effect_map, title, colour_map, limits[label])
    foot(
        figure, colour_map,
        "Colours end, for all maps of an input, at the median of their largest effects.",
    )  # fmt: skip
    return figure


_OWN = "Colours end there, or at the paper's limit of the task."


def foot(figure: "Figure", colour_map: str, end: str = _OWN) -> None:
    """Draws what colours, pies and bars mean at the lower end of a figure of maps.

    Args:
        figure: of maps.
        colour_map: diverging colours by name.
        end: where the colours end, in words.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    helps, harms = colormaps[colour_map](0.85), colormaps[colour_map](0.15)
    swatches = {"helps the region": helps, "harms it": harms, "neither": "white"}
    width, height = figure.get_size_inches()
    patches = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.4, label=label)
        for label, colour in swatches.items()
    ]
    patches.append(Patch(facecolor="none", edgecolor=_ROI, linewidth=1.2, label="region"))
    below = _words(
        figure,
        "Hatched: sign uncertain, the 95 % interval holds 0. Pie: shares of the blocks. Bar: "
        f"smallest and largest effect in dB. {end} Above a map: PSNR of the region, which is "
        "outlined.",
    )
    figure.legend(
        handles=patches, loc="lower center", ncols=len(patches) if width > 3 else 2, frameon=False,
        fontsize=6, bbox_to_anchor=(0.5, below / height), handlelength=1.2, columnspacing=1.2,
        borderaxespad=0,
    )  # fmt: skip


def note(figure: "Figure", text: str) -> None:
    """Writes what holds for the whole figure at its lower end."""
    _words(figure, text)


def _words(figure: "Figure", text: str) -> float:
    """Small print at the lower end; returns where it ends, in inches."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, int(_LETTERS * width))
    figure.text(0.5, 0.05 / height, "\n".join(lines), ha="center", va="bottom", fontsize=6)
    return 0.1 + 0.1 * len(lines)
