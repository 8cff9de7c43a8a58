"""Modules in a row, under the numbers that torch gives them."""

from collections.abc import Callable

import jax
from flax import nnx
from jaxtyping import Float


class Sequential(nnx.Module):
    """Applies its modules in order; the i-th is the attribute `str(i)`, as in a torch state dict.

    Args:
        *layers: modules that map an array to an array.
    """

    def __init__(self, *layers: Callable[..., jax.Array]):
        self.length = len(layers)
        for index, layer in enumerate(layers):
            setattr(self, str(index), layer)

    def __call__(self, x: Float[jax.Array, "..."]) -> Float[jax.Array, "..."]:
        for index in range(self.length):
            x = getattr(self, str(index))(x)
        return x
