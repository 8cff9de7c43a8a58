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
_TITLE = 0.27
_UNDER = 0.5
_FOOT = 0.5
_ROI = (0.0, 0.75, 0.2)
_FRAME = (("white", "solid"), ("black", (0, (3, 2))))
"""Colours and lines, one over the other, so that it is seen on any photograph."""
_TALLEST = 1.4
"""Height of a cell over its width, at most."""
_MOST_MAPS = 5
"""Beside one input; a longer row is broken into equal ones."""
_LETTERS = 23
"""In an inch of the small print at the lower end."""
_PAYS = 0.7
"""Share of an image's sides below which the part that matters is shown alone."""


def cell_height(width: float, effect_map: cem.EffectMap) -> float:
    """The height of a cell, which follows the photograph, in inches.

    Args:
        width: of the cell, in inches.
        effect_map: what is shown in it.
    """
    rows, columns = effect_map.degraded.shape[:2]
    return width * min(rows / columns, _TALLEST)


def part_that_matters(maps: Sequence[cem.EffectMap]) -> cem.ROI | None:
    """The part of one scene that its maps are drawn of, with the image's proportions.

    It holds the region, all blocks that have an effect in one of the maps, and around them as much
    as the side of the smallest block.

    Args:
        maps: of one scene and region.

    Returns:
        The part, in output pixels; None where the whole image is shown, since it is not much more.
    """
    height, width = (side * maps[0].scale for side in maps[0].degraded.shape[:2])
    ends, around = np.array([_ends(one) for one in maps]), min(map(_side, maps))
    top, left = np.maximum(ends[:, :2].min(axis=0) - around, 0)
    bottom, right = np.minimum(ends[:, 2:].max(axis=0) + around, (height, width))
    share = max((bottom - top) / height, (right - left) / width)
    if share > _PAYS:
        return None
    rows, columns = math.ceil(share * height), math.ceil(share * width)
    y, x = (top + bottom - rows) // 2, (left + right - columns) // 2
    y, x = np.clip((y, x), 0, (height - rows, width - columns)).tolist()
    return cem.ROI(y, x, rows, columns)


def _side(effect_map: cem.EffectMap) -> int:
    """Of a block, in output pixels."""
    return effect_map.block * effect_map.scale


def _ends(effect_map: cem.EffectMap) -> tuple[int, int, int, int]:
    """First row and column of the region and the blocks with an effect, and those behind them."""
    with np.errstate(invalid="ignore"):
        effects = np.abs(effect_map.effect) >= effect_map.tolerance
    shown, side = effect_map.inside_roi | effects, _side(effect_map)
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    top, left = (int(one[0]) * side for one in (rows, columns))
    bottom, right = ((int(one[-1]) + 1) * side for one in (rows, columns))
    return top, left, bottom, right


def map_cell(
    figure: "Figure",
    corner: tuple[float, float],
    width: float,
    effect_map: cem.EffectMap,
    title: str,
    colour_map: str,
    limit: float,
    part: cem.ROI | None = None,
) -> None:
    """Draws a map, what is uncertain hatched; under it shares and range, in numbers too.

    Args:
        figure: to draw in.
        corner: left and lower end of the map, in inches.
        width: of the map, in inches; its height follows the photograph.
        effect_map: the map.
        title: above it; the region's PSNR follows.
        colour_map: diverging colours by name.
        limit: effect at which the colours end, in dB.
        part: of the image that is drawn, see `part_that_matters`; None: all of it.
    """
    x, y = corner
    ax = _axes(figure, x, y, width, cell_height(width, effect_map))
    cem.plot(effect_map, ax, limit, colour_map)
    if part is not None:
        ax.set_xlim(part.x - 0.5, part.x + part.width - 0.5)
        ax.set_ylim(part.y + part.height - 0.5, part.y - 0.5)
    ax.set_title(f"{title}\n{effect_map.baseline:.2f} dB", pad=3)
    pie = 0.36
    below = _axes(figure, x, y - 0.06 - pie, pie, pie)
    cem.plot_shares(effect_map, below, colour_map=colour_map, look="paper")
    left = pie + 0.08
    bar = _axes(figure, x + left, y - 0.18, width - left, 0.1)
    cem.plot_range(effect_map, bar, limit, colour_map).set_xlabel("")
    counts = effect_map.counts
    total = max(sum(counts), 1)
    shares = " / ".join(
        _percent(count / total) for count in (counts.positive, counts.negative, counts.zero)
    )
    w, h = figure.get_size_inches()
    where = (x + width) / w, (y - 0.42) / h
    figure.text(*where, f"{shares} %", fontsize=5.5, ha="right", va="center")


def _percent(share: float) -> str:
    """A share as a number of percent, so that a sliver is one."""
    return "0" if share == 0 else "< 1" if share < 0.01 else f"{100 * share:.0f}"


def input_cell(
    figure: "Figure",
    corner: tuple[float, float],
    width: float,
    effect_map: cem.EffectMap,
    title: str,
    part: cem.ROI | None = None,
) -> None:
    """Draws the input of a map with the region, and a frame around the part that maps show.

    Args:
        figure: to draw in.
        corner: left and lower end of the input, in inches.
        width: of the input, in inches; its height follows the photograph.
        effect_map: the map.
        title: above it.
        part: of the image that the maps show; None: all of it.
    """
    from matplotlib.patches import Rectangle

    ax = _axes(figure, *corner, width, cell_height(width, effect_map))
    cem.plot_input(effect_map, ax).set_title(title, pad=3)
    if part is not None:
        place = (part.x - 0.5, part.y - 0.5)
        for colour, style in _FRAME:
            look = {"edgecolor": colour, "linestyle": style, "linewidth": 1.0, "clip_on": False}
            ax.add_patch(Rectangle(place, part.width, part.height, fill=False, **look))


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
    """Rows of maps, each after the input that they share, on one scale and of one part a row.

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
    shared = [
        (common_limit(maps), part_that_matters(maps))
        for maps in ([one for _, one in maps] for _, maps in rows)
    ]
    lines = [
        (label, maps[first : first + columns], first, *of_row)
        for (label, maps), of_row in zip(rows, shared, strict=True)
        for first in range(0, len(maps), columns)
    ]
    heights = [_TITLE + cell_height(side, maps[0][1]) + _UNDER + _GAP for _, maps, *_ in lines]
    height = sum(heights) + _FOOT
    figure = plt.figure(figsize=(width, height))
    for number, (label, maps, first, limit, part) in enumerate(lines):
        y = height - sum(heights[: number + 1]) + _UNDER + _GAP
        if first == 0:
            input_cell(figure, (_GAP, y), side, maps[0][1], f"{label}\ninput and region", part)
            text = f"colours end at\n\u00b1{limit:.2f} dB in all\nmaps of this scene"
            figure.text(
                (_GAP + side / 2) / width, (y - 0.06) / height, text, ha="center", va="top",
                fontsize=6,
            )  # fmt: skip
        for column, (title, effect_map) in enumerate(maps, 1):
            corner = (_GAP + column * (side + _GAP), y)
            map_cell(figure, corner, side, effect_map, title, colour_map, limit, part)
    foot(figure, colour_map, any(part is not None for _, part in shared))
    return figure


def foot(figure: "Figure", colour_map: str, framed: bool = False) -> None:
    """Draws what colours, pies and bars mean at the lower end of a figure of maps.

    Args:
        figure: of maps.
        colour_map: diverging colours by name.
        framed: some maps show a part of the image.
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
    hatched = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.4, "hatch": "/" * 6}
    patches.append(Patch(**hatched, label="sign uncertain"))
    patches.append(Patch(facecolor="none", edgecolor=_ROI, linewidth=1.5, label="region"))
    if framed:
        frame = {"edgecolor": "black", "linewidth": 1.0, "linestyle": _FRAME[1][1]}
        patches.append(Patch(facecolor="none", **frame, label="part that the maps show"))
    below = _words(
        figure,
        "Above a map: PSNR of the region. Bar: smallest and largest effect in dB. Pie and numbers: "
        "shares of blocks that help, harm, do neither. Maps of one input have one colour scale. "
        "Sign uncertain: the 95 % interval holds 0.",
    )
    figure.legend(
        handles=patches, loc="lower center", ncols=len(patches) if width > 4 else 2, frameon=False,
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
