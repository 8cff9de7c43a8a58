"""SRVGGNetCompact: the small network of Real-ESRGAN (Wang et al., ICCVW 2021)."""

import math

import jax
from flax import nnx
from jaxtyping import Float

from .entry import Entry, OtherVariant
from .layers import Conv, PReLU, Sequential, pixel_shuffle, upsample_nearest


class SRVGGNetCompact(nnx.Module):
    """Plain 3x3 convolutions at the input's size; corrects the nearest-neighbour enlargement.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_conv: number of convolutions between the first and the last.
        upscale: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_conv: int = 16,
        upscale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.upscale = upscale
        layers = [Conv(num_in_ch, num_feat, rngs=rngs), PReLU(num_feat)]
        for _ in range(num_conv):
            layers += [Conv(num_feat, num_feat, rngs=rngs), PReLU(num_feat)]
        last = Conv(num_feat, num_out_ch * upscale**2, init_scale=0.1, rngs=rngs)
        self.body = Sequential(*layers, last)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * upscale, w * upscale, num_out_ch]."""
        return pixel_shuffle(self.body(x), self.upscale) + upsample_nearest(x, self.upscale)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        num_feat, channels = shapes["body.0.weight"][:2]
        last = max(int(key.split(".")[1]) for key in shapes if key.startswith("body."))
        upscale = math.isqrt(shapes[f"body.{last}.weight"][0] // channels)
        if "body.1.weight" not in shapes:
            raise OtherVariant("its rectifiers have no slopes among the weights (relu, leakyrelu)")
        return {
            "num_in_ch": channels,
            "num_out_ch": channels,
            "num_feat": num_feat,
            "num_conv": last // 2 - 1,
            "upscale": upscale,
        }

    @staticmethod
    def receptive_radius(num_conv: int = 16, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return num_conv + 2


ENTRIES = (
    Entry(
        "SRVGGNetCompact",
        SRVGGNetCompact,
        tasks=("SR",),
        scale=4,
        official_files=("realesr-general-x4v3.pth", "realesr-animevideov3.pth"),
        published_at="github.com/xinntao/Real-ESRGAN",
        licence="BSD-3-Clause",
    ),
)
