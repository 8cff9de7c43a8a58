"""Layer normalisation over the channels of every position."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Float


class LayerNorm(nnx.Module):
    """(x - mean) / sqrt(variance + eps) * scale + bias over the last axis.

    Args:
        num_features: length of the last axis.
        eps: added to the variance.
        use_bias: whether a bias is added.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, use_bias: bool = True):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features)) if use_bias else None

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        """[..., num_features] -> the same shape."""
        full_rank = (1,) * (x.ndim - 1) + (-1,)
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        y = centred * lax.rsqrt(variance + self.eps) * jnp.reshape(self.scale[...], full_rank)
        return y if self.bias is None else y + jnp.reshape(self.bias[...], full_rank)
