"""The exact GELU (Hendrycks and Gimpel 2016), as a function and as a module."""

import jax
from flax import nnx
from jax import lax
from jaxtyping import Float, Shaped


def gelu(x: Shaped[jax.Array, "*axes"]) -> Shaped[jax.Array, "*axes"]:
    """The normal distribution function of x, by the error function, times x.

    `jax.nn.gelu` takes the complement of the error function, which is more accurate where the
    result is next to nothing, and takes a CPU longer.
    """
    return 0.5 * x * (1 + lax.erf(x * 0.5**0.5))


class GELU(nnx.Module):
    """`gelu` as a module."""

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        return gelu(x)
