"""Arrays as functions take them; annotations add their types and axes (jaxtyping)."""

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
"""An array of numpy or of JAX."""
