"""BSRN: Blueprint Separable Residual Network for Efficient Image Super-Resolution.

Li et al., CVPRW 2022.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import ESA, CALayer, Conv, PixelShuffle, Sequential, gelu, global_contrast

_COPIES = 4
"""Times that the image enters, side by side."""


class BSConvU(nnx.Module):
    """Blueprint separable convolution: across channels first, then every channel by itself."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        padding: int = 1,
        init_scale: float = 1.0,
        rngs: nnx.Rngs,
    ):
        self.pw = Conv(in_channels, out_channels, 1, use_bias=False, rngs=rngs)
        self.dw = Conv(
            out_channels,
            out_channels,
            stride=stride,
            padding=padding,
            groups=out_channels,
            init_scale=init_scale,
            rngs=rngs,
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.dw(self.pw(x))


class ESDB(nnx.Module):
    """Three residual convolutions; a narrow map leaves before each and is put together again."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        half = width // 2
        for step in (1, 2, 3):
            setattr(self, f"c{step}_d", Conv(width, half, 1, rngs=rngs))
            setattr(self, f"c{step}_r", BSConvU(width, width, init_scale=0.1, rngs=rngs))
        self.c4 = BSConvU(width, half, rngs=rngs)
        self.c5 = Conv(4 * half, width, 1, init_scale=0.1, rngs=rngs)
        self.esa = ESA(width, max(width // 4, 16), conv=BSConvU, activation=gelu, rngs=rngs)
        self.cca = CALayer(width, statistic=global_contrast, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        kept, y = [], x
        for narrow, wide in (
            (self.c1_d, self.c1_r),
            (self.c2_d, self.c2_r),
            (self.c3_d, self.c3_r),
        ):
            kept.append(gelu(narrow(y)))
            y = gelu(wide(y) + y)
        kept.append(gelu(self.c4(y)))
        return x + self.cca(self.esa(self.c5(jnp.concatenate(kept, axis=-1))))


class OneStep(nnx.Module):
    """A convolution and one pixel shuffle."""

    def __init__(self, width: int, out_channels: int, factor: int, *, rngs: nnx.Rngs):
        self.upsampleOneStep = Sequential(
            Conv(width, out_channels * factor**2, rngs=rngs), PixelShuffle(factor)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.upsampleOneStep(x)


class BSRN(nnx.Module):
    """Distillation blocks whose outputs are all gathered, then one pixel shuffle.

    The image needs at least 15 pixels on each side.

    Args:
        num_in_ch: channels of the input.
        num_feat: channels inside.
        num_block: number of blocks.
        num_out_ch: channels of the output.
        upscale: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 8,
        num_out_ch: int = 3,
        upscale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.blocks = tuple(f"B{index + 1}" for index in range(num_block))
        self.fea_conv = BSConvU(_COPIES * num_in_ch, num_feat, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, ESDB(num_feat, rngs=rngs))
        self.c1 = Conv(num_feat * num_block, num_feat, 1, rngs=rngs)
        self.c2 = BSConvU(num_feat, num_feat, init_scale=0.1, rngs=rngs)
        self.upsampler = OneStep(num_feat, num_out_ch, upscale, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * upscale, w * upscale, num_out_ch]."""
        shallow = y = self.fea_conv(jnp.concatenate([x] * _COPIES, axis=-1))
        outputs = []
        for name in self.blocks:
            y = getattr(self, name)(y)
            outputs.append(y)
        y = self.c2(gelu(self.c1(jnp.concatenate(outputs, axis=-1))))
        return self.upsampler(y + shallow)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict.

        The output is taken to have as many channels as the input.
        """
        width, copies = shapes["fea_conv.pw.weight"][:2]
        num_in_ch = copies // _COPIES
        return {
            "num_in_ch": num_in_ch,
            "num_feat": width,
            "num_block": shapes["c1.weight"][1] // width,
            "num_out_ch": num_in_ch,
            "upscale": math.isqrt(shapes["upsampler.upsampleOneStep.0.weight"][0] // num_in_ch),
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the channel attention sees the whole image."""
        return None


ENTRIES = tuple(
    Entry(
        "BSRN" if scale == 4 else f"BSRN_x{scale}",
        BSRN,
        {"upscale": scale},
        tasks=("SR",),
        scale=scale,
        official_files=(f"net_g_BSRN_x{scale}.pth",),
        published_at="github.com/xiaom233/BSRN",
        licence="MIT",
        size_minimum=15,
        global_operations=(
            "mean and standard deviation in channel attention",
            "attention maps stretched to the size of the image",
        ),
    )
    for scale in (4, 2, 3)
)
