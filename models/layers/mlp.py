"""The feed-forward part of a vision transformer's block."""

import jax
from flax import nnx
from jaxtyping import Float

from .gelu import gelu
from .linear import Linear


class Mlp(nnx.Module):
    """fc2(gelu(fc1(x))) at every position, with the exact GELU.

    Args:
        dim: channels of input and output.
        hidden: channels between.
        rngs: source of the initial weights.
    """

    def __init__(self, dim: int, hidden: int, *, rngs: nnx.Rngs):
        self.fc1 = Linear(dim, hidden, rngs=rngs)
        self.fc2 = Linear(hidden, dim, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        """[..., dim] -> [..., dim]."""
        return self.fc2(gelu(self.fc1(x)))
