"""MIRNet-v2: Learning Enriched Features for Fast Image Restoration (Zamir et al., TPAMI 2022)."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, LeakyReLU, Sequential, avg_pool, global_mean, upsample_bilinear

_SLOPE = 0.2


def _conv(in_features: int, out_features: int, kernel_size: int, rngs: nnx.Rngs) -> Conv:
    return Conv(in_features, out_features, kernel_size, use_bias=False, rngs=rngs)


def _halve(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    return avg_pool(x, 2, 2)


def _double(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    return upsample_bilinear(x, 2)


class SKFF(nnx.Module):
    """Selective kernel feature fusion: a sum of two inputs, weighed per channel by their means.

    Args:
        width: channels.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        hidden = max(width // 8, 4)
        self.conv_du = Sequential(_conv(width, hidden, 1, rngs), LeakyReLU(_SLOPE))
        self.fcs = nnx.List(_conv(hidden, width, 1, rngs) for _ in range(2))

    def __call__(
        self, first: Float[jax.Array, "n h w c"], second: Float[jax.Array, "n h w c"]
    ) -> Float[jax.Array, "n h w c"]:
        hidden = self.conv_du(global_mean(first + second))
        logits = jnp.stack([fc(hidden) for fc in self.fcs])
        weights = jax.nn.softmax(logits, axis=0)
        return first * weights[0] + second * weights[1]


class ContextBlock(nnx.Module):
    """x + a vector per image, made of the mean of its pixels under softmax weights."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv_mask = _conv(width, 1, 1, rngs)
        self.channel_add_conv = Sequential(
            _conv(width, width, 1, rngs), LeakyReLU(_SLOPE), _conv(width, width, 1, rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        weights = jax.nn.softmax(self.conv_mask(x), axis=(1, 2))
        context = jnp.sum(x * weights, axis=(1, 2), keepdims=True)
        return x + self.channel_add_conv(context)


class RCB(nnx.Module):
    """Residual block with global context.

    Args:
        width: channels.
        groups: groups of channels of the convolutions.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, groups: int, *, rngs: nnx.Rngs):
        first, second = (
            Conv(width, width, groups=groups, use_bias=False, init_scale=scale, rngs=rngs)
            for scale in (1.0, 0.1)
        )
        self.body = Sequential(first, LeakyReLU(_SLOPE), second)
        self.gcnet = ContextBlock(width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + jax.nn.leaky_relu(self.gcnet(self.body(x)), _SLOPE)


class Down(nnx.Module):
    """Half the size, then another number of channels."""

    def __init__(self, width: int, out: int, *, rngs: nnx.Rngs):
        self.bot = Sequential(_halve, _conv(width, out, 1, rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.bot(x)


class Up(nnx.Module):
    """Another number of channels, then twice the size."""

    def __init__(self, width: int, out: int, *, rngs: nnx.Rngs):
        self.bot = Sequential(_conv(width, out, 1, rngs), _double)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.bot(x)


class Resize(nnx.Module):
    """A single step of resizing, under the name that a chain of them has."""

    def __init__(self, step: Down | Up):
        self.body = Sequential(step)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class MRB(nnx.Module):
    """Three sizes side by side that exchange features twice; both passes share their weights.

    Args:
        widths: channels at full, half and quarter size.
        groups: groups of channels of the convolutions.
        rngs: source of the initial weights.
    """

    def __init__(self, widths: tuple[int, int, int], groups: int, *, rngs: nnx.Rngs):
        top, mid, bot = widths
        self.dau_top, self.dau_mid, self.dau_bot = (
            RCB(width, groups, rngs=rngs) for width in widths
        )
        self.down2 = Resize(Down(top, mid, rngs=rngs))
        self.down4 = Sequential(
            Resize(Down(top, mid, rngs=rngs)), Resize(Down(mid, bot, rngs=rngs))
        )
        self.up21_1, self.up21_2 = (Resize(Up(mid, top, rngs=rngs)) for _ in range(2))
        self.up32_1, self.up32_2 = (Resize(Up(bot, mid, rngs=rngs)) for _ in range(2))
        self.conv_out = _conv(top, top, 1, rngs)
        self.skff_top, self.skff_mid = SKFF(top, rngs=rngs), SKFF(mid, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        top, mid, bot = x, self.down2(x), self.down4(x)
        for up32, up21 in ((self.up32_1, self.up21_1), (self.up32_2, self.up21_2)):
            top, mid, bot = self.dau_top(top), self.dau_mid(mid), self.dau_bot(bot)
            mid = self.skff_mid(mid, up32(bot))
            top = self.skff_top(top, up21(mid))
        return x + self.conv_out(top)


class RRG(nnx.Module):
    """x + blocks in a row and a convolution."""

    def __init__(self, widths: tuple[int, int, int], depth: int, groups: int, *, rngs: nnx.Rngs):
        blocks = [MRB(widths, groups, rngs=rngs) for _ in range(depth)]
        self.body = Sequential(*blocks, _conv(widths[0], widths[0], 3, rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.body(x)


class MIRNetV2(nnx.Module):
    """Groups of blocks that work at three sizes at once; predicts the correction of its input.

    Args:
        inp_channels: channels of the input.
        out_channels: channels of the output.
        widths: channels at full, half and quarter size.
        n_MRB: blocks of each group.
        groups: groups of channels of the convolutions, for each group of blocks.
        variant: "MIRNet_v2", or "defocus_deblurring", which adds its first features to the last
            ones instead of its input to the output.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "variant",
            "variant",
            "what the last convolution gives: with MIRNet_v2 the correction of the input, with "
            "defocus_deblurring the image itself, from the last features and the first; where it "
            "is not given, the latter for inputs of 6 channels, which its authors have only there",
            choices=("MIRNet_v2", "defocus_deblurring"),
        ),
    )

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        widths: tuple[int, int, int] = (80, 120, 180),
        n_MRB: int = 2,
        groups: tuple[int, ...] = (1, 2, 4, 4),
        variant: str = "MIRNet_v2",
        *,
        rngs: nnx.Rngs,
    ):
        self.corrects = variant == "MIRNet_v2"
        self.conv_in = _conv(inp_channels, widths[0], 3, rngs)
        self.body = Sequential(*(RRG(widths, n_MRB, count, rngs=rngs) for count in groups))
        self.conv_out = Conv(widths[0], out_channels, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, inp_channels] -> [n, h, w, out_channels]; h and w are multiples of 4."""
        first = self.conv_in(x)
        if self.corrects:
            return x + self.conv_out(self.body(first))
        return self.conv_out(first + self.body(first))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | str | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        body = [key.split(".") for key in shapes if key.startswith("body.")]
        depth = 1 + max(int(key[1]) for key in body)
        convs = [shapes[f"body.{i}.body.0.dau_top.body.0.weight"] for i in range(depth)]
        sizes = ("top", "mid", "bot")
        inp_channels, out_channels = shapes["conv_in.weight"][1], shapes["conv_out.weight"][0]
        return {
            "inp_channels": inp_channels,
            "out_channels": out_channels,
            "variant": "MIRNet_v2" if inp_channels == out_channels else "defocus_deblurring",
            "widths": tuple(shapes[f"body.0.body.0.dau_{s}.body.0.weight"][0] for s in sizes),
            "n_MRB": max(int(key[3]) for key in body),
            "groups": tuple(out // part for out, part, *_ in convs),
        }

    @staticmethod
    def needed(
        told: Mapping[str, Any],
        inp_channels: int = 3,
        out_channels: int = 3,
        variant: str = "MIRNet_v2",
        **_: object,
    ) -> str:
        """Why it cannot be the variant that was told."""
        if variant == "defocus_deblurring" or inp_channels == out_channels:
            return ""
        return (
            f"variant='MIRNet_v2' adds its input of {inp_channels} channels to an output of "
            f"{out_channels}; expected variant='defocus_deblurring'"
        )

    @staticmethod
    def receptive_radius(**_: object) -> None:
        """None: context and fusion see the whole image."""
        return None


ENTRIES = (
    Entry(
        "MIRNetV2",
        MIRNetV2,
        tasks=("DN",),
        official_files=("MIRNetv2_real_denoising.pth", "real_denoising.pth"),
        published_at="github.com/swz30/MIRNetv2",
        licence="Academic Public License, non-commercial",
        size_multiple=4,
        global_operations=(
            "softmax-weighted mean of the image in every block",
            "mean over the image in every fusion of two sizes",
        ),
    ),
)
