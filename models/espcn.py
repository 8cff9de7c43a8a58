"""ESPCN: Real-Time Single Image and Video Super-Resolution (Shi et al., CVPR 2016), made deep."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import Conv, PixelShuffle, Sequential


class Tanh(nnx.Module):
    """Hyperbolic tangent."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return jnp.tanh(x)


class ESPCN(nnx.Module):
    """5x5 convolutions with tanh at the input's size, then one sub-pixel convolution.

    Args:
        scale_factor: upscaling factor.
        num_channels: channels of the image.
        width: channels inside.
        depth: number of 5x5 convolutions behind the first.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        scale_factor: int = 4,
        num_channels: int = 3,
        width: int = 32,
        depth: int = 16,
        *,
        rngs: nnx.Rngs,
    ):
        layers = [Conv(num_channels, width, 5, rngs=rngs), Tanh()]
        for _ in range(depth):
            layers += [Conv(width, width, 5, rngs=rngs), Tanh()]
        self.first_part = Sequential(*layers)
        self.last_part = Sequential(
            Conv(width, num_channels * scale_factor**2, rngs=rngs), PixelShuffle(scale_factor)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * scale_factor, w * scale_factor, num_channels]."""
        return self.last_part(self.first_part(x))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        width, num_channels = shapes["first_part.0.weight"][:2]
        return {
            "scale_factor": math.isqrt(shapes["last_part.0.weight"][0] // num_channels),
            "num_channels": num_channels,
            "width": width,
            "depth": max(int(k.split(".")[1]) for k in shapes if k.startswith("first_part.")) // 2,
        }

    @staticmethod
    def receptive_radius(depth: int = 16, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return 2 * (depth + 1) + 1


ENTRIES = (Entry("ESPCN", ESPCN, tasks=("SR",), scale=4),)
