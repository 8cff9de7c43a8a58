"""Pooling with torch's meaning of its arguments, in NHWC, as windowed reductions or slices."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def _windows(window: int, stride: int, padding: int) -> tuple:
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return (1, window, window, 1), (1, stride, stride, 1), pads


def avg_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
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


def max_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
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


def _bin_means(x: jax.Array, bins: int, axis: int) -> jax.Array:
    size = x.shape[axis]
    starts = np.arange(bins) * size // bins
    ends = -(-(np.arange(bins) + 1) * size // bins)
    parts = [
        jnp.mean(lax.slice_in_dim(x, start, end, axis=axis), axis=axis, keepdims=True)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return jnp.concatenate(parts, axis=axis)


def adaptive_avg_pool(x: jax.Array, out_h: int, out_w: int) -> jax.Array:
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
