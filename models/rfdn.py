"""RFDN: Residual Feature Distillation Network for Lightweight Image Super-Resolution.

Liu et al., ECCVW 2020.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import ESA, Conv, LeakyReLU, PixelShuffle, Sequential, from_range, to_range
from .value_range import RANGE


def _lrelu(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    return jax.nn.leaky_relu(x, 0.05)


class RFDB(nnx.Module):
    """Three residual convolutions; a narrow map leaves before each and is put together again."""

    def __init__(self, in_channels: int, *, rngs: nnx.Rngs):
        half = in_channels // 2
        for step in (1, 2, 3):
            setattr(self, f"c{step}_d", Conv(in_channels, half, 1, rngs=rngs))
            setattr(self, f"c{step}_r", Conv(in_channels, in_channels, init_scale=0.1, rngs=rngs))
        self.c4 = Conv(in_channels, half, rngs=rngs)
        self.c5 = Conv(4 * half, in_channels, 1, rngs=rngs)
        self.esa = ESA(in_channels, in_channels // 4, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        kept = []
        for narrow, wide in (
            (self.c1_d, self.c1_r),
            (self.c2_d, self.c2_r),
            (self.c3_d, self.c3_r),
        ):
            kept.append(_lrelu(narrow(x)))
            x = _lrelu(x + wide(x))
        kept.append(_lrelu(self.c4(x)))
        return self.esa(self.c5(jnp.concatenate(kept, axis=-1)))


class RFDN(nnx.Module):
    """Distillation blocks whose outputs are all gathered, then one pixel shuffle.

    The image needs at least 15 pixels on each side.

    Args:
        in_nc: channels of the input.
        nf: channels inside.
        num_modules: number of blocks.
        out_nc: channels of the output.
        upscale: upscaling factor.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        in_nc: int = 3,
        nf: int = 50,
        num_modules: int = 4,
        out_nc: int = 3,
        upscale: int = 4,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        self.blocks = tuple(f"B{index + 1}" for index in range(num_modules))
        self.fea_conv = Conv(in_nc, nf, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, RFDB(nf, rngs=rngs))
        self.c = Sequential(Conv(nf * num_modules, nf, 1, rngs=rngs), LeakyReLU(0.05))
        self.LR_conv = Conv(nf, nf, init_scale=0.1, rngs=rngs)
        self.upsampler = Sequential(Conv(nf, out_nc * upscale**2, rngs=rngs), PixelShuffle(upscale))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h * upscale, w * upscale, out_nc]."""
        shallow = y = self.fea_conv(to_range(x, self.value_range))
        outputs = []
        for name in self.blocks:
            y = getattr(self, name)(y)
            outputs.append(y)
        y = self.LR_conv(self.c(jnp.concatenate(outputs, axis=-1)))
        return from_range(self.upsampler(shallow + y), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict.

        The output is taken to have as many channels as the input.
        """
        nf, in_nc = shapes["fea_conv.weight"][:2]
        return {
            "in_nc": in_nc,
            "nf": nf,
            "num_modules": shapes["c.0.weight"][1] // nf,
            "out_nc": in_nc,
            "upscale": math.isqrt(shapes["upsampler.0.weight"][0] // in_nc),
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the reduced attention map is stretched to the image's size.

        An output pixel depends on nearby pixels only, but on which of them depends on the size, so
        that a crop of the image is not computed as the image is.
        """
        return None


ENTRIES = (
    Entry(
        "RFDN",
        RFDN,
        tasks=("SR",),
        scale=4,
        official_files=("RFDN_AIM.pth",),
        published_at="github.com/njulj/RFDN",
        licence="MIT",
        size_minimum=15,
        global_operations=("attention maps stretched to the size of the image",),
    ),
)
