"""Self-attention inside square windows, on a grid that starts at the top left corner or is shifted.

The shifted grid is laid over zero padding whose keys take no part. That equals the cyclic roll with
a mask of the Swin transformer (Liu et al., ICCV 2021), but opposite borders never meet in a window,
so that an output pixel depends on near input pixels only, in the program as in the numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Shaped

from .linear import Linear


def split_windows(
    x: Shaped[jax.Array, "n h w c"], size: int
) -> Shaped[jax.Array, "n windows {size}*{size} c"]:
    """[n, h, w, c] -> [n, windows, size * size, c]; `size` divides h and w."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // size, size, w // size, size, c)
    return x.swapaxes(2, 3).reshape(n, -1, size * size, c)


def merge_windows(
    windows: Float[jax.Array, "n windows {size}*{size} c"], size: int, height: int, width: int
) -> Float[jax.Array, "n {height} {width} c"]:
    """[n, windows, size * size, c] -> [n, height, width, c], the inverse of `split_windows`."""
    n, _, _, c = windows.shape
    x = windows.reshape(n, height // size, width // size, size, size, c)
    return x.swapaxes(2, 3).reshape(n, height, width, c)


def attend(
    q: Float[jax.Array, "n windows queries c"],
    k: Float[jax.Array, "n windows keys c"],
    v: Float[jax.Array, "n windows keys c"],
    bias: Float[jax.Array, "_ _ heads queries keys"],
    taking_part: Shaped[jax.Array, "..."] | None = None,
) -> Float[jax.Array, "n windows queries c"]:
    """Multi-head attention in every window.

    Args:
        q: queries [n, windows, queries, c]; heads are blocks of channels.
        k: keys [n, windows, keys, c].
        v: values [n, windows, keys, c].
        bias: added to the scaled logits, [n or 1, windows or 1, heads, queries, keys].
        taking_part: keys that may be attended to, [windows, keys]; None for all.

    Returns:
        [n, windows, queries, c].
    """
    heads = bias.shape[2]
    scale = (q.shape[-1] // heads) ** -0.5
    q, k, v = (t.reshape(*t.shape[:3], heads, -1) for t in (q * scale, k, v))
    logits = jnp.einsum("nwqhc,nwkhc->nwhqk", q, k) + bias
    if taking_part is not None:
        left_out = jnp.where(taking_part, 0.0, -jnp.inf).astype(logits.dtype)
        logits = logits + left_out[None, :, None, None, :]
    # Sums of the softmax divide what is gathered, which has fewer elements than the weights.
    weights = jnp.exp(logits - jax.lax.stop_gradient(logits.max(axis=-1, keepdims=True)))
    y = jnp.matmul(weights, v.swapaxes(2, 3)) / weights.sum(-1)[..., None]
    return y.swapaxes(2, 3).reshape(*q.shape[:3], -1)


def attend_in_windows(
    qkv: Float[jax.Array, "n h w c"],
    bias: Float[jax.Array, "heads pixels pixels"],
    size: int,
    shift: int = 0,
) -> Float[jax.Array, "n h w C"]:
    """Self-attention inside the windows of a grid.

    Args:
        qkv: queries, keys and values side by side, [n, h, w, 3 * c]; `size` divides h and w.
        bias: added to the scaled logits, [heads, size * size, size * size].
        size: side of a window.
        shift: offset of the grid to the bottom right, less than `size`.

    Returns:
        [n, h, w, c].
    """
    _, h, w, _ = qkv.shape
    before, after = (size - shift, shift) if shift else (0, 0)
    full_h, full_w = h + before + after, w + before + after
    taking_part = None
    if shift:
        qkv = jnp.pad(qkv, ((0, 0), (before, after), (before, after), (0, 0)))
        inside = np.zeros((1, full_h, full_w, 1), bool)
        inside[:, before : before + h, before : before + w] = True
        taking_part = split_windows(jnp.asarray(inside), size)[0, :, :, 0]
    q, k, v = jnp.split(split_windows(qkv, size), 3, axis=-1)
    y = merge_windows(attend(q, k, v, bias[None, None], taking_part), size, full_h, full_w)
    return y[:, before : before + h, before : before + w]


def relative_position_index(size: int) -> np.ndarray:
    """Row of the bias table for every query and key of a window, [size**2, size**2].

    The table runs over the offsets query minus key, rows first, from -(size - 1) up.
    """
    y, x = (axis.ravel() for axis in np.indices((size, size)))
    dy, dx = (axis[:, None] - axis[None, :] + size - 1 for axis in (y, x))
    return dy * (2 * size - 1) + dx


def shift_mask(height: int, width: int, size: int, shift: int) -> np.ndarray:
    """The mask that Swin checkpoints carry: 0 between pixels that may attend, -100 elsewhere.

    It is for an image rolled by `shift` to the top left, [windows, size**2, size**2]. Nothing is
    computed with it here; see the module's docstring.
    """
    row, column = (
        np.searchsorted((length - size, length - shift), np.arange(length), side="right")
        for length in (height, width)
    )
    region = (3 * row[:, None] + column[None, :]).reshape(1, height, width, 1)
    region = np.asarray(split_windows(jnp.asarray(region), size))[0, :, :, 0]
    return np.where(region[:, :, None] == region[:, None, :], 0.0, -100.0).astype(np.float32)


class WindowAttention(nnx.Module):
    """Multi-head self-attention in windows with a learnt bias for every relative position.

    Args:
        dim: channels.
        window_size: side of a window.
        num_heads: number of heads.
        shift: offset of the grid of windows.
        rngs: source of the initial weights.
    """

    def __init__(
        self, dim: int, window_size: int, num_heads: int, shift: int = 0, *, rngs: nnx.Rngs
    ):
        self.window_size = window_size
        self.shift = shift
        init = jax.nn.initializers.truncated_normal(0.02)
        offsets = (2 * window_size - 1) ** 2
        self.relative_position_bias_table = nnx.Param(init(rngs.params(), (offsets, num_heads)))
        self.qkv = Linear(dim, 3 * dim, rngs=rngs)
        self.proj = Linear(dim, dim, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, dim] -> [n, h, w, dim]; `window_size` divides h and w."""
        index = relative_position_index(self.window_size)
        bias = self.relative_position_bias_table[...].T[:, index]
        return self.proj(attend_in_windows(self.qkv(x), bias, self.window_size, self.shift))
