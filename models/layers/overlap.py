"""Windows that overlap, cut out with slices so that their locality shows."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float


def _cut(x: Float[jax.Array, "..."], axis: int, size: int, step: int) -> Float[jax.Array, "..."]:
    """Splits an axis into [windows, size]; a window starts at every `step`."""
    unit = math.gcd(size, step)
    units = x.shape[axis] // unit
    count = (x.shape[axis] - size) // step + 1
    x = x.reshape(*x.shape[:axis], units, unit, *x.shape[axis + 1 :])
    parts = []
    for first in range(size // unit):
        last = first + (count - 1) * (step // unit)
        parts.append(jax.lax.slice_in_dim(x, first, last + 1, step // unit, axis=axis))
    windows = jnp.stack(parts, axis=axis + 1)
    return windows.reshape(*x.shape[:axis], count, size, *x.shape[axis + 2 :])


def split_overlapping_windows(
    x: Float[jax.Array, "n h w c"], size: int, overlapping_size: int
) -> Float[jax.Array, "n windows {overlapping_size}*{overlapping_size} c"]:
    """Windows around the cells of a grid; beyond the image they hold zeros.

    Args:
        x: [n, h, w, c]; `size` divides h and w.
        size: side of a cell.
        overlapping_size: side of a window, greater than `size` by an even number.

    Returns:
        [n, windows, overlapping_size**2, c].
    """
    n, _, _, c = x.shape
    margin = (overlapping_size - size) // 2
    x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    x = _cut(_cut(x, 2, overlapping_size, size), 1, overlapping_size, size)
    return x.swapaxes(2, 3).reshape(n, -1, overlapping_size**2, c)
