"""Pixel unshuffle in torch's channel order, as reshape and transpose so that its locality shows."""

import jax
import jax.numpy as jnp
from jaxtyping import Float


def pixel_unshuffle(x: Float[jax.Array, "n h w c"], factor: int) -> Float[jax.Array, "n H W C"]:
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
