"""Where things are: the region of interest, the grid of blocks, the crop that a region needs."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from cem_jax.arguments import whole_number

_FARTHEST = 10**9
"""Pixels: more than any image has on a side."""


def _side(name: str, value: object, least: int) -> int:
    return whole_number(f"roi.{name}", value, least, _FARTHEST)


@dataclasses.dataclass(frozen=True)
class ROI:
    """The region of interest: a rectangle of the restored image.

    Args:
        y: top row, in output pixels.
        x: left column, in output pixels.
        height: rows, in output pixels.
        width: columns, in output pixels.

    Raises:
        ValueError: a negative corner or an empty rectangle.

    Examples:
        >>> import cem_jax as cem
        >>> cem.ROI(y=96, x=112, height=32, width=32).in_input(scale=4)
        ROI(y=24, x=28, height=8, width=8)
    """

    y: int
    x: int
    height: int
    width: int

    def __post_init__(self) -> None:
        for name, least in (("y", 0), ("x", 0), ("height", 1), ("width", 1)):
            object.__setattr__(self, name, _side(name, getattr(self, name), least))

    def check(self, height: int, width: int, scale: int) -> None:
        """Refuses a region that does not fit an image.

        Args:
            height: rows of the restored image, in pixels.
            width: its columns, in pixels.
            scale: output pixels per input pixel; the region covers whole input pixels.

        Raises:
            ValueError: the region leaves the image, or is not aligned to the scale.
        """
        if self.y + self.height > height or self.x + self.width > width:
            raise ValueError(f"roi={self} leaves the image of {height} x {width} pixels")
        if any(side % scale for side in (self.y, self.x, self.height, self.width)):
            raise ValueError(f"roi={self}: at scale {scale} all four must be multiples of {scale}")

    @property
    def label(self) -> str:
        """The region as part of a file's name."""
        return f"y{self.y}-x{self.x}-{self.height}x{self.width}"

    @classmethod
    def around(cls, rois: Sequence["ROI"]) -> "ROI":
        """The smallest rectangle that holds several regions.

        Args:
            rois: at least one.
        """
        top, left = min(roi.y for roi in rois), min(roi.x for roi in rois)
        bottom = max(roi.y + roi.height for roi in rois)
        right = max(roi.x + roi.width for roi in rois)
        return cls(top, left, bottom - top, right - left)

    def in_input(self, scale: int) -> "ROI":
        """The same region in input pixels.

        Args:
            scale: output pixels per input pixel.

        Raises:
            ValueError: the region is smaller than an input pixel.
        """
        return ROI(self.y // scale, self.x // scale, self.height // scale, self.width // scale)


@dataclasses.dataclass(frozen=True)
class Grid:
    """The blocks of an input; those at the right and lower border may be cut off.

    Args:
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.
        block: side of a block, in input pixels.
    """

    height: int
    width: int
    block: int

    @classmethod
    def make(cls, height: int, width: int, block: int, scale: int) -> "Grid":
        """The grid of an input.

        Args:
            height: rows of the input, in pixels.
            width: columns of the input, in pixels.
            block: side of a block, in output pixels.
            scale: output pixels per input pixel.

        Raises:
            ValueError: the block is no multiple of the scale, or larger than the image.
        """
        block = whole_number("block", block, 1)
        if block % scale:
            raise ValueError(f"block={block}: at scale {scale} it must be a multiple of {scale}")
        if block > scale * min(height, width):
            raise ValueError(f"block={block}: larger than the image")
        return cls(height, width, block // scale)

    @property
    def rows(self) -> int:
        """Number of rows of blocks."""
        return math.ceil(self.height / self.block)

    @property
    def columns(self) -> int:
        """Number of columns of blocks."""
        return math.ceil(self.width / self.block)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return self.rows, self.columns

    def near(self, region: ROI, margin: int) -> Bool[np.ndarray, "{self.rows} {self.columns}"]:
        """The blocks that share a pixel with a region widened by a margin.

        Args:
            region: in input pixels.
            margin: in input pixels.

        Returns:
            bool [rows, columns].
        """
        top = np.arange(self.rows) * self.block
        left = np.arange(self.columns) * self.block
        rows = (top < region.y + region.height + margin) & (top + self.block > region.y - margin)
        columns = (left < region.x + region.width + margin) & (
            left + self.block > region.x - margin
        )
        return rows[:, None] & columns[None, :]


@dataclasses.dataclass(frozen=True)
class Crop:
    """The part of the input that is computed, and where the region lies in its output.

    Args:
        top: first row, in input pixels.
        left: first column, in input pixels.
        height: rows, in input pixels.
        width: columns, in input pixels.
        roi: the region within the crop's output, in output pixels.
    """

    top: int
    left: int
    height: int
    width: int
    roi: ROI

    @classmethod
    def make(
        cls, height: int, width: int, roi: ROI, scale: int, radius: int | None, anchor: int | None
    ) -> "Crop":
        """The smallest crop whose region comes out as it does from the whole image.

        Args:
            height: rows of the input, in pixels.
            width: columns of the input, in pixels.
            roi: region of interest, in output pixels.
            scale: output pixels per input pixel.
            radius: receptive radius, in input pixels; None means the whole image.
            anchor: period of the network's grid (strides, windows), in input pixels; crops
                begin on it; None means the whole image.
        """
        if radius is None or anchor is None:
            return cls(0, 0, height, width, roi)
        region = roi.in_input(scale)
        top = max(region.y - radius, 0) // anchor * anchor
        left = max(region.x - radius, 0) // anchor * anchor
        bottom = math.ceil((region.y + region.height + radius) / anchor) * anchor
        right = math.ceil((region.x + region.width + radius) / anchor) * anchor
        inner = dataclasses.replace(roi, y=roi.y - top * scale, x=roi.x - left * scale)
        return cls(top, left, min(bottom, height) - top, min(right, width) - left, inner)
