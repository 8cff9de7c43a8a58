"""The outcome Y = Q(restored region, true region) that an intervention changes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Outcome = Callable[[jax.Array, jax.Array], jax.Array]
"""`outcome(restored, target)`: float32 [h, w, c] in [0, 1], both -> scalar."""

_SMALLEST_ERROR = 1e-10


def psnr(restored: jax.Array, target: jax.Array) -> jax.Array:
    """Peak signal-to-noise ratio over all channels.

    Args:
        restored: [h, w, c] in [0, 1].
        target: [h, w, c] in [0, 1].

    Returns:
        dB; at most 100, which a perfect restoration gets.
    """
    error = jnp.mean(jnp.square(restored - target))
    return -10.0 * jnp.log10(jnp.maximum(error, _SMALLEST_ERROR))


def clip_and_round(restored: jax.Array) -> jax.Array:
    """The output as the paper's code scores it: clipped to [0, 1] and rounded to 8 bits."""
    return jnp.round(255 * jnp.clip(restored, 0.0, 1.0)) / 255


def clip(restored: jax.Array) -> jax.Array:
    """The output clipped to [0, 1]."""
    return jnp.clip(restored, 0.0, 1.0)
