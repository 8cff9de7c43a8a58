"""IMDN: Lightweight Image Super-Resolution with Information Multi-distillation Network.

Hui et al., ACM MM 2019.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import CALayer, Conv, LeakyReLU, PixelShuffle, Sequential, global_contrast


def _lrelu(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    return jax.nn.leaky_relu(x, 0.05)


class IMDModule(nnx.Module):
    """Four convolutions; a quarter of the channels leaves after each and is put together again."""

    def __init__(self, in_channels: int, *, rngs: nnx.Rngs):
        self.distilled = in_channels // 4
        rest = in_channels - self.distilled
        self.c1 = Conv(in_channels, in_channels, rngs=rngs)
        self.c2 = Conv(rest, in_channels, rngs=rngs)
        self.c3 = Conv(rest, in_channels, rngs=rngs)
        self.c4 = Conv(rest, self.distilled, rngs=rngs)
        gathered = 4 * self.distilled
        self.c5 = Conv(gathered, in_channels, 1, init_scale=0.1, rngs=rngs)
        self.cca = CALayer(gathered, statistic=global_contrast, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        kept, y = [], x
        for conv in (self.c1, self.c2, self.c3):
            distilled, y = jnp.split(_lrelu(conv(y)), [self.distilled], axis=-1)
            kept.append(distilled)
        kept.append(self.c4(y))
        return x + self.c5(self.cca(jnp.concatenate(kept, axis=-1)))


class IMDN(nnx.Module):
    """Distillation blocks whose outputs are all gathered, then one pixel shuffle.

    Args:
        in_nc: channels of the input.
        nf: channels inside.
        num_modules: number of blocks.
        out_nc: channels of the output.
        upscale: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_nc: int = 3,
        nf: int = 64,
        num_modules: int = 6,
        out_nc: int = 3,
        upscale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.blocks = tuple(f"IMDB{index + 1}" for index in range(num_modules))
        self.fea_conv = Conv(in_nc, nf, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, IMDModule(nf, rngs=rngs))
        self.c = Sequential(Conv(nf * num_modules, nf, 1, rngs=rngs), LeakyReLU(0.05))
        self.LR_conv = Conv(nf, nf, init_scale=0.1, rngs=rngs)
        self.upsampler = Sequential(Conv(nf, out_nc * upscale**2, rngs=rngs), PixelShuffle(upscale))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h * upscale, w * upscale, out_nc]."""
        shallow = y = self.fea_conv(x)
        outputs = []
        for name in self.blocks:
            y = getattr(self, name)(y)
            outputs.append(y)
        y = self.LR_conv(self.c(jnp.concatenate(outputs, axis=-1)))
        return self.upsampler(shallow + y)

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
        """None: the attention sees the whole image."""
        return None


ENTRIES = (
    Entry(
        "IMDN",
        IMDN,
        tasks=("SR",),
        scale=4,
        official_files=("IMDN_x4.pth", "IMDN_x4_new.pth"),
        published_at="github.com/Zheng222/IMDN",
        licence="none stated",
        global_operations=("mean and standard deviation in channel attention",),
    ),
)
