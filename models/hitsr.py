"""HiT-SR: Hierarchical Transformer for Efficient Image Super-Resolution (Zhang et al., ECCV 2024).

HiT-SRF, the one of its networks that comes from SwinIR.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Float

from .entry import Entry
from .layers import (
    DIV2K_MEAN,
    Conv,
    DynamicPosBias,
    LayerNorm,
    LeakyReLU,
    Linear,
    PatchEmbed,
    PixelShuffle,
    Sequential,
    Stage,
    depths_of,
    gelu,
    merge_windows,
    neighbours,
    offsets,
    reach,
    split_windows,
    windows,
)

_BASE = 8
"""Positions along a side of a window, at most, that values are gathered to."""
_SIDES = (4, 8, 16, 32, 48, 64)
"""Sides of the windows of a group's blocks."""
_SLOPE = 0.2


class DFE(nnx.Module):
    """Features of neighbourhoods times features of pixels."""

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        hidden = dim // 5
        self.conv = Sequential(
            Conv(dim, hidden, 1, rngs=rngs),
            LeakyReLU(_SLOPE),
            Conv(hidden, hidden, rngs=rngs),
            LeakyReLU(_SLOPE),
            Conv(hidden, dim, 1, rngs=rngs),
        )
        self.linear = Conv(dim, dim, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.conv(x) * self.linear(x)


class SCC(nnx.Module):
    """Correlation of queries and values inside windows, over positions and over channels.

    Values of a window are gathered to `_BASE` positions a side, so that the cost grows with the
    number of pixels only. There is no softmax.

    Args:
        dim: channels, a multiple of twice the number of heads.
        window_size: side of a window; `_BASE` divides it unless it is smaller.
        num_heads: number of heads.
        rngs: source of the initial weights.
    """

    def __init__(self, dim: int, window_size: int, num_heads: int, *, rngs: nnx.Rngs):
        self.window_size = window_size
        self.num_heads = num_heads
        self.cell = window_size // min(window_size, _BASE)
        self.qv = DFE(dim, rngs=rngs)
        self.proj = Linear(dim, dim, rngs=rngs)
        self.spatial_linear = Linear(self.cell**2, 1, rngs=rngs)
        self.pos = DynamicPosBias(dim, num_heads, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, dim] -> the same shape; `window_size` divides h and w."""
        _, h, w, _ = x.shape
        q, v = jnp.split(split_windows(self.qv(x), self.window_size), 2, axis=-1)
        both = jnp.concatenate([self._over_positions(q, v), self._over_channels(q, v)], axis=-1)
        return self.proj(merge_windows(both, self.window_size, h, w))

    def _over_positions(
        self, q: Float[jax.Array, "n windows pixels c"], v: Float[jax.Array, "n windows pixels c"]
    ) -> Float[jax.Array, "n windows pixels c"]:
        """[n, windows, pixels, c] each -> [n, windows, pixels, c]."""
        gathered = self._gathered(v)
        q, gathered = (t.reshape(*t.shape[:3], self.num_heads, -1) for t in (q, gathered))
        correlation = jnp.einsum("nwqhc,nwkhc->nwhqk", q, gathered) / q.shape[-1]
        y = jnp.einsum("nwhqk,nwkhc->nwqhc", correlation + self._bias(q.dtype), gathered)
        return y.reshape(*y.shape[:3], -1)

    def _over_channels(
        self, q: Float[jax.Array, "n windows pixels c"], v: Float[jax.Array, "n windows pixels c"]
    ) -> Float[jax.Array, "n windows pixels c"]:
        """[n, windows, pixels, c] each -> [n, windows, pixels, c]."""
        correlation = jnp.einsum("nwpi,nwpj->nwij", q, v) / q.shape[2]
        return jnp.einsum("nwij,nwpj->nwpi", correlation, v)

    def _gathered(
        self, v: Float[jax.Array, "n windows pixels c"]
    ) -> Float[jax.Array, "n windows gathered c"]:
        """A weighted sum over every cell of a window: [n, windows, pixels, c] to fewer pixels."""
        n, count, _, c = v.shape
        cell, base = self.cell, self.window_size // self.cell
        cells = v.reshape(n, count, base, cell, base, cell, c)
        cells = jnp.transpose(cells, (0, 1, 2, 4, 6, 3, 5))
        return self.spatial_linear(cells.reshape(n, count, base**2, c, cell**2))[..., 0]

    def _bias(self, dtype: jnp.dtype) -> Float[jax.Array, "1 1 heads pixels gathered"]:
        """Means over every cell of the offsets' bias, [1, 1, heads, pixels, gathered pixels]."""
        side, cell, base = self.window_size, self.cell, self.window_size // self.cell
        # Heads first, as where it is added: what is added in another order is slow to read.
        bias = jnp.moveaxis(self.pos(jnp.asarray(offsets(side, side), dtype)), -1, 0)
        for window in ((1, cell, 1), (1, 1, cell)):
            bias = lax.reduce_window(bias, 0.0, lax.add, window, (1, 1, 1), "VALID") / cell
        # Query minus key, the key at the end of its cell: where the window of its mean begins.
        place = np.arange(side)[:, None] - cell * np.arange(base)[None, :] + side - cell
        bias = jnp.take(jnp.take(bias, place.ravel(), 1), place.ravel(), 2)
        bias = bias.reshape(-1, side, base, side, base)
        return jnp.swapaxes(bias, 2, 3).reshape(1, 1, -1, side**2, base**2)


class DepthwiseConv(nnx.Module):
    """gelu(conv), every channel by itself, under the name that it has here."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.depthwise_conv = Sequential(Conv(width, width, 5, groups=width, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return gelu(self.depthwise_conv(x))


class ConvFFN(nnx.Module):
    """The feed-forward part, with a look at the neighbours between its layers."""

    def __init__(self, dim: int, hidden: int, *, rngs: nnx.Rngs):
        self.fc1 = Linear(dim, hidden, rngs=rngs)
        self.dwconv = DepthwiseConv(hidden, rngs=rngs)
        self.fc2 = Linear(hidden, dim, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = gelu(self.fc1(x))
        return self.fc2(y + self.dwconv(y))


class HierarchicalBlock(nnx.Module):
    """Correlation and feed-forward part, each normalised and around a skip.

    Sides that the window does not divide are padded for the correlation by reflection at the
    bottom and the right, more than once where the image is smaller than what is missing.
    """

    def __init__(
        self, dim: int, num_heads: int, window_size: int, mlp_ratio: float, *, rngs: nnx.Rngs
    ):
        self.window_size = window_size
        self.norm1 = LayerNorm(dim)
        self.correlation = SCC(dim, window_size, num_heads, rngs=rngs)
        self.norm2 = LayerNorm(dim)
        self.mlp = ConvFFN(dim, round(dim * mlp_ratio), rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        _, h, w, _ = x.shape
        padding = [(0, -side % self.window_size) for side in (h, w)]
        full = jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="reflect")
        x = x + self.norm1(self.correlation(full)[:, :h, :w])
        return x + self.norm2(self.mlp(x))


class BasicLayer(nnx.Module):
    """Blocks whose windows grow."""

    def __init__(self, dim: int, depth: int, num_heads: int, mlp_ratio: float, *, rngs: nnx.Rngs):
        self.blocks = Sequential(
            *(HierarchicalBlock(dim, num_heads, side, mlp_ratio, rngs=rngs)
              for side in _SIDES[:depth])
        )  # fmt: skip

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.blocks(x)


class RHTB(nnx.Module):
    """x + conv(blocks(x))."""

    def __init__(self, dim: int, depth: int, num_heads: int, mlp_ratio: float, *, rngs: nnx.Rngs):
        self.residual_group = BasicLayer(dim, depth, num_heads, mlp_ratio, rngs=rngs)
        self.conv = Conv(dim, dim, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.conv(self.residual_group(x))


class HiTSRF(nnx.Module):
    """Groups of blocks with growing windows around one skip, then one pixel shuffle.

    Args:
        in_chans: channels of the image.
        embed_dim: channels inside.
        depths: number of blocks in every group, at most 6.
        num_heads: heads in every group.
        mlp_ratio: hidden channels of the feed-forward parts, relative to `embed_dim`.
        upscale: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_chans: int = 3,
        embed_dim: int = 60,
        depths: tuple[int, ...] = (6, 6, 6, 6),
        num_heads: tuple[int, ...] = (6, 6, 6, 6),
        mlp_ratio: float = 2.0,
        upscale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        if max(depths) > len(_SIDES):
            raise ValueError(f"depths={depths}: expected at most {len(_SIDES)} blocks in a group")
        self.mean = DIV2K_MEAN if in_chans == 3 else (0.0,) * in_chans
        self.conv_first = Conv(in_chans, embed_dim, rngs=rngs)
        self.patch_embed = PatchEmbed(embed_dim)
        self.layers = Sequential(
            *(
                RHTB(embed_dim, depth, heads, mlp_ratio, rngs=rngs)
                for depth, heads in zip(depths, num_heads, strict=True)
            )
        )
        self.norm = LayerNorm(embed_dim)
        self.conv_after_body = Conv(embed_dim, embed_dim, init_scale=0.1, rngs=rngs)
        self.upsample = Sequential(
            Conv(embed_dim, in_chans * upscale**2, rngs=rngs), PixelShuffle(upscale)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_chans] -> [n, h * upscale, w * upscale, in_chans]."""
        mean = jnp.asarray(self.mean, x.dtype).reshape(1, 1, 1, -1)
        first = self.conv_first(x - mean)
        features = self.norm(self.layers(self.patch_embed(first)))
        return self.upsample(first + self.conv_after_body(features)) + mean

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        embed_dim, in_chans = shapes["conv_first.weight"][:2]
        first = "layers.{}.residual_group.blocks.0."
        depths = depths_of(shapes, ".correlation.proj.weight")
        heads = first + "correlation.pos.pos3.2.weight"
        return {
            "in_chans": in_chans,
            "embed_dim": embed_dim,
            "depths": depths,
            "num_heads": tuple(shapes[heads.format(group)][0] for group in range(len(depths))),
            "mlp_ratio": shapes[first.format(0) + "mlp.fc1.weight"][0] / embed_dim,
            "upscale": math.isqrt(shapes["upsample.0.weight"][0] // in_chans),
        }

    @staticmethod
    def receptive_radius(
        depths: tuple[int, ...] = (6, 6, 6, 6), **_: int | float | tuple[int, ...]
    ) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The windows' grids start at the top left corner, so pixels differ in how far they see; this
        is the farthest that any pixel sees.
        """
        conv = neighbours(1)
        stages: list[Stage] = [conv]
        for depth in depths:
            for side in _SIDES[:depth]:
                stages += [conv, windows(side), neighbours(2)]
            stages.append(conv)
        return reach([*stages, conv, conv], math.lcm(*_SIDES))


ENTRIES = (
    Entry(
        "HiT-SRF",
        HiTSRF,
        tasks=("SR",),
        scale=4,
        official_files=("team54_HITSR.pth",),
        published_at="github.com/Amazingren/NTIRE2025_ESR",
        licence="MIT",
        anchor=math.lcm(*_SIDES),
    ),
)
