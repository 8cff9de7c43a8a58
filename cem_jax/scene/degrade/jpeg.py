"""JPEG and back, in the integers of libjpeg-turbo, which Pillow uses: equal to it bit for bit.

Rec. ITU-T T.81 for the tables and the transform; the rest is how that library rounds: its "islow"
transform, colours in 16 bits of fraction, chroma halved by means and doubled by triangles. What the
entropy coder does loses nothing and is left out.

The functions take numpy's or JAX's arrays.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Int32

from cem_jax.arguments import one_of, whole_number
from cem_jax.arrays import SameArray
from cem_jax.scene.degrade.step import ONE, Degradation

Subsampling = Literal["4:2:0", "4:4:4"]

_LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
_CHROMA = np.full((8, 8), 99)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

_HALF = np.array([
    [8192, 8192, 8192, 8192],
    [11363, 9633, 6437, 2260],
    [10703, 4433, -4433, -10703],
    [9633, -2259, -11362, -6436],
    [8192, -8192, -8192, 8192],
    [6437, -11362, 2261, 9633],
    [4433, -10704, 10704, -4433],
    [2260, -6436, 9633, -11363],
])  # fmt: skip
_MIRROR = np.where(np.arange(8) % 2, -1, 1)[:, None]
_DCT = np.concatenate([_HALF, _MIRROR * _HALF[:, ::-1]], axis=1).astype(np.int32)
"""The discrete cosine transform times 8192 sqrt(8), as sums of the library's 13-bit constants."""


@functools.cache
def tables(quality: int) -> tuple[Int32[np.ndarray, "8 8"], Int32[np.ndarray, "8 8"]]:
    """Steps of quantisation of luma and chroma.

    Args:
        quality: 1 .. 100.

    Returns:
        int32 [8, 8] each.
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    luma, chroma = (
        np.clip((table * percent + 50) // 100, 1, 255).astype(np.int32)
        for table in (_LUMA, _CHROMA)
    )
    return luma, chroma


def _fixed(value: float) -> int:
    return int(value * ONE + 0.5)


def _edge(
    plane: Int32[SameArray, "rows columns"], axis: int, length: int
) -> Int32[SameArray, "h w"]:
    """A plane whose last line is repeated up to a length."""
    xp = plane.__array_namespace__()
    room = [(0, 0), (0, 0)]
    room[axis] = (0, length - plane.shape[axis])
    return xp.pad(plane, room, mode="edge")


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _coded(
    plane: Int32[SameArray, "h w"], table: Int32[np.ndarray, "8 8"]
) -> Int32[SameArray, "h w"]:
    """A plane [h, w] of levels, its sides multiples of 8, through the quantised transform."""
    xp = plane.__array_namespace__()
    h, w = plane.shape
    blocks = plane.reshape(h // 8, 8, w // 8, 8) - 128
    dct, steps = xp.asarray(_DCT), xp.asarray(table)[None, :, None, :]

    def transform(blocks: Any, axis: int, matrix: Any, shift: int) -> Any:
        total = xp.moveaxis(xp.tensordot(blocks, matrix, ((axis,), (1,))), 3, axis)
        return (total + (1 << (shift - 1))) >> shift

    frequencies = transform(transform(blocks, 3, dct, 11), 1, dct, 15)  # times 8
    divisor = 8 * steps
    size = (xp.abs(frequencies) + divisor // 2) // divisor
    kept = xp.sign(frequencies) * size * steps
    levels = transform(transform(kept, 1, dct.T, 11), 3, dct.T, 18) + 128
    return xp.clip(levels, 0, 255).reshape(h, w)


def _halved(plane: Int32[SameArray, "h w"]) -> Int32[SameArray, "h//2 w//2"]:
    """Means of 2x2 pixels, a half rounded down and up in turn."""
    xp = plane.__array_namespace__()
    h, w = plane.shape
    total = plane.reshape(h // 2, 2, w // 2, 2).sum(axis=(1, 3), dtype=plane.dtype)
    return (total + 1 + xp.arange(w // 2, dtype=plane.dtype)[None] % 2) >> 2


def _doubled(plane: Int32[SameArray, "h w"]) -> Int32[SameArray, "2*h 2*w"]:
    """Twice the rows and columns: 9/16 of the pixel, 3/16, 3/16 and 1/16 of those beside it."""
    xp = plane.__array_namespace__()
    if plane.shape[1] <= 2:
        return xp.repeat(xp.repeat(plane, 2, axis=0), 2, axis=1)
    h, w = plane.shape
    tall = xp.pad(plane, ((1, 1), (0, 0)), mode="edge")
    rows = xp.stack([3 * plane + tall[:-2], 3 * plane + tall[2:]], axis=1).reshape(2 * h, w)
    wide = xp.pad(rows, ((0, 0), (1, 1)), mode="edge")
    left, right = 3 * rows + wide[:, :-2] + 8 >> 4, 3 * rows + wide[:, 2:] + 7 >> 4
    return xp.stack([left, right], axis=2).reshape(2 * h, 2 * w)


def compressed(
    image: Int32[SameArray, "h w c"], quality: int, subsampling: Subsampling = "4:2:0"
) -> Int32[SameArray, "h w c"]:
    """An image as a JPEG decodes.

    Args:
        image: int32 0 .. 255, [h, w, 3], or [h, w, 1], which has no chroma.
        quality: 1 .. 100.
        subsampling: "4:2:0" halves the chroma's sides, "4:4:4" keeps them.

    Returns:
        int32 0 .. 255, of the image's shape.
    """
    xp = image.__array_namespace__()
    luma_table, chroma_table = tables(quality)
    h, w, channels = image.shape
    if channels == 1:
        whole = _edge(_edge(image[..., 0], 0, _up(h, 8)), 1, _up(w, 8))
        return _coded(whole, luma_table)[:h, :w, None]
    r, g, b = (image[..., c] for c in range(3))
    half = ONE // 2
    y = (_fixed(0.299) * r + _fixed(0.587) * g + _fixed(0.114) * b + half) >> 16
    middle = 128 * ONE + half - 1
    blue = (-_fixed(0.16874) * r - _fixed(0.33126) * g + _fixed(0.5) * b + middle) >> 16
    red = (_fixed(0.5) * r - _fixed(0.41869) * g - _fixed(0.08131) * b + middle) >> 16
    y = _coded(_edge(_edge(y, 0, _up(h, 8)), 1, _up(w, 8)), luma_table)[:h, :w]

    def chroma(plane: Any) -> Any:
        if subsampling == "4:4:4":
            whole = _edge(_edge(plane, 0, _up(h, 8)), 1, _up(w, 8))
            return _coded(whole, chroma_table)[:h, :w] - 128
        small = _halved(_edge(_edge(plane, 0, _up(h, 2)), 1, _up(w, 16)))
        coded = _coded(_edge(small, 0, _up(small.shape[0], 8)), chroma_table)
        return _doubled(coded[: -(-h // 2), : -(-w // 2)])[:h, :w] - 128

    blue, red = chroma(blue), chroma(red)
    green = (-_fixed(0.34414) * blue - _fixed(0.71414) * red + half) >> 16
    colours = [
        y + ((_fixed(1.402) * red + half) >> 16),
        y + green,
        y + ((_fixed(1.772) * blue + half) >> 16),
    ]
    return xp.clip(xp.stack(colours, axis=-1), 0, 255)


@dataclasses.dataclass(frozen=True)
class Jpeg(Degradation):
    """JPEG: the image saved by Pillow and read again.

    A block of an image changes all of the 8x8 blocks that it touches, with "4:2:0" those of 16x16
    pixels and two pixels around.

    Args:
        quality: 1 .. 100, as Pillow, libjpeg and OpenCV count it.
        subsampling: "4:2:0" halves the colours' sides, as Pillow does unless asked; "4:4:4" keeps
            them.

    Raises:
        ValueError: another quality or subsampling.
    """

    quality: int = 75
    subsampling: Subsampling = "4:2:0"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quality", whole_number("quality", self.quality, 1, 100))
        one_of("subsampling", self.subsampling, ("4:2:0", "4:4:4"))

    @property
    def period(self) -> int:
        """Pixels of a minimal coded unit."""
        return 16 if self.subsampling == "4:2:0" else 8

    def changed(self, low: int, high: int) -> tuple[int, int]:
        around = 2 if self.period == 16 else 0
        return low // self.period * self.period - around, _up(high, self.period) + around

    def needed(self, low: int, high: int) -> tuple[int, int]:
        around = 2 if self.period == 16 else 0
        return (low - around) // self.period * self.period, _up(high + around, self.period)

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        return compressed(image, self.quality, self.subsampling)
