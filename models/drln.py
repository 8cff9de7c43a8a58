"""DRLN: Densely Residual Laplacian Super-Resolution (Anwar and Barnes, TPAMI 2020)."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    BasicBlock,
    Conv,
    MeanShift,
    PixelShuffle,
    RectifiedResBlock,
    ReLU,
    Sequential,
    Sigmoid,
    Upsampler,
    from_range,
    global_mean,
    to_range,
)
from .value_range import RANGE

_CASCADES = (3, 3, 3, 3, 4, 4)
"""Blocks of each cascade."""


class LaplacianAttention(nnx.Module):
    """x * weights from three squeezed views of its mean.

    The convolutions have 3x3 kernels but meet a single pixel: only their middle taps count.
    """

    def __init__(self, channel: int, reduction: int = 16, *, rngs: nnx.Rngs):
        hidden = channel // reduction
        self.c1 = BasicBlock(channel, hidden, dilation=3, rngs=rngs)
        self.c2 = BasicBlock(channel, hidden, dilation=5, rngs=rngs)
        self.c3 = BasicBlock(channel, hidden, dilation=7, rngs=rngs)
        self.c4 = BasicBlock(3 * hidden, channel, activation=Sigmoid, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        mean = global_mean(x)
        views = [self.c1(mean), self.c2(mean), self.c3(mean)]
        return x * self.c4(jnp.concatenate(views, axis=-1))


class DenseResidualLaplacian(nnx.Module):
    """Three residual blocks, each seeing all maps before it, then compression and attention."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.r1 = RectifiedResBlock(width, rngs=rngs)
        self.r2 = RectifiedResBlock(2 * width, rngs=rngs)
        self.r3 = RectifiedResBlock(4 * width, rngs=rngs)
        self.g = BasicBlock(8 * width, width, 1, rngs=rngs)
        self.ca = LaplacianAttention(width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        for block in (self.r1, self.r2, self.r3):
            x = jnp.concatenate([x, block(x)], axis=-1)
        return self.ca(self.g(x))


class Shift(nnx.Module):
    """The mean shift one name deeper."""

    def __init__(self, sign: int):
        self.shifter = MeanShift(sign)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.shifter(x)


class Steps(nnx.Module):
    """Convolution, rectifier and pixel shuffle: once for factor 3, else for each doubling."""

    def __init__(self, factor: int, width: int, *, rngs: nnx.Rngs):
        steps = [3] if factor == 3 else [2] * int(math.log2(factor))
        layers = []
        for step in steps:
            layers += [Conv(width, width * step**2, rngs=rngs), ReLU(), PixelShuffle(step)]
        self.body = Sequential(*layers)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class RectifiedUpsampler(nnx.Module):
    """The upsampling steps one name deeper."""

    def __init__(self, factor: int, width: int, *, rngs: nnx.Rngs):
        self.up = Steps(factor, width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.up(x)


class DRLN(nnx.Module):
    """Cascades of dense residual blocks, densely compressed, around short and long skips.

    Args:
        width: channels inside.
        factor: upscaling factor, 3 or a power of 2.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(self, width: int = 64, factor: int = 4, value_range: int = 255, *, rngs: nnx.Rngs):
        self.value_range = value_range
        self.sub_mean = Shift(-1)
        self.add_mean = Shift(+1)
        self.head = Conv(3, width, rngs=rngs)
        number = 0
        for length in _CASCADES:
            for position in range(length):
                number += 1
                setattr(self, f"b{number}", DenseResidualLaplacian(width, rngs=rngs))
                gathered = (position + 2) * width
                setattr(self, f"c{number}", BasicBlock(gathered, width, rngs=rngs))
        self.upsample = RectifiedUpsampler(factor, width, rngs=rngs)
        self.tail = Conv(width, 3, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, 3] -> [n, h * factor, w * factor, 3]."""
        shallow = compressed = skip = self.head(self.sub_mean(to_range(x, self.value_range)))
        number = 0
        for length in _CASCADES:
            gathered, y = compressed, skip
            for _ in range(length):
                number += 1
                # The authors feed b5 like b4, so that c4 is stored but not used.
                block_input = skip if number == 5 else y
                block_output = getattr(self, f"b{number}")(block_input)
                gathered = jnp.concatenate([gathered, block_output], axis=-1)
                y = getattr(self, f"c{number}")(gathered)
            compressed, skip = y, skip + y
        y = self.upsample(shallow + skip)
        return from_range(self.add_mean(self.tail(y)), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        factor = Upsampler.factor(shapes, "upsample.up.body.")
        return {"width": shapes["head.weight"][0], "factor": factor}

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the attention sees the whole image."""
        return None


ENTRIES = (
    Entry(
        "DRLN",
        DRLN,
        tasks=("SR",),
        scale=4,
        official_files=("DRLN_BIX4.pt",),
        published_at="github.com/saeed-anwar/DRLN",
        licence="MIT",
        global_operations=("average pooling in channel attention",),
    ),
)
