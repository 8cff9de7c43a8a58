"""RLFN: Residual Local Feature Network for Efficient Super-Resolution (Kong et al., CVPRW 2022)."""

import math
from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    ESA,
    Conv,
    PixelShuffle,
    Sequential,
    from_range,
    to_range,
)
from .value_range import RANGE


class RLFB(nnx.Module):
    """Three convolutions around a skip, then one by one pixel and spatial attention."""

    def __init__(self, width: int, inner: int, hidden: int, *, rngs: nnx.Rngs):
        self.c1_r = Conv(width, inner, rngs=rngs)
        self.c2_r = Conv(inner, inner, rngs=rngs)
        self.c3_r = Conv(inner, width, rngs=rngs)
        self.c5 = Conv(width, width, 1, rngs=rngs)
        self.esa = ESA(width, hidden, steps=("conv3",), rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = x
        for conv in (self.c1_r, self.c2_r, self.c3_r):
            y = jax.nn.leaky_relu(conv(y), 0.05)
        return self.esa(self.c5(x + y))


class RLFN(nnx.Module):
    """Residual blocks in a row around one skip, then one pixel shuffle.

    The image needs at least 15 pixels on each side.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        feature_channels: channels between the blocks.
        mid_channels: channels inside them.
        esa_channels: channels of the spatial attention.
        num_blocks: number of blocks.
        upscale: upscaling factor.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        feature_channels: int = 46,
        mid_channels: int = 48,
        esa_channels: int = 16,
        num_blocks: int = 4,
        upscale: int = 4,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        width = feature_channels
        self.blocks = tuple(f"block_{index + 1}" for index in range(num_blocks))
        self.conv_1 = Conv(in_channels, width, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, RLFB(width, mid_channels, esa_channels, rngs=rngs))
        self.conv_2 = Conv(width, width, init_scale=0.1, rngs=rngs)
        self.upsampler = Sequential(
            Conv(width, out_channels * upscale**2, rngs=rngs), PixelShuffle(upscale)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_channels] -> [n, h * upscale, w * upscale, out_channels]."""
        shallow = y = self.conv_1(to_range(x, self.value_range))
        for name in self.blocks:
            y = getattr(self, name)(y)
        return from_range(self.upsampler(shallow + self.conv_2(y)), self.value_range)

    @staticmethod
    def translated(state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """A state dict under the later one of the two sets of names that its authors use."""
        if "fea_conv.weight" not in state_dict or "c.0.weight" in state_dict:  # the latter: RFDN
            return dict(state_dict)
        names = {"fea_conv": "conv_1", "LR_conv": "conv_2"}
        found = {}
        for key, value in state_dict.items():
            first, _, rest = key.partition(".")
            if first[:1] == "B" and first[1:].isdecimal():
                first = f"block_{first[1:]}"
            found[f"{names.get(first, first)}.{rest}"] = value
        return found

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict.

        The output is taken to have as many channels as the input.
        """
        width, in_channels = shapes["conv_1.weight"][:2]
        return {
            "in_channels": in_channels,
            "out_channels": in_channels,
            "feature_channels": width,
            "mid_channels": shapes["block_1.c1_r.weight"][0],
            "esa_channels": shapes["block_1.esa.conv1.weight"][0],
            "num_blocks": sum(key.endswith(".c1_r.weight") for key in shapes),
            "upscale": math.isqrt(shapes["upsampler.0.weight"][0] // in_channels),
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the reduced attention map is stretched to the image's size, as in RFDN."""
        return None


ENTRIES = (
    Entry(
        "RLFN",
        RLFN,
        tasks=("SR",),
        scale=4,
        official_files=("team00_rlfn.pth", "rlfn_ntire_x4.pth", "team04_rlfn.pth"),
        published_at="github.com/Amazingren/NTIRE2024_ESR",
        licence="MIT",
        size_minimum=15,
        global_operations=("attention maps stretched to the size of the image",),
    ),
)
