"""CARN-M: Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network.

Ahn et al., ECCV 2018.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import (
    BasicBlock,
    Conv,
    MeanShift,
    PixelShuffle,
    ReLU,
    Sequential,
    Stage,
    enlarged,
    neighbours,
    reach,
)

_SCALES = (2, 3, 4)


def _steps(factor: int) -> list[int]:
    """The enlargements of which one by `factor` consists."""
    return [3] if factor == 3 else [2] * int(math.log2(factor))


class Shift(nnx.Module):
    """A mean shift, under the name that its parts have here."""

    def __init__(self, sign: int):
        self.shifter = MeanShift(sign)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.shifter(x)


class EResidualBlock(nnx.Module):
    """relu(x + body(x)) with two grouped 3x3 convolutions and one by one pixel."""

    def __init__(self, width: int, group: int, *, rngs: nnx.Rngs):
        self.body = Sequential(
            Conv(width, width, groups=group, rngs=rngs),
            ReLU(),
            Conv(width, width, groups=group, rngs=rngs),
            ReLU(),
            Conv(width, width, 1, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return jax.nn.relu(x + self.body(x))


def _merges(module: nnx.Module, width: int, rngs: nnx.Rngs) -> None:
    """The three 1x1 convolutions of a cascade as `c1` to `c3`."""
    for step in (1, 2, 3):
        setattr(module, f"c{step}", BasicBlock((step + 1) * width, width, 1, rngs=rngs))


class CascadingBlock(nnx.Module):
    """One residual block, applied three times; each time all earlier results are merged."""

    def __init__(self, width: int, group: int, *, rngs: nnx.Rngs):
        self.b1 = EResidualBlock(width, group, rngs=rngs)
        _merges(self, width, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        gathered = [x]
        for merge in (self.c1, self.c2, self.c3):
            gathered.append(self.b1(x))
            x = merge(jnp.concatenate(gathered, axis=-1))
        return x


class Enlarge(nnx.Module):
    """Grouped convolution, rectifier and pixel shuffle: once for factor 3, else per doubling."""

    def __init__(self, factor: int, width: int, group: int, *, rngs: nnx.Rngs):
        layers = []
        for step in _steps(factor):
            conv = Conv(width, width * step**2, groups=group, rngs=rngs)
            layers += [conv, ReLU(), PixelShuffle(step)]
        self.body = Sequential(*layers)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class Branches(nnx.Module):
    """Upsampling by one of several factors, each with weights of its own."""

    def __init__(self, factor: int, width: int, group: int, *, rngs: nnx.Rngs):
        self.factor = factor
        for branch in _SCALES:
            setattr(self, f"up{branch}", Enlarge(branch, width, group, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return getattr(self, f"up{self.factor}")(x)


class CARNM(nnx.Module):
    """Cascades of cascading blocks; one set of weights serves the factors 2, 3 and 4.

    Args:
        width: channels inside.
        group: groups of channels of the 3x3 convolutions.
        scale: upscaling factor: 2, 3 or 4.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "scale",
            "scale",
            "upscaling factor: one file has the weights of all three",
            choices=_SCALES,
        ),
    )

    def __init__(self, width: int = 64, group: int = 4, scale: int = 4, *, rngs: nnx.Rngs):
        self.sub_mean = Shift(-1)
        self.add_mean = Shift(1)
        self.entry = Conv(3, width, rngs=rngs)
        for step in (1, 2, 3):
            setattr(self, f"b{step}", CascadingBlock(width, group, rngs=rngs))
        _merges(self, width, rngs)
        self.upsample = Branches(scale, width, group, rngs=rngs)
        self.exit = Conv(width, 3, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, 3] -> [n, h * scale, w * scale, 3]."""
        y = self.entry(self.sub_mean(x))
        gathered = [y]
        for block, merge in ((self.b1, self.c1), (self.b2, self.c2), (self.b3, self.c3)):
            gathered.append(block(y))
            y = merge(jnp.concatenate(gathered, axis=-1))
        return self.add_mean(self.exit(self.upsample(y)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict; not the factor."""
        width, part = shapes["b1.b1.body.0.weight"][:2]
        return {"width": width, "group": width // part}

    @staticmethod
    def receptive_radius(scale: int = 4, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        conv = neighbours(1)
        stages: list[Stage] = [conv, *[conv] * (2 * 3 * 3)]
        stages += [stage for step in _steps(scale) for stage in (conv, enlarged(step))]
        return reach([*stages, conv], 1, scale)


ENTRIES = tuple(
    Entry(
        "CARN-M" if scale == 4 else f"CARN-M_x{scale}",
        CARNM,
        {"scale": scale},
        tasks=("SR",),
        scale=scale,
        official_files=("carn_m.pth",),
        published_at="github.com/nmhkahn/CARN-pytorch",
        licence="MIT",
    )
    for scale in (4, 2, 3)
)
