"""Chains of modules that differ in turn, as compiled loops."""

import jax
from jaxtyping import Float

from .repeat import Chain
from .sequential import Sequential


class Pairs(Sequential):
    """A `Sequential` of pairs for a `Chain`, as plain and shifted windows alternate."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        layers = [getattr(self, str(index)) for index in range(self.length)]
        pairs = [Sequential(*layers[index : index + 2]) for index in range(0, self.length, 2)]
        return Chain(*pairs)(x)
