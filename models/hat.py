"""HAT: Activating More Pixels in Image Super-Resolution Transformer (Chen et al., CVPR 2023)."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import (
    DIV2K_MEAN,
    GELU,
    Chain,
    ChannelAttention,
    Conv,
    LayerNorm,
    LeakyReLU,
    Linear,
    Mlp,
    Pairs,
    PatchEmbed,
    Sequential,
    Upsampler,
    WindowAttention,
    attend,
    depths_of,
    from_range,
    merge_windows,
    relative_position_index,
    split_overlapping_windows,
    split_windows,
    to_range,
)
from .value_range import RANGE

_TAIL_WIDTH = 64
"""Channels between body and image."""


def overlap_index(size: int, overlapping_size: int) -> np.ndarray:
    """Row of the bias table for every query and key, [size**2, overlapping_size**2].

    Offsets are key minus query. HAT's offsets start below zero and so do the rows, which then count
    from the table's end; all rows are different.
    """
    queries, keys = (np.indices((n, n)).reshape(2, -1) for n in (size, overlapping_size))
    dy, dx = keys[:, None, :] - queries[:, :, None] + size - overlapping_size + 1
    return dy * (size + overlapping_size - 1) + dx


class CAB(nnx.Module):
    """Two convolutions with a bottleneck, then channel attention over the whole image."""

    def __init__(self, dim: int, compress_ratio: int, squeeze_factor: int, *, rngs: nnx.Rngs):
        hidden = dim // compress_ratio
        self.cab = Sequential(
            Conv(dim, hidden, rngs=rngs),
            GELU(),
            Conv(hidden, dim, rngs=rngs),
            ChannelAttention(dim, squeeze_factor, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.cab(x)


class HAB(nnx.Module):
    """Window attention and, beside it, a weak channel attention; then the feed-forward part."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        shift: int,
        compress_ratio: int,
        squeeze_factor: int,
        conv_scale: float,
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.conv_scale = conv_scale
        self.norm1 = LayerNorm(dim)
        self.attn = WindowAttention(dim, window_size, num_heads, shift, rngs=rngs)
        self.conv_block = CAB(dim, compress_ratio, squeeze_factor, rngs=rngs)
        self.norm2 = LayerNorm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio), rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = self.norm1(x)
        x = x + self.attn(y) + self.conv_scale * self.conv_block(y)
        return x + self.mlp(self.norm2(x))


class OCAB(nnx.Module):
    """Attention from every window to a larger one around it; then the feed-forward part.

    Keys and values beyond the image are zeros and take part in the softmax.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        overlap_ratio: float,
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.window_size = window_size
        self.overlapping_size = window_size + round(window_size * overlap_ratio)
        init = jax.nn.initializers.truncated_normal(0.02)
        rows = (window_size + self.overlapping_size - 1) ** 2
        self.relative_position_bias_table = nnx.Param(init(rngs.params(), (rows, num_heads)))
        self.norm1 = LayerNorm(dim)
        self.qkv = Linear(dim, 3 * dim, rngs=rngs)
        self.proj = Linear(dim, dim, rngs=rngs)
        self.norm2 = LayerNorm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio), rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.proj(self._attend(self.qkv(self.norm1(x))))
        return x + self.mlp(self.norm2(x))

    def _attend(self, qkv: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        """[n, h, w, 3 * dim] -> [n, h, w, dim]."""
        _, h, w, channels = qkv.shape
        q, kv = jnp.split(qkv, [channels // 3], axis=-1)
        kv = split_overlapping_windows(kv, self.window_size, self.overlapping_size)
        k, v = jnp.split(kv, 2, axis=-1)
        table = self.relative_position_bias_table[...]
        index = overlap_index(self.window_size, self.overlapping_size) % table.shape[0]
        bias = table.T[None, None, :, index]
        y = attend(split_windows(q, self.window_size), k, v, bias)
        return merge_windows(y, self.window_size, h, w)


class AttenBlocks(nnx.Module):
    """Hybrid blocks with plain and shifted windows in turn, then an overlapping one."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: int,
        compress_ratio: int,
        squeeze_factor: int,
        conv_scale: float,
        overlap_ratio: float,
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        branch = (compress_ratio, squeeze_factor, conv_scale)
        shifts = [0 if i % 2 == 0 else window_size // 2 for i in range(depth)]
        self.blocks = Pairs(
            *(
                HAB(dim, num_heads, window_size, shift, *branch, mlp_ratio, rngs=rngs)
                for shift in shifts
            )
        )
        self.overlap_attn = OCAB(dim, num_heads, window_size, overlap_ratio, mlp_ratio, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.overlap_attn(self.blocks(x))


class RHAG(nnx.Module):
    """x + conv(attention blocks(x))."""

    def __init__(self, dim: int, *arguments: Any, rngs: nnx.Rngs):
        self.residual_group = AttenBlocks(dim, *arguments, rngs=rngs)
        self.conv = Conv(dim, dim, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.conv(self.residual_group(x))


class HAT(nnx.Module):
    """Groups of hybrid attention blocks between convolutions, then sub-pixel upsampling.

    Args:
        in_chans: channels of the image.
        embed_dim: channels inside.
        depths: number of hybrid blocks in every group.
        num_heads: attention heads in every group.
        window_size: side of a window; it must divide the image's sides.
        compress_ratio: channels over hidden channels of the convolutional branch.
        squeeze_factor: channels over hidden channels of the channel attention.
        conv_scale: weight of the convolutional branch.
        overlap_ratio: growth of the overlapping windows, relative to `window_size`.
        mlp_ratio: hidden channels of the feed-forward parts, relative to `embed_dim`.
        upscale: upscaling factor, 3 or a power of 2.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (
        RANGE,
        Argument(
            "conv_scale",
            "conv_scale",
            "weight of the convolutional branch beside the attention: 0.01 in all published files",
        ),
    )

    def __init__(
        self,
        in_chans: int = 3,
        embed_dim: int = 180,
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        num_heads: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        window_size: int = 16,
        compress_ratio: int = 3,
        squeeze_factor: int = 30,
        conv_scale: float = 0.01,
        overlap_ratio: float = 0.5,
        mlp_ratio: float = 2.0,
        upscale: int = 4,
        value_range: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        self.mean = DIV2K_MEAN if in_chans == 3 else (0.0,) * in_chans
        self.conv_first = Conv(in_chans, embed_dim, rngs=rngs)
        self.patch_embed = PatchEmbed(embed_dim)
        shared = (window_size, compress_ratio, squeeze_factor, conv_scale, overlap_ratio, mlp_ratio)
        self.layers = Chain(
            *(
                RHAG(embed_dim, depth, heads, *shared, rngs=rngs)
                for depth, heads in zip(depths, num_heads, strict=True)
            )
        )
        self.norm = LayerNorm(embed_dim)
        self.conv_after_body = Conv(embed_dim, embed_dim, init_scale=0.1, rngs=rngs)
        self.conv_before_upsample = Sequential(Conv(embed_dim, _TAIL_WIDTH, rngs=rngs), LeakyReLU())
        self.upsample = Upsampler(upscale, _TAIL_WIDTH, rngs=rngs)
        self.conv_last = Conv(_TAIL_WIDTH, in_chans, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_chans] -> [n, h * upscale, w * upscale, in_chans]."""
        mean = jnp.asarray(self.mean, x.dtype).reshape(1, 1, 1, -1)
        first = self.conv_first(to_range(x - mean, self.value_range))
        features = self.norm(self.layers(self.patch_embed(first)))
        y = self.conv_before_upsample(first + self.conv_after_body(features))
        return from_range(self.conv_last(self.upsample(y)), self.value_range) + mean

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        embed_dim, in_chans = shapes["conv_first.weight"][:2]
        depths = depths_of(shapes)
        table = "relative_position_bias_table"
        heads = [
            shapes[f"layers.{i}.residual_group.overlap_attn.{table}"][1] for i in range(len(depths))
        ]
        group = "layers.0.residual_group"
        block = f"{group}.blocks.0"
        window_size = (math.isqrt(shapes[f"{block}.attn.{table}"][0]) + 1) // 2
        overlapping_size = math.isqrt(shapes[f"{group}.overlap_attn.{table}"][0]) + 1 - window_size
        attention = f"{block}.conv_block.cab.3.attention.1.weight"
        return {
            "in_chans": in_chans,
            "embed_dim": embed_dim,
            "depths": depths,
            "num_heads": tuple(heads),
            "window_size": window_size,
            "compress_ratio": embed_dim // shapes[f"{block}.conv_block.cab.0.weight"][0],
            "squeeze_factor": embed_dim // shapes[attention][0],
            "overlap_ratio": overlapping_size / window_size - 1,
            "mlp_ratio": shapes[f"{block}.mlp.fc1.weight"][0] / embed_dim,
            "upscale": Upsampler.factor(shapes, "upsample."),
        }

    @staticmethod
    def tables(
        window_size: int = 16, overlap_ratio: float = 0.5, **_: int | float | tuple[int, ...]
    ) -> dict[str, np.ndarray]:
        """The entries of a torch state dict that follow from the arguments, by torch key."""
        overlapping_size = window_size + round(window_size * overlap_ratio)
        return {
            "relative_position_index_SA": relative_position_index(window_size),
            "relative_position_index_OCA": overlap_index(window_size, overlapping_size),
        }

    @staticmethod
    def period(window_size: int = 16, **_: int | float | tuple[int, ...]) -> int:
        """Period of the network's grid in input pixels."""
        return window_size

    @staticmethod
    def receptive_radius(**_: int | float | tuple[int, ...]) -> None:
        """The channel attentions see the whole image."""


_XPIXEL: dict[str, Any] = {"published_at": "github.com/XPixelGroup/HAT", "licence": "Apache-2.0"}

ENTRIES = (
    Entry(
        "HAT",
        HAT,
        tasks=("SR",),
        scale=4,
        official_files=("HAT_SRx4.pth",),
        size_multiple=16,
        global_operations=("channel attention over the whole image in every hybrid block",),
        **_XPIXEL,
    ),
    Entry(
        "HAT-L",
        HAT,
        {"depths": (6,) * 12, "num_heads": (6,) * 12},
        tasks=("SR",),
        scale=4,
        official_files=("HAT-L_SRx4_ImageNet-pretrain.pth",),
        size_multiple=16,
        global_operations=("channel attention over the whole image in every hybrid block",),
        **_XPIXEL,
    ),
)
