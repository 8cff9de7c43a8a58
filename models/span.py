"""SPAN: Swift Parameter-free Attention Network for Efficient Super-Resolution.

Wan et al., CVPRW 2024.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    DIV2K_MEAN,
    Conv,
    PixelShuffle,
    Sequential,
    to_range,
)
from .value_range import RANGE

_TRAINED = ("sk", "conv.0", "conv.1", "conv.2")
"""The layers of which a convolution consists in training."""


def _folded(parts: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """One 3x3 convolution (OIHW) for 1x1, 3x3 and 1x1 in a row and a 1x1 beside them.

    None if their shapes do not go together.
    """
    skip, first, middle, last = (parts[f"{name}.weight"].astype(float) for name in _TRAINED)
    skip_bias, first_bias, middle_bias, last_bias = (
        parts[f"{name}.bias"].astype(float) for name in _TRAINED
    )
    try:
        kernel = np.einsum(
            "om,mnhw,ni->oihw", last[..., 0, 0], middle, first[..., 0, 0], optimize=True
        )
        kernel[:, :, 1, 1] += skip[..., 0, 0]
        inner = np.einsum("mnhw,n->m", middle, first_bias) + middle_bias
        bias = last[..., 0, 0] @ inner + last_bias + skip_bias
    except (ValueError, IndexError):
        return None
    return kernel.astype(np.float32), bias.astype(np.float32)


class Conv3XC(nnx.Module):
    """A 3x3 convolution, as it is deployed: in training it consists of several layers."""

    def __init__(self, c_in: int, c_out: int, *, init_scale: float = 1.0, rngs: nnx.Rngs):
        self.eval_conv = Conv(c_in, c_out, init_scale=init_scale, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return self.eval_conv(x)


class SPAB(nnx.Module):
    """Three convolutions, weighted by an odd function of their own result."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        for step in (1, 2, 3):
            setattr(self, f"c{step}_r", Conv3XC(width, width, rngs=rngs))

    def __call__(
        self, x: Float[jax.Array, "n h w c"]
    ) -> tuple[Float[jax.Array, "n h w c"], Float[jax.Array, "n h w c"]]:
        """[n, h, w, width] -> the block's result and its first activation, of the same shape."""
        first = jax.nn.silu(self.c1_r(x))
        y = self.c3_r(jax.nn.silu(self.c2_r(first)))
        return (y + x) * (jax.nn.sigmoid(y) - 0.5), first


class SPAN(nnx.Module):
    """Blocks with parameter-free attention, of which the first and the last reach the head.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        feature_channels: channels inside.
        num_blocks: number of blocks.
        upscale: upscaling factor.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        feature_channels: int = 28,
        num_blocks: int = 6,
        upscale: int = 4,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        width = feature_channels
        self.mean = DIV2K_MEAN if num_in_ch == 3 else (0.0,) * num_in_ch
        self.blocks = tuple(f"block_{index + 1}" for index in range(num_blocks))
        # The input is `value_range` times as large as He's initialisation expects.
        self.conv_1 = Conv3XC(num_in_ch, width, init_scale=1 / value_range, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, SPAB(width, rngs=rngs))
        self.conv_2 = Conv3XC(width, width, rngs=rngs)
        self.conv_cat = Conv(4 * width, width, 1, rngs=rngs)
        self.upsampler = Sequential(
            Conv(width, num_out_ch * upscale**2, init_scale=0.1, rngs=rngs), PixelShuffle(upscale)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * upscale, w * upscale, num_out_ch]."""
        mean = jnp.asarray(self.mean, x.dtype).reshape(1, 1, 1, -1)
        shallow = y = self.conv_1(to_range(x - mean, self.value_range))
        results, inner = [], y
        for name in self.blocks:
            y, inner = getattr(self, name)(y)
            results.append(y)
        gathered = [shallow, self.conv_2(y), results[0], inner]
        return self.upsampler(self.conv_cat(jnp.concatenate(gathered, axis=-1)))

    @staticmethod
    def translated(state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The deployed form of a state dict: what training has as several layers in one.

        Stored values of the one layer are of no account then, as in the official code, which
        computes them anew.
        """
        found = dict(state_dict)
        for prefix in [key.removesuffix("sk.weight") for key in found if key.endswith("sk.weight")]:
            keys = [f"{name}.{leaf}" for name in _TRAINED for leaf in ("weight", "bias")]
            if not all(prefix + key in found for key in keys):
                continue
            folded = _folded({key: np.asarray(found[prefix + key]) for key in keys})
            if folded is not None:
                for key in keys:
                    del found[prefix + key]
                found[f"{prefix}eval_conv.weight"], found[f"{prefix}eval_conv.bias"] = folded
        return found

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict.

        The output is taken to have as many channels as the input.
        """
        width, num_in_ch = shapes["conv_1.eval_conv.weight"][:2]
        return {
            "num_in_ch": num_in_ch,
            "num_out_ch": num_in_ch,
            "feature_channels": width,
            "num_blocks": sum(key.endswith(".c1_r.eval_conv.weight") for key in shapes),
            "upscale": math.isqrt(shapes["upsampler.0.weight"][0] // num_in_ch),
        }

    @staticmethod
    def receptive_radius(num_blocks: int = 6, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return 3 * num_blocks + 3


ENTRIES = (
    Entry(
        "SPAN",
        SPAN,
        tasks=("SR",),
        scale=4,
        official_files=("team38_span_ch28_slim.pth", "team00_SPAN.pth"),
        published_at="github.com/Amazingren/NTIRE2024_ESR",
        licence="MIT",
    ),
    Entry(
        "SPAN_48",
        SPAN,
        {"feature_channels": 48},
        tasks=("SR",),
        scale=4,
        official_files=("spanx4_ch48.pth",),
        published_at="github.com/hongyuanyu/SPAN",
        licence="Apache-2.0",
    ),
)
