"""Images in [0, 1] to the range of values that a network was trained on, and back."""

import jax


def to_range(x: jax.Array, value_range: int) -> jax.Array:
    """[0, 1] -> [0, value_range]."""
    return x if value_range == 1 else x * float(value_range)


def from_range(x: jax.Array, value_range: int) -> jax.Array:
    """[0, value_range] -> [0, 1]."""
    return x if value_range == 1 else x / float(value_range)
