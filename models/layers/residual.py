"""Residual blocks of two 3x3 convolutions without normalisation, under two ways of naming."""

import jax
from flax import nnx
from jaxtyping import Float

from .activation import ReLU
from .conv import Conv
from .sequential import Sequential


class ResBlock(nnx.Module):
    """x + scale * conv(relu(conv(x))), as EDSR names its parts: `body.0`, `body.2`.

    Args:
        width: channels.
        scale: factor on what is added.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, scale: float = 1.0, *, rngs: nnx.Rngs):
        self.scale = scale
        self.body = Sequential(
            Conv(width, width, rngs=rngs), ReLU(), Conv(width, width, init_scale=0.1, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        y = self.body(x)
        return x + (y if self.scale == 1 else self.scale * y)


class ResidualBlockNoBN(nnx.Module):
    """x + conv2(relu(conv1(x))), as BasicSR names its parts.

    Args:
        num_feat: channels.
        rngs: source of the initial weights.
    """

    def __init__(self, num_feat: int, *, rngs: nnx.Rngs):
        self.conv1 = Conv(num_feat, num_feat, rngs=rngs)
        self.conv2 = Conv(num_feat, num_feat, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.conv2(jax.nn.relu(self.conv1(x)))
