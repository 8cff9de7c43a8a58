"""The exact GELU as a module."""

import jax
from flax import nnx
from jaxtyping import Float


class GELU(nnx.Module):
    """x times the normal distribution function of x."""

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        return jax.nn.gelu(x, approximate=False)
