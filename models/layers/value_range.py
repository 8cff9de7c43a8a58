"""Images in [0, 1] to the range of values that a network was trained on, and back."""

import jax
from jaxtyping import Float


def to_range(x: Float[jax.Array, "n h w c"], value_range: int) -> Float[jax.Array, "n h w c"]:
    """[0, 1] -> [0, value_range]."""
    return x if value_range == 1 else x * float(value_range)


def from_range(x: Float[jax.Array, "n h w c"], value_range: int) -> Float[jax.Array, "n h w c"]:
    """[0, value_range] -> [0, 1]."""
    return x if value_range == 1 else x / float(value_range)
