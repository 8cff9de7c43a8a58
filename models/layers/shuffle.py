"""Pixel shuffle in torch's channel order, as reshape and transpose so that its locality shows."""

import jax
import jax.numpy as jnp
from jaxtyping import Float


def pixel_shuffle(x: Float[jax.Array, "n h w c"], factor: int) -> Float[jax.Array, "n H W C"]:
    """Rearranges channels into space (Shi et al., CVPR 2016).

    Args:
        x: [n, h, w, c * factor**2]; channel index c * factor**2 + dy * factor + dx.
        factor: upscaling factor.

    Returns:
        [n, h * factor, w * factor, c].
    """
    n, h, w, channels = x.shape
    c = channels // factor**2
    x = x.reshape(n, h, w, c, factor, factor)
    return jnp.transpose(x, (0, 1, 4, 2, 5, 3)).reshape(n, h * factor, w * factor, c)
