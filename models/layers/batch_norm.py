"""Batch normalisation in inference: an affine map per channel from the training's statistics."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Float

from .variable import Counter, Statistic


class BatchNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias for every channel.

    Args:
        num_features: channels.
        eps: added to the variance.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = Statistic(jnp.zeros(num_features))
        self.var = Statistic(jnp.ones(num_features))
        self.num_batches_tracked = Counter(jnp.zeros(()))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[..., num_features] -> the same shape."""
        factor = self.scale[...] * lax.rsqrt(self.var[...] + self.eps)
        offset = self.bias[...] - self.mean[...] * factor
        factor, offset = (jnp.reshape(v, (1,) * (x.ndim - 1) + (-1,)) for v in (factor, offset))
        return x * factor + offset
