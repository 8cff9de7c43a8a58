"""Panels of a figure of maps: the input, a map, its scale and shares, the region, the signs."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.view.boxes import Box, above, beside, flow, picture, points, words
from cem_jax.view.colours import Look, bend, colour_limit, find_colours, share_colours
from cem_jax.view.layer import Layer, Part
from cem_jax.view.parts import (
    cross,
    draw_layer,
    frame,
    hatch,
    outline,
    plot_range,
    plot_shares,
    show_image,
    show_part,
    unit_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 0.8
"""Size of small print over that of other text."""
MAP_AXES = "map"
"""Label of the axes that hold a map."""
_SLIVER = 0.012
"""Least share of a bar that is seen."""
_RAMP = 0.13
_SWATCH = 0.14


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A map or a difference, and how it is drawn.

    Args:
        found: which.
        layer: what is drawn over the input.
        part: of the image, that is shown.
        limit: number at which the colours end.
        title: above it.
    """

    found: EffectMap | Difference
    layer: Layer
    part: Part
    limit: float
    title: str

    @property
    def first(self) -> EffectMap:
        """The map, or the first one of a difference."""
        return self.found if isinstance(self.found, EffectMap) else self.found.first

    @property
    def unit(self) -> str:
        """Of the numbers."""
        return unit_of(self.first)

    @property
    def numbers(self) -> Float[np.ndarray, " known"]:
        """The effects or differences outside the regions that are known."""
        return self.found.effect[np.isfinite(self.found.effect)]

    @property
    def clipped(self) -> bool:
        """Whether some numbers are larger than the colours tell."""
        largest = float(np.abs(self.numbers).max(initial=0.0))
        return largest > self.limit * (1 + 1e-9)


def limit_of(found: EffectMap | Difference) -> float:
    """The number at which the colours of a map or a difference end, if nobody says another.

    Args:
        found: the map or the difference.
    """
    if isinstance(found, EffectMap):
        return colour_limit(found)
    return max(float(np.nanmax(np.abs(found.effect), initial=0.0)), found.tolerance) or 1.0


def fitted(part: Part, width: float, height: float) -> tuple[float, float]:
    """The largest size of a part's picture within a width and a height.

    Args:
        part: of the image.
        width: in inches.
        height: in inches.
    """
    share = part.width / part.height
    return min(width, height * share), min(width / share, height)


def rounded(value: float) -> str:
    """A number with its sign, in two digits or two decimals.

    Args:
        value: in its unit.
    """
    text = f"{value:+.2f}" if abs(value) >= 0.1 else f"{value:+.2g}" if value else "0"
    return text.replace("-", "\u2212")


def input_panel(shown: Shown, width: float, height: float) -> Box:
    """The input with its regions, and a frame around the part that others show.

    Args:
        shown: a map of it.
        width: most inches.
        height: most inches.
    """
    layer = shown.layer
    size = fitted(layer.whole, width, height)
    points_per_pixel = 72 * size[0] / layer.whole.width

    def draw(ax: "Axes") -> None:
        show_image(layer.image, layer.scale, ax)
        if shown.part != layer.whole:
            cross(shown.part, layer.whole, ax)
            frame(shown.part, ax)
        for roi in layer.rois:
            across = min(roi.height, roi.width) * points_per_pixel
            outline(roi, ax, float(np.clip(across / 6, 0.5, 2.0)))

    return picture(*size, draw)


def map_panel(shown: Shown, look: Look, width: float, height: float) -> Box:
    """A map over the part of the input that is shown.

    Args:
        shown: the map.
        look: how.
        width: most inches.
        height: most inches.
    """

    def draw(ax: "Axes") -> None:
        ax.set_label(MAP_AXES)
        draw_layer(shown.layer, ax, shown.limit, look, shown.part)

    return picture(*fitted(shown.part, width, height), draw)


def region_panel(
    image: UInt8[np.ndarray, "h w c"], caption: str, width: float, height: float
) -> Box:
    """A picture of the region under its caption.

    Args:
        image: uint8 [h, w, c].
        caption: what it is.
        width: most inches.
        height: most inches of the picture.
    """
    part = Part(0, 0, *image.shape[:2])
    size = fitted(part, width, height)

    def draw(ax: "Axes") -> None:
        show_image(image, 1, ax)
        show_part(part, ax)

    return above([words(caption, max(size[0], 1.0), share=SMALL), picture(*size, draw)], 0.08)


def scale_panel(shown: Shown, look: Look, width: float) -> Box:
    """The scale of the colours with its unit, and where the smallest and largest number lie.

    Args:
        shown: the map.
        look: how.
        width: in inches.
    """
    first, last = ("\u2264 ", "\u2265 ") if shown.clipped else ("", "")
    ticks = (first + rounded(-shown.limit), "0", last + rounded(shown.limit))
    sides = ("harms", f"effect ({shown.unit})", "helps")
    if isinstance(shown.found, Difference):
        sides = ("B helps more", shown.unit, "A helps more")
    return ramp(shown.numbers, shown.limit, look.colour_map, ticks, sides, width)


def ramp(
    numbers: Float[np.ndarray, "*axes"],
    limit: float,
    colour_map: str | None,
    ticks: Sequence[str],
    sides: Sequence[str],
    width: float,
) -> Box:
    """Colours from one end to the other, with texts at the left, in the middle and at the right.

    Args:
        numbers: whose smallest and largest are marked and told.
        limit: number at which the colours end.
        colour_map: name of matplotlib's; None takes ours.
        ticks: numbers at the ends and in the middle.
        sides: what the sides mean, and between them what the numbers are.
        width: in inches.
    """
    ends = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)

    def draw(ax: "Axes") -> None:
        shares = bend(np.linspace(-1, 1, 512))
        colors = find_colours(colour_map)(0.5 + shares[None] / 2)
        ax.imshow(colors, aspect="auto", extent=(-1, 1, 0, 1))
        for end in ends:
            place = float(np.clip(end / limit, -0.99, 0.99))
            for colour, thick in (("white", 3.0), ("black", 1.2)):
                ax.axvline(place, color=colour, linewidth=thick)
        ax.set(xlim=(-1, 1), xticks=[], yticks=[])

    told = words(
        f"from {rounded(ends[0])} to {rounded(ends[1])}", width, share=SMALL, align="center"
    )
    return above(
        [picture(width, _RAMP, draw), _spread(ticks, width), _spread(sides, width), told], 0.02
    )


def _spread(texts: Sequence[str], width: float) -> Box:
    """Three texts at the left, in the middle and at the right."""
    left, middle, right = (
        words(text, width / 3, share=SMALL, align=align)
        for text, align in zip(texts, ("left", "center", "right"), strict=True)
    )
    return beside([left, middle, right], 0)


def shares_panel(shown: Shown, look: Look, width: float) -> Box:
    """How many blocks help, harm and do neither: parts of a bar, none too thin to see, in numbers.

    Args:
        shown: the map.
        look: how.
        width: in inches.
    """
    counts, colors = counts_of(shown.found), share_colours(look.colour_map)
    if look.pies and isinstance(shown.found, EffectMap):
        return _pie_panel(shown.found, look, shown.limit, width)
    seen = np.where(counts > 0, np.maximum(counts / max(counts.sum(), 1), _SLIVER), 0.0)
    seen /= max(seen.sum(), 1e-9)

    def draw(ax: "Axes") -> None:
        starts = np.concatenate([[0.0], np.cumsum(seen)[:-1]])
        ax.barh(0, seen, left=starts, color=colors, edgecolor="black", linewidth=0.5, height=1)
        ax.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])

    names = ("help", "harm", "neither")
    if isinstance(shown.found, Difference):
        names = ("more in A", "more in B", "alike")
    signs = [
        sign(lambda ax, colour=colour: ax.set_facecolor(colour), f"{count} {name}", width)
        for colour, count, name in zip(colors, counts, names, strict=True)
    ]
    boxes = [picture(width, _RAMP, draw), flow(signs, width, 0.12)]
    if look.hatched and (told := _uncertain(shown)):
        boxes.append(words(told, width, share=SMALL))
    return above(boxes, 0.04)


def _uncertain(shown: Shown) -> str:
    """In how many blocks the sign, or whether the effect is small, is not known."""
    told, sign = [], int(shown.layer.uncertain.sum())
    if sign:
        told.append(f"sign uncertain in {sign}")
    if isinstance(shown.found, EffectMap):
        white = (shown.layer.effect == 0) & shown.layer.reached & shown.found.undecided
        if white.any():
            told.append(f"{int(white.sum())} of neither may yet help or harm")
    return "; ".join(told)


def counts_of(found: EffectMap | Difference) -> Int[np.ndarray, "3"]:
    """Blocks outside the regions whose number is positive, negative, and too small to count.

    Args:
        found: the map or the difference.
    """
    known = found.effect[np.isfinite(found.effect) & ~found.inside_roi]
    large = (np.abs(known) >= found.tolerance) & (known != 0)
    return np.array([(large & (known > 0)).sum(), (large & (known < 0)).sum(), (~large).sum()])


def _pie_panel(effect_map: EffectMap, look: Look, limit: float, width: float) -> Box:
    """The paper's pie and bar, with the numbers of blocks."""
    side, line = 0.7, points(SMALL) * 1.3 / 72
    bar = width - side - 0.15
    negative, positive, zero = effect_map.counts
    tally = f"{positive} help, {negative} harm, {zero} neither"

    def draw_range(ax: "Axes") -> None:
        plot_range(effect_map, ax, limit, look.colour_map)
        ax.set(xticks=[], xlabel="")

    def draw_pie(ax: "Axes") -> None:
        plot_shares(effect_map, ax, look.colour_map, look="paper")

    low, high = effect_map.range
    half = [
        words(rounded(end), bar / 2, share=SMALL, align=align)
        for end, align in ((low, "left"), (high, "right"))
    ]
    unit = words(f"effect ({unit_of(effect_map)})", bar, share=SMALL, align="center")
    numbers = [beside(half, 0), unit, words(tally, bar, share=SMALL)]
    right = above([picture(bar, line, draw_range), *numbers], 0.02)
    return beside([picture(side, side, draw_pie), right], 0.15)


def sign(draw: "Callable[[Axes], object]", text: str, width: float) -> Box:
    """A small square and what it means.

    Args:
        draw: what the square holds.
        text: what it means.
        width: most inches.
    """

    def square(ax: "Axes") -> None:
        ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        draw(ax)

    meaning = words(text, share=SMALL)
    if meaning.width > width - _SWATCH - 0.06:
        meaning = words(text, width - _SWATCH - 0.06, share=SMALL)
    return beside([picture(_SWATCH, _SWATCH, square), meaning], 0.06, 0.5)


def signs_panel(maps: Sequence[Shown], look: Look, width: float) -> Box:
    """What outlines, frames, hatches and colours mean that the maps show.

    Args:
        maps: that are shown.
        look: how.
        width: in inches.
    """
    from cem_jax.grid import ROI

    helps, harms, none = share_colours(look.colour_map)
    found: list[tuple[Callable[[Axes], object], str]] = []

    def area(colour: Any) -> "Callable[[Axes], object]":
        return lambda ax: ax.set_facecolor(colour)

    def borderless(ax: "Axes") -> None:
        ax.set_axis_off()
        outline(ROI(1, 1, 8, 8), ax, 2.0)
        ax.set(xlim=(-0.5, 9.5), ylim=(-0.5, 9.5))

    def framed(ax: "Axes") -> None:
        ax.set_axis_off()
        frame(Part(1, 1, 8, 8), ax)
        ax.set(xlim=(-0.5, 9.5), ylim=(-0.5, 9.5))

    def hatched(ax: "Axes") -> None:
        ax.set(xlim=(-0.5, 0.5), ylim=(0.5, -0.5))
        ax.set_facecolor(find_colours(look.colour_map)(0.72))
        hatch(np.ones((1, 1), bool), 1, ax, Part(0, 0, 1, 1))

    if look.pies:
        found += [(area(helps), "helps the region"), (area(harms), "harms it")]
    found.append((borderless, "region"))
    if any(one.part != one.layer.whole for one in maps):
        found.append((framed, "part that is shown enlarged"))
    tolerances = " / ".join(dict.fromkeys(f"{one.found.tolerance:g} {one.unit}" for one in maps))
    found.append((area(none), f"smaller than {tolerances}, or out of reach"))
    if look.hatched and any(one.layer.uncertain.any() for one in maps):
        found.append((hatched, "sign uncertain: the 95 % interval holds 0"))
    if any(one.layer.unknown.any() for one in maps):
        found.append((area((0.6, 0.6, 0.6)), "not known"))
    return flow([sign(draw, text, width) for draw, text in found], width, 0.25)
