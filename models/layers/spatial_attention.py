"""Spatial attention from a reduced map (Liu et al., RFDN, ECCVW 2020)."""

from collections.abc import Callable

import jax
from flax import nnx
from jaxtyping import Float

from .conv import Conv
from .pooling import max_pool
from .resize import resize_bilinear


class ESA(nnx.Module):
    """x * sigmoid(map), the map from a reduced path, stretched back, and a full-size one.

    The image needs at least 15 pixels on each side.

    Args:
        width: channels.
        hidden: channels of the map's two paths.
        conv: class of the 3x3 convolutions.
        activation: between the 3x3 convolutions of the reduced path.
        steps: names of these convolutions behind the pooling, in order.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        conv: Callable[..., nnx.Module] = Conv,
        activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
        steps: tuple[str, ...] = ("conv_max", "conv3", "conv3_"),
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.steps = steps
        self.conv1 = Conv(width, hidden, 1, rngs=rngs)
        self.conv_f = Conv(hidden, hidden, 1, rngs=rngs)
        self.conv2 = conv(hidden, hidden, stride=2, padding=0, rngs=rngs)
        for name in steps:
            setattr(self, name, conv(hidden, hidden, rngs=rngs))
        self.conv4 = Conv(hidden, width, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, width] -> the same shape."""
        narrow = self.conv1(x)
        y = max_pool(self.conv2(narrow), 7, 3)
        for name in self.steps[:-1]:
            y = self.activation(getattr(self, name)(y))
        y = resize_bilinear(getattr(self, self.steps[-1])(y), *x.shape[1:3])
        return x * jax.nn.sigmoid(self.conv4(y + self.conv_f(narrow)))
