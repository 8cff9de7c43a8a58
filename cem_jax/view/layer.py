"""What is drawn over an input: effects or differences, which are known, and the part to show."""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cem_jax.grid import ROI
from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap

Zoom = Literal["auto", "whole", "near"]
ZOOMS = ("auto", "whole", "near")

_PAYS = 0.5
"""Share of the image below which its part is shown enlarged."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A rectangle of the restored image, in output pixels.

    Args:
        top: first row.
        left: first column.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """Numbers of blocks, as they are drawn.

    Args:
        effect: [rows, columns], 0 below the tolerance, NaN where there is none.
        uncertain: blocks with a colour whose 95 % interval holds 0, bool [rows, columns].
        inside: blocks of a region, bool [rows, columns].
        reached: blocks with draws, bool [rows, columns].
        rois: the regions, in output pixels.
        image: the input, uint8 [h, w, c].
        block: side of a block, in input pixels.
        scale: output pixels per input pixel.
    """

    effect: Float[np.ndarray, "rows columns"]
    uncertain: Bool[np.ndarray, "rows columns"]
    inside: Bool[np.ndarray, "rows columns"]
    reached: Bool[np.ndarray, "rows columns"]
    rois: tuple[ROI, ...]
    image: UInt8[np.ndarray, "h w c"]
    block: int
    scale: int

    @property
    def unknown(self) -> Bool[np.ndarray, "rows columns"]:
        """Blocks outside the regions of which there is no number, bool [rows, columns]."""
        return np.isnan(self.effect) & ~self.inside

    @property
    def side(self) -> int:
        """Of a block, in output pixels."""
        return self.block * self.scale

    @property
    def whole(self) -> Part:
        """All of the image."""
        height, width = (side * self.scale for side in self.image.shape[:2])
        return Part(0, 0, height, width)


def sign_uncertain(found: EffectMap | Difference) -> Bool[np.ndarray, "rows columns"]:
    """Blocks that count as helping or harming, though their 95 % interval holds 0.

    Args:
        found: a map or a difference of two.

    Returns:
        bool [rows, columns]; True too where there is an effect without an interval.
    """
    low, high = found.interval()
    sure = (low > 0) | (high < 0)
    with np.errstate(invalid="ignore"):
        counts = np.abs(found.effect) >= found.tolerance
    return counts & (found.effect != 0) & ~sure


def layer_of(found: EffectMap | Difference) -> Layer:
    """What is drawn of a map, or of a difference of two.

    Args:
        found: the map or the difference.
    """
    maps = (found,) if isinstance(found, EffectMap) else (found.first, found.second)
    first = maps[0]
    with np.errstate(invalid="ignore"):
        effect = np.where(np.abs(found.effect) < found.tolerance, 0.0, found.effect)
    return Layer(
        effect, sign_uncertain(found), found.inside_roi,
        np.any([one.samples > 0 for one in maps], axis=0),
        tuple(dict.fromkeys(one.roi for one in maps)), first.degraded, first.block, first.scale,
    )  # fmt: skip


def part_that_matters(layers: "list[Layer]") -> Part:
    """The regions and the blocks with an effect, and one block around.

    Where no block has an effect, those that reach the region take their place.

    Args:
        layers: of one image and grid, at least one.
    """
    colour = np.any([np.nan_to_num(one.effect) != 0 for one in layers], axis=0)
    reached = np.any([one.reached for one in layers], axis=0)
    shown = colour if colour.any() else reached
    shown = shown | np.any([one.inside | one.unknown for one in layers], axis=0)
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    side, whole = layers[0].side, layers[0].whole
    top, left = (max(int(one[0]) - 1, 0) * side for one in (rows, columns))
    bottom = min((int(rows[-1]) + 2) * side, whole.height)
    right = min((int(columns[-1]) + 2) * side, whole.width)
    return Part(top, left, bottom - top, right - left)


def part_to_show(layers: "list[Layer]", zoom: Zoom) -> Part:
    """The part of the image that maps are drawn of.

    Args:
        layers: of one image and grid, at least one.
        zoom: "whole", "near" for the part that matters, or "auto" for the latter where it pays.

    Raises:
        ValueError: another zoom.
    """
    if zoom not in ZOOMS:
        raise ValueError(f"zoom={zoom!r}: expected one of {', '.join(ZOOMS)}")
    whole, near = layers[0].whole, part_that_matters(layers)
    small = near.height * near.width < _PAYS * whole.height * whole.width
    return near if zoom == "near" or (zoom == "auto" and small) else whole
