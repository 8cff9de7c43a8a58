"""Rectifier with a learned slope."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float


class PReLU(nnx.Module):
    """x where positive, `weight` * x elsewhere (He et al., ICCV 2015).

    Args:
        num_parameters: slopes: one for each channel, or one for all.
        init: initial slope.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25):
        self.weight = nnx.Param(jnp.full(num_parameters, init))

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        slope = jnp.reshape(self.weight[...], (1,) * (x.ndim - 1) + (-1,))
        return jnp.where(x > 0, x, slope * x)
