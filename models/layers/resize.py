"""Resizing with torch's sampling positions; integer factors as weighted sums of shifted images."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

_CUBIC = -0.75
"""Free parameter of the cubic convolution kernel (Keys, 1981) as torch sets it."""
_PILLOW_CUBIC = -0.5
"""The same as Pillow sets it."""


def _interleave(phases: list[jax.Array], axis: int) -> Float[jax.Array, "n h w c"]:
    """Arrays of equal shape into one whose index along `axis` is index * len(phases) + phase."""
    shape = list(phases[0].shape)
    shape[axis] *= len(phases)
    return jnp.stack(phases, axis + 1).reshape(shape)


def _upsample_axis(
    x: Float[jax.Array, "n h w c"], axis: int, factor: int
) -> Float[jax.Array, "n H W c"]:
    """Linear interpolation at half-pixel centres; the border pixel is repeated outwards."""
    if factor == 1:
        return x
    length = x.shape[axis]
    first, last = (lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, length - 1))
    before = jnp.concatenate([first, lax.slice_in_dim(x, 0, length - 1, axis=axis)], axis)
    after = jnp.concatenate([lax.slice_in_dim(x, 1, length, axis=axis), last], axis)
    phases = []
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5
        neighbour = before if offset < 0 else after
        phases.append((1.0 - abs(offset)) * x + abs(offset) * neighbour)
    return _interleave(phases, axis)


def _downsample_axis(
    x: Float[jax.Array, "n h w c"], axis: int, factor: int
) -> Float[jax.Array, "n H W c"]:
    """Linear interpolation at the centre of every `factor` pixels: the middle one or two."""
    end = x.shape[axis] // factor * factor
    low, high = (
        lax.slice_in_dim(x, start, end, factor, axis=axis)
        for start in ((factor - 1) // 2, factor // 2)
    )
    return low if factor % 2 else 0.5 * (low + high)


def _blend(
    x: Float[jax.Array, "n h w c"], axis: int, taps: np.ndarray, weights: np.ndarray
) -> Float[jax.Array, "n H W c"]:
    """Sum over k of x[taps[:, k]] * weights[:, k] along `axis`."""
    shape = [1] * x.ndim
    shape[axis] = len(taps)
    parts = [
        jnp.take(x, index, axis, mode="clip", indices_are_sorted=True) * weight.reshape(shape)
        for index, weight in zip(taps.T, weights.T.astype(x.dtype), strict=True)
    ]
    return functools.reduce(operator.add, parts)


def _resize_axis(
    x: Float[jax.Array, "n h w c"], axis: int, size: int
) -> Float[jax.Array, "n H W c"]:
    """Linear interpolation at half-pixel centres to any size, without antialiasing."""
    length = x.shape[axis]
    if size % length == 0:
        return _upsample_axis(x, axis, size // length)
    if length % size == 0:
        return _downsample_axis(x, axis, length // size)
    # Positions in float32, as torch has them.
    position = np.float32(length / size) * (np.arange(size, dtype=np.float32) + np.float32(0.5))
    position = np.maximum(position - np.float32(0.5), np.float32(0))
    low = np.minimum(position.astype(np.int32), length - 1)
    upper = np.clip(position - low, np.float32(0), np.float32(1))
    taps = np.stack([low, np.minimum(low + 1, length - 1)], 1)
    return _blend(x, axis, taps, np.stack([1 - upper, upper], 1))


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel with the free parameter a, at distances of up to 2."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def _enlarged_axis(x: jax.Array, axis: int, factor: int) -> jax.Array:
    """Cubic convolution at half-pixel centres; what lies beyond the border has no weight."""
    length = x.shape[axis]
    position = (np.arange(length * factor) + 0.5) / factor - 0.5
    taps = np.floor(position).astype(np.int32)[:, None] + np.arange(-1, 3, dtype=np.int32)
    inside = (taps >= 0) & (taps < length)
    weights = inside * _cubic(np.abs(position[:, None] - taps), _PILLOW_CUBIC)
    weights /= weights.sum(axis=1, keepdims=True)
    return _blend(x, axis, np.clip(taps, 0, length - 1), weights)


def _cubic_axis(
    x: Float[jax.Array, "n h w c"], axis: int, size: int
) -> Float[jax.Array, "n H W c"]:
    """Cubic convolution with the outer pixels' centres aligned; indices stop at the border."""
    length = x.shape[axis]
    step = np.float32((length - 1) / (size - 1)) if size > 1 else np.float32(0)
    position = step * np.arange(size, dtype=np.float32)
    low = np.minimum(np.floor(position).astype(np.int32), length - 1)
    offsets = np.arange(-1, 3, dtype=np.int32)
    distance = np.abs((position - low)[:, None] - offsets)
    taps = np.clip(low[:, None] + offsets, 0, length - 1)
    return _blend(x, axis, taps, _cubic(distance, _CUBIC))


def upsample_bilinear(x: Float[jax.Array, "n h w c"], factor: int) -> Float[jax.Array, "n H W c"]:
    """Bilinear interpolation at half-pixel centres (align_corners=False).

    Args:
        x: [n, h, w, c].
        factor: upscaling factor.

    Returns:
        [n, h * factor, w * factor, c].
    """
    return _upsample_axis(_upsample_axis(x, 1, factor), 2, factor)


def downsample_bilinear(x: Float[jax.Array, "n h w c"], factor: int) -> Float[jax.Array, "n H W c"]:
    """Bilinear interpolation at half-pixel centres (align_corners=False), not antialiased.

    Args:
        x: [n, h, w, c].
        factor: downscaling factor; rows and columns beyond a multiple of it are left out.

    Returns:
        [n, h // factor, w // factor, c].
    """
    return _downsample_axis(_downsample_axis(x, 1, factor), 2, factor)


def upsample_nearest(x: Float[jax.Array, "n h w c"], factor: int) -> Float[jax.Array, "n H W c"]:
    """Every pixel `factor` times in both directions.

    Args:
        x: [n, h, w, c].
        factor: upscaling factor.

    Returns:
        [n, h * factor, w * factor, c].
    """
    n, h, w, c = x.shape
    x = lax.broadcast_in_dim(x, (n, h, factor, w, factor, c), (0, 1, 3, 5))
    return x.reshape(n, h * factor, w * factor, c)


def _nearest_axis(
    x: Float[jax.Array, "n h w c"], axis: int, size: int
) -> Float[jax.Array, "n H W c"]:
    """The element at floor(index * length / size), in single precision, as torch finds it."""
    length = x.shape[axis]
    step = np.float32(length) / np.float32(size)
    nearest = np.floor(np.arange(size, dtype=np.float32) * step).astype(np.int32)
    nearest = np.minimum(nearest, length - 1)
    factor = size // length
    if np.array_equal(nearest, np.repeat(np.arange(length), factor)):
        return _interleave([x] * factor, axis)
    return jnp.take(x, nearest, axis, mode="clip", indices_are_sorted=True)


def resize_nearest(
    x: Float[jax.Array, "n h w c"], height: int, width: int
) -> Float[jax.Array, "n H W c"]:
    """Nearest neighbour to any size: index i takes floor(i * old / new).

    Args:
        x: [n, h, w, c].
        height: rows of the result.
        width: columns of the result.

    Returns:
        [n, height, width, c].
    """
    return _nearest_axis(_nearest_axis(x, 1, height), 2, width)


def resize_bilinear(
    x: Float[jax.Array, "n h w c"], height: int, width: int
) -> Float[jax.Array, "n H W c"]:
    """Bilinear interpolation to any size at half-pixel centres (align_corners=False).

    Args:
        x: [n, h, w, c].
        height: rows of the result.
        width: columns of the result.

    Returns:
        [n, height, width, c].
    """
    return _resize_axis(_resize_axis(x, 1, height), 2, width)


def upsample_bicubic(x: jax.Array, factor: int) -> jax.Array:
    """Bicubic interpolation as Pillow does it (a=-0.5), without its rounding to 8 bits.

    Args:
        x: [n, h, w, c].
        factor: upscaling factor.

    Returns:
        [n, h * factor, w * factor, c].
    """
    return _enlarged_axis(_enlarged_axis(x, 1, factor), 2, factor)


def resize_bicubic_align_corners(
    x: Float[jax.Array, "n h w c"], factor: int
) -> Float[jax.Array, "n H W c"]:
    """Bicubic interpolation (a=-0.75) with the corner pixels' centres aligned.

    Args:
        x: [n, h, w, c].
        factor: upscaling factor.

    Returns:
        [n, h * factor, w * factor, c].
    """
    return _cubic_axis(_cubic_axis(x, 1, x.shape[1] * factor), 2, x.shape[2] * factor)
