"""Sub-pixel upsampling in steps."""

import math

import jax
from flax import nnx
from jaxtyping import Float

from .conv import Conv
from .sequential import Sequential
from .shuffle import pixel_shuffle


class PixelShuffle(nnx.Module):
    """Channels to space by `factor`."""

    def __init__(self, factor: int):
        self.factor = factor

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return pixel_shuffle(x, self.factor)


class Upsampler(Sequential):
    """Convolution and pixel shuffle: once for factor 3, once for each doubling otherwise.

    Args:
        factor: upscaling factor, 3 or a power of 2.
        width: channels of input and output.
        rngs: source of the initial weights.
    """

    def __init__(self, factor: int, width: int, *, rngs: nnx.Rngs):
        steps = [3] if factor == 3 else [2] * int(math.log2(factor))
        layers = []
        for step in steps:
            layers += [Conv(width, width * step**2, rngs=rngs), PixelShuffle(step)]
        super().__init__(*layers)

    @staticmethod
    def factor(shapes: dict[str, tuple[int, ...]], prefix: str) -> int:
        """The upscaling factor, from the shapes of the keys below `prefix` ("tail.0.")."""
        steps = [s for key, s in shapes.items() if key.startswith(prefix) and len(s) == 4]
        return math.prod(math.isqrt(out // width) for out, width, *_ in steps)
