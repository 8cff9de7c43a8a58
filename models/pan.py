"""PAN: Efficient Image Super-Resolution Using Pixel Attention (Zhao et al., ECCVW 2020)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import (
    Chain,
    Conv,
    Sequential,
    enlarged,
    neighbours,
    reach,
    upsample_bilinear,
    upsample_nearest,
)


def _lrelu(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    return jax.nn.leaky_relu(x, 0.2)


class PA(nnx.Module):
    """x * sigmoid(conv(x)): attention for every pixel and channel."""

    def __init__(self, nf: int, *, rngs: nnx.Rngs):
        self.conv = Conv(nf, nf, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x * jax.nn.sigmoid(self.conv(x))


class PAConv(nnx.Module):
    """A convolution weighted by pixel attention, then another convolution."""

    def __init__(self, nf: int, *, rngs: nnx.Rngs):
        self.k2 = Conv(nf, nf, 1, rngs=rngs)
        self.k3 = Conv(nf, nf, use_bias=False, rngs=rngs)
        self.k4 = Conv(nf, nf, use_bias=False, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.k4(self.k3(x) * jax.nn.sigmoid(self.k2(x)))


class SCPA(nnx.Module):
    """Residual block of two branches with half the channels each, one with pixel attention."""

    def __init__(self, nf: int, *, rngs: nnx.Rngs):
        half = nf // 2
        self.conv1_a = Conv(nf, half, 1, use_bias=False, rngs=rngs)
        self.conv1_b = Conv(nf, half, 1, use_bias=False, rngs=rngs)
        self.k1 = Sequential(Conv(half, half, use_bias=False, rngs=rngs))
        self.PAConv = PAConv(half, rngs=rngs)
        self.conv3 = Conv(2 * half, nf, 1, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        a = _lrelu(self.k1(_lrelu(self.conv1_a(x))))
        b = _lrelu(self.PAConv(_lrelu(self.conv1_b(x))))
        return x + self.conv3(jnp.concatenate([a, b], axis=-1))


class PAN(nnx.Module):
    """Pixel-attention blocks, then nearest-neighbour enlargement with attention, for 4 twice by 2.

    Predicts the correction of the bilinearly upscaled image.

    Args:
        in_nc: channels of the input.
        out_nc: channels of the output.
        nf: channels inside.
        unf: channels at the higher resolutions.
        nb: number of blocks.
        scale: upscaling factor, 2, 3 or 4.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "scale",
            "scale",
            "upscaling factor: the weights tell 4 from the others, but not 2 from 3",
            choices=(2, 3, 4),
        ),
    )

    def __init__(
        self,
        in_nc: int = 3,
        out_nc: int = 3,
        nf: int = 40,
        unf: int = 24,
        nb: int = 16,
        scale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.scale = scale
        self.conv_first = Conv(in_nc, nf, rngs=rngs)
        self.SCPA_trunk = Chain(*(SCPA(nf, rngs=rngs) for _ in range(nb)))
        self.trunk_conv = Conv(nf, nf, rngs=rngs)
        self.upconv1 = Conv(nf, unf, rngs=rngs)
        self.att1 = PA(unf, rngs=rngs)
        self.HRconv1 = Conv(unf, unf, rngs=rngs)
        if scale == 4:
            self.upconv2 = Conv(unf, unf, rngs=rngs)
            self.att2 = PA(unf, rngs=rngs)
            self.HRconv2 = Conv(unf, unf, rngs=rngs)
        self.conv_last = Conv(unf, out_nc, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h * scale, w * scale, out_nc]."""
        first = 2 if self.scale == 4 else self.scale
        y = self.conv_first(x)
        y = y + self.trunk_conv(self.SCPA_trunk(y))
        y = _lrelu(self.att1(self.upconv1(upsample_nearest(y, first))))
        y = _lrelu(self.HRconv1(y))
        if self.scale == 4:
            y = _lrelu(self.att2(self.upconv2(upsample_nearest(y, 2))))
            y = _lrelu(self.HRconv2(y))
        return self.conv_last(y) + upsample_bilinear(x, self.scale)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        nf, in_nc = shapes["conv_first.weight"][:2]
        out_nc, unf = shapes["conv_last.weight"][:2]
        nb = 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("SCPA_trunk."))
        return {"in_nc": in_nc, "out_nc": out_nc, "nf": nf, "unf": unf, "nb": nb,
                "scale": 4 if "upconv2.weight" in shapes else 2}  # fmt: skip

    @staticmethod
    def needed(told: Mapping[str, object], scale: int = 4, **_: int) -> str:
        """Why an argument that was not told must be."""
        if scale == 4 or "scale" in told:
            return ""
        return "scale= must be given as 2 or 3, whose weights have the same shapes"

    @staticmethod
    def receptive_radius(nb: int = 16, scale: int = 4, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        steps = (2, 2) if scale == 4 else (scale,)
        enlarging = [stage for step in steps for stage in (enlarged(step), neighbours(2))]
        return reach([neighbours(2 * nb + 2), *enlarging, neighbours(1)], period=1, scale=scale)


ENTRIES = (
    Entry(
        "PAN",
        PAN,
        tasks=("SR",),
        scale=4,
        official_files=("PANx4_DF2K.pth", "PANx4_DIV2K.pth"),
        published_at="github.com/zhaohengyuan1/PAN",
        licence="none stated",
    ),
)
