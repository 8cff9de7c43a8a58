"""Pooling with torch's meaning of its arguments, in NHWC, as windowed reductions or slices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float


def _windows(window: int, stride: int, padding: int) -> tuple:
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return (1, window, window, 1), (1, stride, stride, 1), pads


def avg_pool(
    x: Float[jax.Array, "n h w c"], window: int, stride: int, padding: int = 0
) -> Float[jax.Array, "n H W c"]:
    """Mean over square windows; zeros of the padding count, incomplete windows are dropped.

    Args:
        x: [n, h, w, c].
        window: side of the window.
        stride: step between windows, in pixels.
        padding: zeros added on every side.

    Returns:
        [n, h', w', c] with h' = (h + 2 * padding - window) // stride + 1.
    """
    return lax.reduce_window(x, 0.0, lax.add, *_windows(window, stride, padding)) / window**2


def max_pool(
    x: Float[jax.Array, "n h w c"], window: int, stride: int, padding: int = 0
) -> Float[jax.Array, "n H W c"]:
    """Maximum over square windows; the padding never wins, incomplete windows are dropped.

    Args:
        x: [n, h, w, c].
        window: side of the window.
        stride: step between windows, in pixels.
        padding: pixels added on every side.

    Returns:
        [n, h', w', c] with h' = (h + 2 * padding - window) // stride + 1.
    """
    return lax.reduce_window(x, -jnp.inf, lax.max, *_windows(window, stride, padding))


def _bins(size: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """First index of every bin, and the index behind its last."""
    starts = np.arange(bins) * size // bins
    return starts, -(-(np.arange(bins) + 1) * size // bins)


def _bin_means(x: Float[jax.Array, "n h w c"], bins: int, axis: int) -> Float[jax.Array, "n H W c"]:
    starts, ends = _bins(x.shape[axis], bins)
    parts = [
        jnp.mean(lax.slice_in_dim(x, start, end, axis=axis), axis=axis, keepdims=True)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return jnp.concatenate(parts, axis=axis)


def adaptive_avg_pool(
    x: Float[jax.Array, "n h w c"], out_h: int, out_w: int
) -> Float[jax.Array, "n H W c"]:
    """Mean over a fixed number of bins, which overlap where the size is no multiple of it.

    Args:
        x: [n, h, w, c].
        out_h: number of bins over the height; bin i spans floor(i h / out_h) to
            ceil((i + 1) h / out_h).
        out_w: number of bins over the width.

    Returns:
        [n, out_h, out_w, c].
    """
    return _bin_means(_bin_means(x, out_h, axis=1), out_w, axis=2)


def _bin_maxima(
    x: Float[jax.Array, "n h w c"], bins: int, axis: int
) -> Float[jax.Array, "n H W c"]:
    size = x.shape[axis]
    if size % bins == 0:
        window = tuple(size // bins if i == axis else 1 for i in range(x.ndim))
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    starts, ends = _bins(size, bins)
    # A short bin takes its last element more than once, which changes no maximum.
    steps = range(int((ends - starts).max()))
    taken = (
        jnp.take(x, np.minimum(starts + step, ends - 1), axis, mode="clip", indices_are_sorted=True)
        for step in steps
    )
    return functools.reduce(jnp.maximum, taken)


def adaptive_max_pool(
    x: Float[jax.Array, "n h w c"], out_h: int, out_w: int
) -> Float[jax.Array, "n H W c"]:
    """Maximum over a fixed number of bins, which overlap where the size is no multiple of it.

    Args:
        x: [n, h, w, c].
        out_h: number of bins over the height; bin i spans floor(i h / out_h) to
            ceil((i + 1) h / out_h).
        out_w: number of bins over the width.

    Returns:
        [n, out_h, out_w, c].
    """
    return _bin_maxima(_bin_maxima(x, out_h, axis=1), out_w, axis=2)
