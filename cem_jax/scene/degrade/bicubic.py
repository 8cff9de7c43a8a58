"""Bicubic reduction and enlargement in integers, equal to Pillow's bit for bit on every device."""

import dataclasses
import functools
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32, Shaped

from cem_jax.arguments import whole_number
from cem_jax.arrays import AnyArray
from cem_jax.scene.degrade.step import Degradation

Levels = Shaped[AnyArray, "*n h w c"]

_PRECISION = 22
"""Fraction bits of Pillow's filter weights for 8-bit images."""


def _cubic(x: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """Keys' cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@functools.cache
def _weights(size: int, out: int) -> Int32[np.ndarray, "{out} {size}"]:
    """Fixed-point filter of one axis: int32 [out, size]."""
    step = size / out
    stretch = max(step, 1.0)  # only a reduction needs a wider kernel, against aliasing
    centre = (np.arange(out) + 0.5) * step
    support = 2.0 * stretch
    # The filter is cut to whole pixels before it is normalised, as Pillow does at the borders.
    first = np.maximum((centre - support + 0.5).astype(int), 0)
    last = np.minimum((centre + support + 0.5).astype(int), size)
    pixel = np.arange(size)
    weight = _cubic((pixel - centre[:, None] + 0.5) / stretch)
    weight = np.where((pixel >= first[:, None]) & (pixel < last[:, None]), weight, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    return np.trunc(weight * 2**_PRECISION + np.copysign(0.5, weight)).astype(np.int32)


def _pass(
    image: Int32[jax.Array, "*n rows columns c"], axis: int, out: int
) -> Int32[jax.Array, "*n h w c"]:
    """One pass along `axis`, rounded to 8 bits."""
    if image.shape[axis] == out:
        return image
    weights = jnp.asarray(_weights(image.shape[axis], out))
    total = jnp.moveaxis(jnp.tensordot(weights, image, ((1,), (axis,))), 0, axis)
    return jnp.clip((total + 2 ** (_PRECISION - 1)) >> _PRECISION, 0, 255)


def _resize(image: Levels, height: int, width: int) -> Int32[jax.Array, "*n {height} {width} c"]:
    """Both passes in Pillow's order, along the rows first."""
    pixels = jnp.asarray(image, jnp.int32)
    return _pass(_pass(pixels, pixels.ndim - 2, width), pixels.ndim - 3, height)


def downsample(image: Levels, scale: int) -> Int32[jax.Array, "*n h//{scale} w//{scale} c"]:
    """Shrinks 8-bit images by an integer factor as `PIL.Image.resize(..., BICUBIC)` does.

    Args:
        image: integers 0 .. 255, [..., h, w, c]; h and w are multiples of `scale`.
        scale: factor, at least 1.

    Returns:
        int32 0 .. 255, [..., h / scale, w / scale, c].
    """
    height, width = image.shape[-3:-1]
    return _resize(image, height // scale, width // scale)


def upsample(image: Levels, scale: int) -> Int32[jax.Array, "*n h*{scale} w*{scale} c"]:
    """Enlarges 8-bit images by an integer factor as `PIL.Image.resize(..., BICUBIC)` does.

    Args:
        image: integers 0 .. 255, [..., h, w, c].
        scale: factor, at least 1.

    Returns:
        int32 0 .. 255, [..., h * scale, w * scale, c].
    """
    height, width = image.shape[-3:-1]
    return _resize(image, height * scale, width * scale)


@dataclasses.dataclass(frozen=True)
class Reduce(Degradation):
    """Bicubic reduction with antialiasing, as Pillow's: the input of super-resolution.

    Args:
        factor: 2, 3, 4, ...

    Raises:
        ValueError: no whole number of at least 2.
    """

    factor: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", whole_number("factor", self.factor, 2))

    @property
    def period(self) -> int:
        """Pixels of the input that become one."""
        return self.factor

    @property
    def ratio(self) -> Fraction:
        """Pixels of the result per pixel of the input."""
        return Fraction(1, self.factor)

    def changed(self, low: int, high: int) -> tuple[int, int]:
        # The kernel ends two pixels of the result on either side of a pixel's centre.
        return low // self.factor - 2, -(-high // self.factor) + 2

    def needed(self, low: int, high: int) -> tuple[int, int]:
        return self.factor * (low - 2), self.factor * (high + 2)

    def apply(
        self, image: Int32[jax.Array, "h w c"], drawn: Any
    ) -> Int32[jax.Array, "rows columns c"]:
        return downsample(image, self.factor)


@dataclasses.dataclass(frozen=True)
class Enlarge(Degradation):
    """Bicubic enlargement, as Pillow's; after `Reduce`, for networks whose output has this size.

    Args:
        factor: 2, 3, 4, ...

    Raises:
        ValueError: no whole number of at least 2.
    """

    factor: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", whole_number("factor", self.factor, 2))

    @property
    def ratio(self) -> Fraction:
        """Pixels of the result per pixel of the input."""
        return Fraction(self.factor)

    def changed(self, low: int, high: int) -> tuple[int, int]:
        return self.factor * (low - 2), self.factor * (high + 2)

    def needed(self, low: int, high: int) -> tuple[int, int]:
        return low // self.factor - 2, -(-high // self.factor) + 2

    def apply(
        self, image: Int32[jax.Array, "h w c"], drawn: Any
    ) -> Int32[jax.Array, "rows columns c"]:
        return upsample(image, self.factor)
