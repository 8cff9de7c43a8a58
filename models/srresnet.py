"""SRResNet (Ledig et al., CVPR 2017) without normalisation, in BasicSR's form (MSRResNet).

At a factor of 1 the same network denoises and derains.
"""

import math

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import Conv, ResidualBlockNoBN, Sequential, pixel_shuffle, upsample_bilinear


class SRResNet(nnx.Module):
    """Residual blocks, sub-pixel upsampling, and the input, interpolated, added to the output.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_block: number of residual blocks.
        upscale: upscaling factor, 1 to 4; 1 has no upsampling layers.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 16,
        upscale: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.upscale = upscale
        self.conv_first = Conv(num_in_ch, num_feat, rngs=rngs)
        self.body = Sequential(*(ResidualBlockNoBN(num_feat, rngs=rngs) for _ in range(num_block)))
        for index, step in enumerate(self._steps):
            conv = Conv(num_feat, num_feat * step**2, rngs=rngs)
            setattr(self, f"upconv{index + 1}", conv)
        self.conv_hr = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_last = Conv(num_feat, num_out_ch, init_scale=0.1, rngs=rngs)

    @property
    def _steps(self) -> tuple[int, ...]:
        """Factors of the upsampling layers."""
        return {1: (), 4: (2, 2)}.get(self.upscale, (self.upscale,))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * upscale, w * upscale, num_out_ch]."""
        features = self.body(jax.nn.leaky_relu(self.conv_first(x), 0.1))
        for index, step in enumerate(self._steps):
            upconv = getattr(self, f"upconv{index + 1}")
            features = jax.nn.leaky_relu(pixel_shuffle(upconv(features), step), 0.1)
        residual = self.conv_last(jax.nn.leaky_relu(self.conv_hr(features), 0.1))
        return upsample_bilinear(x, self.upscale) + residual

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        num_feat, num_in_ch = shapes["conv_first.weight"][:2]
        steps = [shapes[key][0] // num_feat for key in shapes if key.startswith("upconv")
                 and key.endswith("weight")]  # fmt: skip
        return {
            "num_in_ch": num_in_ch,
            "num_out_ch": shapes["conv_last.weight"][0],
            "num_feat": num_feat,
            "num_block": 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("body.")),
            "upscale": math.isqrt(math.prod(steps)),
        }

    @staticmethod
    def translated(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The weights under BasicSR's present names, from its earlier ones."""
        names = {"recon_trunk": "body", "HRconv": "conv_hr"}
        parts = ((key.partition("."), value) for key, value in weights.items())
        return {
            f"{names.get(first, first)}{dot}{rest}": value for (first, dot, rest), value in parts
        }

    @staticmethod
    def receptive_radius(num_block: int = 16, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The two convolutions behind the upsampling layers together with these reach 2, whatever the
        factor.
        """
        return 2 * num_block + 3


def _restoration(name: str, tasks: tuple[str, ...], file: str) -> Entry:
    return Entry(
        name,
        SRResNet,
        tasks=tasks,
        official_files=(file,),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    )


def _super_resolution(name: str, file: str) -> Entry:
    return Entry(
        name,
        SRResNet,
        {"upscale": 4},
        tasks=("SR",),
        scale=4,
        official_files=(file,),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    )


ENTRIES = (
    _super_resolution("SRResNet", "MSRResNet_net_g_1000000.pth"),
    _super_resolution("MSRGAN", "MSRGAN_net_g_400000.pth"),
    _restoration("SRResNet_DN", ("DN",), "SRResNet_DN.pth"),
    _restoration("SRResNet_DR", ("DR",), "SRResNet_DR.pth"),
    _restoration("SRResNet_mix", ("DN", "DR"), "mix_SRResNet.pth"),
    _restoration("SRResNet_MIO", ("DN", "DR"), "SRResNet_M.pth"),
)
