"""Parts of a figure of maps, each into axes of one's own layout.

Red helps, blue harms, white does neither.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, UInt8

from cem_jax.grid import ROI
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import shortened, visible
from cem_jax.scene.image import in_colour
from cem_jax.view.boxes import as_written
from cem_jax.view.colours import (
    Look,
    bend,
    colour_limit,
    colours,
    find_colours,
    find_look,
    share_colours,
    straighten,
)
from cem_jax.view.layer import Layer, Part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_NAME = 32
"""Characters of a name that fit into a column."""
_ROI_COLOUR = (0.0, 0.75, 0.2)
_ROI_EDGE = (0.0, 0.2, 0.05)
_HATCH = (0.0, 0.0, 0.0, 0.55)
_UNKNOWN = (0.6, 0.6, 0.6, 1.0)
_HARD_TO_FIND = 0.08
"""Share of a side of the image below which lines lead to its part."""
_LONGEST_SIDE = 2048
"""Of an input that is drawn, in pixels; a figure shows no more."""


def named(name: str) -> str:
    """A name from outside, as it fits into a picture.

    Args:
        name: any text.
    """
    return shortened(visible(name), LONGEST_NAME)


def unit_of(effect_map: EffectMap) -> str:
    """The unit of a map's effects, or the name of an outcome without a unit.

    Args:
        effect_map: the map.
    """
    return named(effect_map.unit or effect_map.outcome)


def own_axes(ax: "Axes | None") -> "Axes":
    """Axes that are given, or those of a new figure that leaves room for what stands around.

    Args:
        ax: the axes, or None.
    """
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax


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


def frame(part: Part, ax: "Axes") -> None:
    """Draws the border of the part that is shown enlarged: dashes on white, whole at the rim too.

    Args:
        part: of the image.
        ax: where an image in output pixels is drawn.
    """
    from matplotlib.patches import Rectangle

    for colour, style in (("white", "solid"), ("black", (0, (3, 2)))):
        ax.add_patch(
            Rectangle(
                (part.left - 0.5, part.top - 0.5), part.width, part.height, fill=False,
                color=colour, linewidth=1.2, linestyle=style, clip_on=False,
            )
        )  # fmt: skip


def cross(part: Part, whole: Part, ax: "Axes") -> None:
    """Draws lines from the edges of an image to a part of it, where that is too small to be found.

    Args:
        part: of the image.
        whole: all of it.
        ax: where it is drawn, in output pixels.
    """
    from matplotlib.collections import LineCollection

    if max(part.width / whole.width, part.height / whole.height) > _HARD_TO_FIND:
        return
    left, right = part.left - 0.5, part.left + part.width - 0.5
    top, bottom = part.top - 0.5, part.top + part.height - 0.5
    x, y = (left + right) / 2, (top + bottom) / 2
    lines = [
        [(x, -0.5), (x, top)], [(x, bottom), (x, whole.height - 0.5)],
        [(-0.5, y), (left, y)], [(right, y), (whole.width - 0.5, y)],
    ]  # fmt: skip
    for colour, width in (("white", 1.8), ("black", 0.6)):
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=width), autolim=False)


def show_image(image: UInt8[np.ndarray, "h w c"], scale: int, ax: "Axes") -> None:
    """Draws an image whose pixels are as many output pixels wide.

    Args:
        image: uint8 [h, w, c].
        scale: output pixels per pixel.
        ax: where to draw; its coordinates are output pixels.
    """
    height, width = image.shape[:2]
    step = -(-max(height, width) // _LONGEST_SIDE)
    shown = in_colour(image)
    if step > 1:
        from PIL import Image

        size = (-(-width // step), -(-height // step))
        shown = np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BOX))
    ax.imshow(
        shown, interpolation="nearest" if step == 1 else "antialiased", origin="upper",
        extent=(-0.5, width * scale - 0.5, height * scale - 0.5, -0.5),
    )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])


def show_part(part: Part, ax: "Axes") -> None:
    """Limits axes to a part of the image.

    Args:
        part: of the image.
        ax: whose coordinates are output pixels.
    """
    ax.set_xlim(part.left - 0.5, part.left + part.width - 0.5)
    ax.set_ylim(part.top + part.height - 0.5, part.top - 0.5)


def draw_layer(layer: Layer, ax: "Axes", limit: float, look: Look, part: Part) -> None:
    """Draws numbers of blocks over their input.

    Args:
        layer: what is drawn.
        ax: where to draw; its coordinates are output pixels.
        limit: number at which the colours end.
        look: how.
        part: of the image, that is shown.
    """
    show_image(layer.image, layer.scale, ax)
    rows, columns = layer.effect.shape
    painted = np.ones((rows, columns, 4))
    painted[..., :3] = colours(np.nan_to_num(layer.effect), limit, look.colour_map)
    painted[..., 3] = 1 - look.input_share
    painted[layer.unknown] = _UNKNOWN
    if look.filled:
        painted[layer.inside, :3] = _ROI_COLOUR
    else:
        painted[layer.inside, 3] = 0
    ax.imshow(
        painted, interpolation="nearest", origin="upper",
        extent=(-0.5, columns * layer.side - 0.5, rows * layer.side - 0.5, -0.5),
    )  # fmt: skip
    show_part(part, ax)
    if look.hatched:
        hatch(layer.uncertain, layer.side, ax, part)
    for roi in layer.rois:
        outline(roi, ax, 1.0 if look.filled else 2.0)


def hatch(cells: Bool[np.ndarray, "rows columns"], side: int, ax: "Axes", part: Part) -> None:
    """Draws dark lines over blocks, from edge to edge of each.

    Args:
        cells: bool [rows, columns].
        side: of a block, in output pixels.
        ax: whose coordinates are output pixels.
        part: of the image, that is shown.
    """
    from matplotlib.collections import LineCollection

    row, column = np.nonzero(cells)
    if not len(row):
        return
    corner = np.stack([column, row], axis=-1)[:, None, None] * side - 0.5
    lines = np.array([[[0, 0.5], [0.5, 0]], [[0, 1], [1, 0]], [[0.5, 1], [1, 0.5]]]) * side
    figure = ax.get_figure(root=True)
    assert figure is not None
    points = 72 * ax.get_window_extent().width / figure.dpi * side / part.width  # of a block
    width = float(np.clip(points / 14, 0.15, 1.0))
    segments = list((corner + lines).reshape(-1, 2, 2))
    found = LineCollection(segments, colors=[_HATCH], linewidths=width)
    found.set_capstyle("butt")
    ax.add_collection(found, autolim=False)


def plot_input(effect_map: EffectMap, ax: "Axes | None" = None) -> "Axes":
    """Draws the degraded input with the region's outline.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.

    Returns:
        The axes.
    """
    ax = own_axes(ax)
    show_image(effect_map.degraded, effect_map.scale, ax)
    outline(effect_map.roi, ax, 2.0)
    return ax


def plot_colour_bar(
    effect_map: EffectMap,
    ax: "Axes | Sequence[Axes]",
    limit: float | None = None,
    colour_map: str | None = None,
) -> "Axes":
    """Draws the scale of a map's colours, with the effect's unit, beside it.

    Args:
        effect_map: the map.
        ax: the axes that hold the map, or several with the same limit; they give up room for it.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes ours.

    Returns:
        The scale's own axes.

    Raises:
        ValueError: there is no such colour map.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import FuncNorm
    from matplotlib.figure import Figure

    limit = colour_limit(effect_map) if limit is None else limit
    scale = ScalarMappable(FuncNorm((bend, straighten), -limit, limit), find_colours(colour_map))
    figure = np.ravel(np.asarray(ax, object))[0].figure
    assert isinstance(figure, Figure)
    label = f"effect ({unit_of(effect_map)})"
    bar = figure.colorbar(scale, ax=ax, label=label, fraction=0.046, pad=0.04)
    bar.set_ticks([-limit, -limit / 2, 0, limit / 2, limit])
    bar.formatter = "{x:+.2g}"
    as_written(bar.ax.yaxis.label)
    return bar.ax


def plot_shares(
    effect_map: EffectMap,
    ax: "Axes | None" = None,
    colour_map: str | None = None,
    *,
    look: str = "clear",
) -> "Axes":
    """Draws how many blocks help, harm and do neither.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes those of
            the look.
        look: "clear" draws a bar for each, with its number; "paper" the paper's pie.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map or look.
    """
    chosen = find_look(look, colour_map)
    colors = share_colours(chosen.colour_map)
    ax = own_axes(ax)
    counts = effect_map.counts
    shares = np.array([counts.positive, counts.negative, counts.zero])
    if chosen.pies:
        ax.pie(
            shares if shares.any() else [0, 0, 1], colors=colors, startangle=90, counterclock=False,
            wedgeprops={"edgecolor": "black", "linewidth": 0.6},
        )  # fmt: skip
        return ax
    ax.barh(
        range(3), shares / max(shares.sum(), 1), color=colors, edgecolor="black", linewidth=0.6,
        height=0.7,
    )  # fmt: skip
    labels = [f"{n} {word}" for n, word in zip(shares, ("help", "harm", "neither"), strict=True)]
    ax.set_yticks(range(3), labels)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 1], ["0", "100 %"])
    ax.tick_params(length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    return ax


def plot_range(
    effect_map: EffectMap,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str | None = None,
) -> "Axes":
    """Draws the bar from the smallest to the largest effect, both ends printed.

    Args:
        effect_map: the map.
        ax: where to draw; None makes a figure.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes ours.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    limit = colour_limit(effect_map) if limit is None else limit
    low, high = effect_map.range
    effects = np.linspace(low, high if high > low else low + 1e-6, 512)
    rgb = colours(effects, limit, colour_map)
    ax = own_axes(ax)
    ax.imshow(rgb[None], aspect="auto", extent=(0, 1, 0, 1))
    ax.set_xticks([0, 1], [f"{low:+.2f}", f"{high:+.2f}"])
    ax.tick_params(length=0, pad=2)
    for end, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
        end.set_horizontalalignment(side)  # within the bar, which may stand beside another
    ax.set_yticks([])
    as_written(ax.set_xlabel(f"effect ({unit_of(effect_map)})", labelpad=1))
    return ax
