"""X-Restormer: A Comparative Study of Image Restoration Networks (Chen et al., ECCV 2024)."""

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
    Conv,
    attend,
    merge_windows,
    split_overlapping_windows,
    split_windows,
    upsample_bilinear,
)
from .restormer import ChannelAttention, FeedForward, Norm, TransformerUNet, unet_config


class RelPosEmb(nnx.Module):
    """Logits from the products of queries with learnt vectors for rows and for columns.

    Args:
        block_size: side of the queries' window.
        rel_size: side of the keys' window.
        dim_head: channels of a head.
        rngs: source of the initial weights.
    """

    def __init__(self, block_size: int, rel_size: int, dim_head: int, *, rngs: nnx.Rngs):
        self.block_size = block_size
        self.rel_size = rel_size
        init = jax.nn.initializers.normal(dim_head**-0.5)
        self.rel_height = nnx.Param(init(rngs.params(), (2 * rel_size - 1, dim_head)))
        self.rel_width = nnx.Param(init(rngs.params(), (2 * rel_size - 1, dim_head)))

    def __call__(
        self, q: Float[jax.Array, "n windows queries heads c"]
    ) -> Float[jax.Array, "n windows heads queries keys"]:
        """[n, windows, queries, heads, dim_head] -> [n, windows, heads, queries, keys]."""
        n, windows, _, heads, channels = q.shape
        size, keys = self.block_size, self.rel_size
        q = q.reshape(n, windows, size, size, heads, channels)
        offset = np.arange(keys)[None, :] - np.arange(size)[:, None] + keys - 1
        rows = jnp.einsum("nwyxhc,ykc->nwhyxk", q, self.rel_height[...][offset])
        columns = jnp.einsum("nwyxhc,xkc->nwhyxk", q, self.rel_width[...][offset])
        logits = rows[..., :, None] + columns[..., None, :]
        return logits.reshape(n, windows, heads, size**2, keys**2)


class OCAB(nnx.Module):
    """Attention from every window to a larger one around it.

    Keys and values beyond the image are zeros and take part in the softmax.
    """

    def __init__(
        self,
        dim: int,
        window_size: int,
        overlap_ratio: float,
        num_heads: int,
        dim_head: int,
        *,
        rngs: nnx.Rngs,
    ):
        self.window_size = window_size
        self.overlapping_size = window_size + int(window_size * overlap_ratio)
        self.num_heads = num_heads
        inner = num_heads * dim_head
        self.qkv = Conv(dim, 3 * inner, 1, use_bias=False, rngs=rngs)
        self.project_out = Conv(inner, dim, 1, use_bias=False, init_scale=0.1, rngs=rngs)
        self.rel_pos_emb = RelPosEmb(window_size, self.overlapping_size, dim_head, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        _, h, w, _ = x.shape
        qkv = self.qkv(x)
        q, kv = jnp.split(qkv, [qkv.shape[-1] // 3], axis=-1)
        q = split_windows(q, self.window_size)
        kv = split_overlapping_windows(kv, self.window_size, self.overlapping_size)
        k, v = jnp.split(kv, 2, axis=-1)
        per_head = q.reshape(*q.shape[:3], self.num_heads, -1)
        bias = self.rel_pos_emb(per_head * per_head.shape[-1] ** -0.5)
        return self.project_out(merge_windows(attend(q, k, v, bias), self.window_size, h, w))


class TransformerBlock(nnx.Module):
    """Attention among channels and attention in windows, each with its feed-forward part."""

    def __init__(
        self,
        dim: int,
        window_size: int,
        overlap_ratio: float,
        channel_heads: int,
        spatial_heads: int,
        spatial_dim_head: int,
        ffn_expansion_factor: float,
        layer_norm: str,
        *,
        rngs: nnx.Rngs,
    ):
        self.spatial_attn = OCAB(
            dim, window_size, overlap_ratio, spatial_heads, spatial_dim_head, rngs=rngs
        )
        self.channel_attn = ChannelAttention(dim, channel_heads, rngs=rngs)
        self.norm1 = Norm(dim, layer_norm)
        self.norm2 = Norm(dim, layer_norm)
        self.norm3 = Norm(dim, layer_norm)
        self.norm4 = Norm(dim, layer_norm)
        self.channel_ffn = FeedForward(dim, ffn_expansion_factor, rngs=rngs)
        self.spatial_ffn = FeedForward(dim, ffn_expansion_factor, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.channel_attn(self.norm1(x))
        x = x + self.channel_ffn(self.norm2(x))
        x = x + self.spatial_attn(self.norm3(x))
        return x + self.spatial_ffn(self.norm4(x))


class XRestormer(TransformerUNet):
    """Restormer with every second attention in overlapping windows instead of among channels.

    Args:
        inp_channels: channels of the input.
        out_channels: channels of the output.
        dim: channels of the first level; every level doubles them.
        num_blocks: blocks in every level's chain.
        num_refinement_blocks: blocks behind the last level.
        channel_heads: heads of every level's attention among channels.
        spatial_heads: heads of every level's attention in windows.
        overlap_ratio: growth of the windows of keys, relative to `window_size`.
        window_size: side of a window of queries.
        spatial_dim_head: channels of a head of the attention in windows.
        ffn_expansion_factor: hidden channels of the feed-forward parts, relative to a level's.
        LayerNorm_type: "WithBias" or "BiasFree".
        scale: factor by which the input is first enlarged.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "scale",
            "scale",
            "output pixels per input pixel: the network enlarges its input before it restores it, "
            "and its weights do not tell by how much",
            least=1,
            most=8,
            whole=True,
        ),
    )

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = 48,
        num_blocks: tuple[int, ...] = (2, 4, 4, 4),
        num_refinement_blocks: int = 4,
        channel_heads: tuple[int, ...] = (1, 2, 4, 8),
        spatial_heads: tuple[int, ...] = (1, 2, 4, 8),
        overlap_ratio: float = 0.5,
        window_size: int = 8,
        spatial_dim_head: int = 16,
        ffn_expansion_factor: float = 2.66,
        LayerNorm_type: str = "WithBias",
        scale: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        def block(width: int, level: int) -> TransformerBlock:
            return TransformerBlock(
                width,
                window_size,
                overlap_ratio,
                channel_heads[level],
                spatial_heads[level],
                spatial_dim_head,
                ffn_expansion_factor,
                LayerNorm_type,
                rngs=rngs,
            )

        super().__init__(
            block, inp_channels, out_channels, dim, num_blocks, num_refinement_blocks, rngs=rngs
        )
        self.scale = scale

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
        """[n, h, w, inp_channels] -> [n, h * scale, w * scale, out_channels].

        8 * window_size divides h * scale and w * scale.
        """
        return super().__call__(upsample_bilinear(x, self.scale) if self.scale > 1 else x)

    @staticmethod
    def config(
        shapes: dict[str, tuple[int, ...]],
    ) -> dict[str, int | float | str | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        arguments = unet_config(shapes, "channel_attn", "channel_ffn")
        levels = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")
        inner = [shapes[f"{level}.0.spatial_attn.project_out.weight"][1] for level in levels]
        dim_head = shapes["encoder_level1.0.spatial_attn.rel_pos_emb.rel_height"][1]
        arguments["channel_heads"] = arguments.pop("heads")
        arguments["spatial_heads"] = tuple(width // dim_head for width in inner)
        arguments["spatial_dim_head"] = dim_head
        return arguments

    @staticmethod
    def period(
        scale: int = 1, window_size: int = 8, **_: int | float | str | tuple[int, ...]
    ) -> int:
        """Period of the network's grid in input pixels: windows at an eighth of the size."""
        return 8 * window_size // math.gcd(8 * window_size, scale)


_GLOBAL = ("attention among channels in every block",)
_CHEN: dict[str, Any] = {
    "published_at": "github.com/Andrew0613/X-Restormer",
    "licence": "MIT",
}

ENTRIES = (
    Entry(
        "XRestormer_SR",
        XRestormer,
        {"scale": 4},
        tasks=("SR",),
        scale=4,
        official_files=("xrestormer_sr.pth",),
        size_multiple=16,
        global_operations=_GLOBAL,
        **_CHEN,
    ),
    Entry(
        "XRestormer_DN",
        XRestormer,
        tasks=("DN",),
        official_files=("xrestormer_denoise_300k.pth",),
        size_multiple=64,
        global_operations=_GLOBAL,
        **_CHEN,
    ),
    Entry(
        "XRestormer_DR",
        XRestormer,
        tasks=("DR",),
        official_files=("xrestormer_derain.pth",),
        size_multiple=64,
        global_operations=_GLOBAL,
        **_CHEN,
    ),
)
