"""Channel attention: squeeze and excitation over the whole image or over its parts."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .activation import ReLU
from .conv import Conv
from .pooling import adaptive_avg_pool, avg_pool
from .sequential import Sequential


def global_mean(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    """[n, h, w, c] -> [n, 1, 1, c]."""
    return jnp.mean(x, axis=(1, 2), keepdims=True)


def global_contrast(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    """Standard deviation plus mean of every channel: [n, h, w, c] -> [n, 1, 1, c]."""
    mean = global_mean(x)
    return jnp.sqrt(global_mean((x - mean) ** 2)) + mean


class Sigmoid(nnx.Module):
    """1 / (1 + exp(-x))."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return jax.nn.sigmoid(x)


class Pooling(nnx.Module):
    """Means over parts of the image.

    Args:
        bins: number of parts along each side; 1 is the whole image.
        cell: side of the parts in pixels, counted from the top left corner; replaces `bins`.
    """

    def __init__(self, bins: int = 1, cell: int | None = None):
        self.bins = bins
        self.cell = cell

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
        """[n, h, w, c] -> [n, parts, parts, c]."""
        if self.cell is not None:
            return avg_pool(x, self.cell, self.cell)
        return global_mean(x) if self.bins == 1 else adaptive_avg_pool(x, self.bins, self.bins)


def _spread(x: Float[jax.Array, "n h w c"], size: int, axis: int) -> Float[jax.Array, "n H W c"]:
    """Nearest neighbour along one axis; in single precision, as torch finds the neighbour."""
    parts = x.shape[axis]
    nearest = np.floor(np.arange(size, dtype=np.float32) * (np.float32(parts) / np.float32(size)))
    counts = np.bincount(np.minimum(nearest, parts - 1).astype(int), minlength=parts).tolist()
    # A gather would hide that every pixel sees one part only.
    if len(set(counts)) == 1:
        return jnp.repeat(x, counts[0], axis=axis)
    shapes = [[*x.shape[:axis], count, *x.shape[axis + 1 :]] for count in counts]
    cuts = jnp.split(x, parts, axis=axis)
    spread = [jnp.broadcast_to(cut, shape) for cut, shape in zip(cuts, shapes, strict=True)]
    return jnp.concatenate(spread, axis=axis)


class ChannelAttention(nnx.Module):
    """x * sigmoid(conv(relu(conv(pooled x)))), with BasicSR's names.

    Args:
        num_feat: channels.
        squeeze_factor: ratio of channels to hidden channels.
        bins: number of parts along each side over which the means are taken.
        cell: side of these parts in pixels; replaces `bins`.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_feat: int,
        squeeze_factor: int = 16,
        *,
        bins: int = 1,
        cell: int | None = None,
        rngs: nnx.Rngs,
    ):
        hidden = num_feat // squeeze_factor
        self.attention = Sequential(
            Pooling(bins, cell),
            Conv(num_feat, hidden, 1, rngs=rngs),
            ReLU(),
            Conv(hidden, num_feat, 1, rngs=rngs),
            Sigmoid(),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        weight = self.attention(x)
        if weight.shape[1:3] != (1, 1):
            weight = _spread(_spread(weight, x.shape[1], axis=1), x.shape[2], axis=2)
        return x * weight


class CALayer(nnx.Module):
    """x * sigmoid(conv(relu(conv(statistic of x)))), with the original RCAN's names.

    Args:
        channel: channels.
        reduction: ratio of channels to hidden channels.
        statistic: maps [n, h, w, c] to [n, 1, 1, c].
        use_bias: whether the convolutions have biases.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        channel: int,
        reduction: int = 16,
        *,
        statistic: Callable[[jax.Array], jax.Array] = global_mean,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        self.statistic = statistic
        hidden = channel // reduction
        self.conv_du = Sequential(
            Conv(channel, hidden, 1, use_bias=use_bias, rngs=rngs),
            ReLU(),
            Conv(hidden, channel, 1, use_bias=use_bias, rngs=rngs),
            Sigmoid(),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x * self.conv_du(self.statistic(x))
