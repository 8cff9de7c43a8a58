"""Restormer: Efficient Transformer for High-Resolution Restoration (Zamir et al., CVPR 2022)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import Chain, Conv, LayerNorm, Sequential, gelu, pixel_shuffle, pixel_unshuffle

_CHAINS = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")


class BiasFreeLayerNorm(nnx.Module):
    """x / sqrt(variance + 1e-5) * scale over the last axis: the mean is not taken off x."""

    def __init__(self, num_features: int):
        self.scale = nnx.Param(jnp.ones(num_features))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        scale = jnp.reshape(self.scale[...], (1,) * (x.ndim - 1) + (-1,))
        return x / jnp.sqrt(jnp.var(x, axis=-1, keepdims=True) + 1e-5) * scale


class Norm(nnx.Module):
    """Normalisation of every pixel, "WithBias" or "BiasFree"."""

    def __init__(self, dim: int, kind: str):
        self.body = {"WithBias": LayerNorm, "BiasFree": BiasFreeLayerNorm}[kind](dim)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.body(x)


class FeedForward(nnx.Module):
    """project_out(gelu(a) * b), a and b being the halves of a depthwise convolution's output."""

    def __init__(self, dim: int, ffn_expansion_factor: float, *, rngs: nnx.Rngs):
        hidden = int(dim * ffn_expansion_factor)
        wide = 2 * hidden
        self.project_in = Conv(dim, wide, 1, use_bias=False, rngs=rngs)
        self.dwconv = Conv(wide, wide, groups=wide, use_bias=False, rngs=rngs)
        self.project_out = Conv(hidden, dim, 1, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        gate, y = jnp.split(self.dwconv(self.project_in(x)), 2, axis=-1)
        return self.project_out(gelu(gate) * y)


def _unit(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    """X / max(norm, 1e-12) over the pixels, axis 1; differentiable at zero."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, axis=1, keepdims=True), 1e-24))


def attend_channels(
    q: Float[jax.Array, "n h w c"],
    k: Float[jax.Array, "n h w c"],
    v: Float[jax.Array, "n h w c"],
    temperature: Float[jax.Array, "heads 1 1"],
) -> Float[jax.Array, "n h w c"]:
    """Multi-head attention among channels, whose similarity is taken over all pixels.

    Args:
        q: queries [n, h, w, c]; heads are blocks of channels.
        k: keys [n, h, w, c].
        v: values [n, h, w, c].
        temperature: factor on every head's cosines, [heads, 1, 1].

    Returns:
        [n, h, w, c].
    """
    per_head = (v.shape[0], -1, temperature.shape[0], v.shape[-1] // temperature.shape[0])
    shape, (q, k, v) = v.shape, (t.reshape(per_head) for t in (q, k, v))
    logits = jnp.einsum("nphc,nphd->nhcd", _unit(q), _unit(k)) * temperature[None]
    y = jnp.einsum("nhcd,nphd->nphc", jax.nn.softmax(logits, axis=-1), v)
    return y.reshape(shape)


class ChannelAttention(nnx.Module):
    """Attention among channels, whose similarity is taken over all pixels."""

    def __init__(self, dim: int, num_heads: int, *, rngs: nnx.Rngs):
        self.temperature = nnx.Param(jnp.ones((num_heads, 1, 1)))
        self.qkv = Conv(dim, 3 * dim, 1, use_bias=False, rngs=rngs)
        self.qkv_dwconv = Conv(3 * dim, 3 * dim, groups=3 * dim, use_bias=False, rngs=rngs)
        self.project_out = Conv(dim, dim, 1, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        q, k, v = jnp.split(self.qkv_dwconv(self.qkv(x)), 3, axis=-1)
        return self.project_out(attend_channels(q, k, v, self.temperature[...]))


class TransformerBlock(nnx.Module):
    """Channel attention and feed-forward part, each around a skip."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        ffn_expansion_factor: float,
        layer_norm: str,
        *,
        rngs: nnx.Rngs,
    ):
        self.norm1 = Norm(dim, layer_norm)
        self.attn = ChannelAttention(dim, num_heads, rngs=rngs)
        self.norm2 = Norm(dim, layer_norm)
        self.ffn = FeedForward(dim, ffn_expansion_factor, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class PatchEmbed(nnx.Module):
    """The first convolution."""

    def __init__(self, in_c: int, embed_dim: int, *, rngs: nnx.Rngs):
        self.proj = Conv(in_c, embed_dim, use_bias=False, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return self.proj(x)


class Downsample(nnx.Module):
    """[n, h, w, c] -> [n, h / 2, w / 2, 2 * c]."""

    def __init__(self, n_feat: int, *, rngs: nnx.Rngs):
        self.body = Sequential(Conv(n_feat, n_feat // 2, use_bias=False, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return pixel_unshuffle(self.body(x), 2)


class Upsample(nnx.Module):
    """[n, h, w, c] -> [n, h * 2, w * 2, c / 2]."""

    def __init__(self, n_feat: int, *, rngs: nnx.Rngs):
        self.body = Sequential(Conv(n_feat, 2 * n_feat, use_bias=False, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return pixel_shuffle(self.body(x), 2)


class TransformerUNet(nnx.Module):
    """Transformer blocks on four levels, down and up with skips, then the image's correction.

    Args:
        block: a block from its channels and its level, 0 to 3.
        inp_channels: channels of the input.
        out_channels: channels of the output.
        dim: channels of the first level; every level doubles them.
        num_blocks: blocks in every level's chain.
        num_refinement_blocks: blocks behind the last level.
        dual_pixel_task: whether the first features are added to the last ones, in place of the
            input to the output: for two views in, one image out.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        block: Callable[[int, int], nnx.Module],
        inp_channels: int,
        out_channels: int,
        dim: int,
        num_blocks: tuple[int, ...],
        num_refinement_blocks: int,
        dual_pixel_task: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        def chain(width: int, level: int, length: int) -> Chain:
            return Chain(*(block(width, level) for _ in range(length)))

        def pointwise(inputs: int, outputs: int) -> Conv:
            return Conv(inputs, outputs, 1, use_bias=False, rngs=rngs)

        self.patch_embed = PatchEmbed(inp_channels, dim, rngs=rngs)
        self.encoder_level1 = chain(dim, 0, num_blocks[0])
        self.down1_2 = Downsample(dim, rngs=rngs)
        self.encoder_level2 = chain(2 * dim, 1, num_blocks[1])
        self.down2_3 = Downsample(2 * dim, rngs=rngs)
        self.encoder_level3 = chain(4 * dim, 2, num_blocks[2])
        self.down3_4 = Downsample(4 * dim, rngs=rngs)
        self.latent = chain(8 * dim, 3, num_blocks[3])
        self.up4_3 = Upsample(8 * dim, rngs=rngs)
        self.reduce_chan_level3 = pointwise(8 * dim, 4 * dim)
        self.decoder_level3 = chain(4 * dim, 2, num_blocks[2])
        self.up3_2 = Upsample(4 * dim, rngs=rngs)
        self.reduce_chan_level2 = pointwise(4 * dim, 2 * dim)
        self.decoder_level2 = chain(2 * dim, 1, num_blocks[1])
        self.up2_1 = Upsample(2 * dim, rngs=rngs)
        # The first level's features stay joined to the skip: twice as wide as in the encoder.
        self.decoder_level1 = chain(2 * dim, 0, num_blocks[0])
        self.refinement = chain(2 * dim, 0, num_refinement_blocks)
        self.skip_conv = pointwise(dim, 2 * dim) if dual_pixel_task else None
        self.output = Conv(2 * dim, out_channels, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, inp_channels] -> [n, h, w, out_channels]; 8 divides h and w."""
        first = self.patch_embed(x)
        level1 = self.encoder_level1(first)
        level2 = self.encoder_level2(self.down1_2(level1))
        level3 = self.encoder_level3(self.down2_3(level2))
        y = self.up4_3(self.latent(self.down3_4(level3)))
        y = self.decoder_level3(self.reduce_chan_level3(jnp.concatenate([y, level3], axis=-1)))
        y = self.up3_2(y)
        y = self.decoder_level2(self.reduce_chan_level2(jnp.concatenate([y, level2], axis=-1)))
        y = self.decoder_level1(jnp.concatenate([self.up2_1(y), level1], axis=-1))
        y = self.refinement(y)
        if self.skip_conv is None:
            return self.output(y) + x
        return self.output(y + self.skip_conv(first))

    @staticmethod
    def receptive_radius(**_: int | float | str | tuple[int, ...]) -> None:
        """The attention among channels sees the whole image."""


def unet_config(
    shapes: dict[str, tuple[int, ...]], attention: str, feed_forward: str
) -> dict[str, int | float | str | tuple[int, ...]]:
    """Arguments that networks of this shape share, from the shapes of a torch state dict.

    Args:
        shapes: shapes by torch key.
        attention: a block's channel attention.
        feed_forward: a block's feed-forward part.
    """
    dim, inp_channels = shapes["patch_embed.proj.weight"][:2]

    def length(chain: str) -> int:
        return 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith(f"{chain}."))

    hidden = [shapes[f"{chain}.0.{feed_forward}.project_out.weight"][1] for chain in _CHAINS]
    # Hidden widths are rounded down, so they leave an interval of factors; its middle is taken.
    low = max(h / (dim * 2**level) for level, h in enumerate(hidden))
    high = min((h + 1) / (dim * 2**level) for level, h in enumerate(hidden))
    biased = "encoder_level1.0.norm1.body.bias" in shapes
    return {
        "inp_channels": inp_channels,
        "out_channels": shapes["output.weight"][0],
        "dim": dim,
        "num_blocks": tuple(length(chain) for chain in _CHAINS),
        "num_refinement_blocks": length("refinement"),
        "heads": tuple(shapes[f"{chain}.0.{attention}.temperature"][0] for chain in _CHAINS),
        "ffn_expansion_factor": (low + high) / 2,
        "LayerNorm_type": "WithBias" if biased else "BiasFree",
    }


class Restormer(TransformerUNet):
    """A U-shaped network of attention among channels and gated feed-forward parts.

    Args:
        inp_channels: channels of the input.
        out_channels: channels of the output.
        dim: channels of the first level; every level doubles them.
        num_blocks: blocks in every level's chain.
        num_refinement_blocks: blocks behind the last level.
        heads: attention heads of every level.
        ffn_expansion_factor: hidden channels of the feed-forward parts, relative to a level's.
        LayerNorm_type: "WithBias" or "BiasFree".
        dual_pixel_task: whether two views come in and one image goes out.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = 48,
        num_blocks: tuple[int, ...] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: tuple[int, ...] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        LayerNorm_type: str = "WithBias",
        dual_pixel_task: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        def block(width: int, level: int) -> TransformerBlock:
            return TransformerBlock(
                width, heads[level], ffn_expansion_factor, LayerNorm_type, rngs=rngs
            )

        super().__init__(
            block, inp_channels, out_channels, dim, num_blocks, num_refinement_blocks,
            dual_pixel_task, rngs=rngs,
        )  # fmt: skip

    @staticmethod
    def config(
        shapes: dict[str, tuple[int, ...]],
    ) -> dict[str, int | float | str | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        config = unet_config(shapes, "attn", "ffn")
        return {**config, "dual_pixel_task": "skip_conv.weight" in shapes}


_ZAMIR: dict[str, Any] = {
    "published_at": "github.com/swz30/Restormer",
    "licence": "Academic Public License, non-commercial",
}

ENTRIES = (
    Entry(
        "Restormer_DN",
        Restormer,
        {"LayerNorm_type": "BiasFree"},
        tasks=("DN",),
        official_files=(
            "Restormer_gaussian_color_denoising_sigma50.pth",
            "gaussian_color_denoising_sigma50.pth",
        ),
        size_multiple=8,
        global_operations=("attention among channels in every block",),
        **_ZAMIR,
    ),
    Entry(
        "Restormer_DR",
        Restormer,
        tasks=("DR",),
        official_files=("restormer_deraining.pth", "deraining.pth"),
        size_multiple=8,
        global_operations=("attention among channels in every block",),
        **_ZAMIR,
    ),
)
