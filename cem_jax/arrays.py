"""Arrays as functions take them; annotations add their types and axes (jaxtyping)."""

from typing import TypeVar

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
"""An array of numpy or of JAX."""

SameArray = TypeVar("SameArray", jax.Array, np.ndarray)
"""Of functions that give an array of the kind that they were given."""
