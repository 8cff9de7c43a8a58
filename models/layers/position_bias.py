"""Biases of window attention computed from the offset between two positions."""

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from .activation import ReLU
from .linear import Linear
from .norm import LayerNorm
from .sequential import Sequential


def offsets(height: int, width: int) -> np.ndarray:
    """All differences of two positions in a window: [2 * height - 1, 2 * width - 1, 2]."""
    rows, columns = np.arange(1 - height, height), np.arange(1 - width, width)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).astype(np.float32)


class DynamicPosBias(nnx.Module):
    """A small network from the offset between two positions to a bias for every head.

    Args:
        dim: four times the channels that the authors' code derives the width from.
        num_heads: number of heads.
        rngs: source of the initial weights.
    """

    def __init__(self, dim: int, num_heads: int, *, rngs: nnx.Rngs):
        width = dim // 4 // 4
        self.pos_proj = Linear(2, width, rngs=rngs)
        for step, out in ((1, width), (2, width), (3, num_heads)):
            layers = (LayerNorm(width), ReLU(), Linear(width, out, rngs=rngs))
            setattr(self, f"pos{step}", Sequential(*layers))

    def __call__(self, offsets: Float[jax.Array, "*axes 2"]) -> Float[jax.Array, "*axes heads"]:
        """[..., 2] -> [..., num_heads]."""
        return self.pos3(self.pos2(self.pos1(self.pos_proj(offsets))))
