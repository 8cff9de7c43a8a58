"""Pixel unshuffle in torch's channel order, as reshape and transpose so that its locality shows."""

import jax
import jax.numpy as jnp


def pixel_unshuffle(x: jax.Array, factor: int) -> jax.Array:
    """Rearranges space into channels: the inverse of `pixel_shuffle`.

    Args:
        x: [n, h * factor, w * factor, c].
        factor: downscaling factor.

    Returns:
        [n, h, w, c * factor**2]; channel index c * factor**2 + dy * factor + dx.
    """
    n, height, width, c = x.shape
    h, w = height // factor, width // factor
    x = x.reshape(n, h, factor, w, factor, c)
    return jnp.transpose(x, (0, 1, 3, 5, 2, 4)).reshape(n, h, w, c * factor**2)
