"""Instance normalisation over the image plane, in NHWC."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float


class InstanceNorm(nnx.Module):
    """Every channel of every image to mean 0 and variance 1, then an affine map per channel.

    Args:
        num_features: channels.
        eps: added to the (biased) variance.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, c] -> [n, h, w, c]."""
        centred = x - jnp.mean(x, axis=(1, 2), keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=(1, 2), keepdims=True)
        normal = centred * jax.lax.rsqrt(variance + self.eps)
        scale, bias = (jnp.reshape(p[...], (1, 1, 1, -1)) for p in (self.scale, self.bias))
        return normal * scale + bias
