"""A convolution with its activation, and a residual block that ends in one, as DRLN names them."""

from collections.abc import Callable

import jax
from flax import nnx
from jaxtyping import Float

from .activation import ReLU
from .conv import Conv
from .sequential import Sequential


class BasicBlock(nnx.Module):
    """activation(conv(x)).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        ksize: side of the kernel.
        dilation: step between kernel taps, in pixels.
        activation: module class behind the convolution.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ksize: int = 3,
        *,
        dilation: int = 1,
        activation: Callable[[], nnx.Module] = ReLU,
        rngs: nnx.Rngs,
    ):
        self.body = Sequential(
            Conv(in_channels, out_channels, ksize, dilation=dilation, rngs=rngs), activation()
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class RectifiedResBlock(nnx.Module):
    """relu(x + body(x)) with two 3x3 convolutions, and a 1x1 one behind them if wanted.

    Args:
        width: channels.
        mixing: whether a rectifier and a 1x1 convolution follow the two convolutions.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *, mixing: bool = False, rngs: nnx.Rngs):
        sizes = (3, 3, 1) if mixing else (3, 3)
        layers = [Conv(width, width, sizes[0], rngs=rngs)]
        for position, size in enumerate(sizes[1:], 2):
            scale = 0.1 if position == len(sizes) else 1.0
            layers += [ReLU(), Conv(width, width, size, init_scale=scale, rngs=rngs)]
        self.body = Sequential(*layers)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return jax.nn.relu(x + self.body(x))
