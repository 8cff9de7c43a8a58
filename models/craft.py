"""CRAFT: Feature Modulation Transformer (Li et al., ICCV 2023).

Cross-Refinement of Global Representation via High-Frequency Prior for Image Super-Resolution.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    DIV2K_MEAN,
    Buffer,
    Conv,
    DynamicPosBias,
    LayerNorm,
    Linear,
    Mlp,
    PixelShuffle,
    Sequential,
    attend,
    gelu,
    max_pool,
    offsets,
)
from .restormer import FeedForward, Norm, attend_channels

_STRIP = (4, 16)
"""Rows and columns of a window for the first half of the channels; the second has them swapped."""
_MULTIPLE = 16


def _split(
    x: Float[jax.Array, "n h w c"], rows: int, columns: int
) -> Float[jax.Array, "n windows {rows}*{columns} c"]:
    """[n, h, w, c] -> [n, windows, rows * columns, c]."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // rows, rows, w // columns, columns, c)
    return x.swapaxes(2, 3).reshape(n, -1, rows * columns, c)


def _merge(
    windows: Float[jax.Array, "n windows {rows}*{columns} c"],
    rows: int,
    columns: int,
    height: int,
    width: int,
) -> Float[jax.Array, "n {height} {width} c"]:
    """[n, windows, rows * columns, c] -> [n, height, width, c], the inverse of `_split`."""
    n, _, _, c = windows.shape
    x = windows.reshape(n, height // rows, width // columns, rows, columns, c)
    return x.swapaxes(2, 3).reshape(n, height, width, c)


def _position_index(rows: int, columns: int) -> np.ndarray:
    """Number of the offset query minus key for every query and key of a window."""
    y, x = (axis.ravel() for axis in np.indices((rows, columns)))
    dy, dx = y[:, None] - y[None, :] + rows - 1, x[:, None] - x[None, :] + columns - 1
    return dy * (2 * columns - 1) + dx


class StripAttention(nnx.Module):
    """Attention in windows that are longer than high, or the reverse.

    Windows of a shifted grid wrap around the image, and what meets there takes part.

    Args:
        dim: channels.
        num_heads: number of heads.
        sides: rows and columns of a window.
        shifts: of the grid, to the bottom and the right.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        sides: tuple[int, int],
        shifts: tuple[int, int],
        *,
        rngs: nnx.Rngs,
    ):
        self.sides = sides
        self.shifts = shifts
        self.pos = DynamicPosBias(dim, num_heads, rngs=rngs)

    def __call__(
        self,
        q: Float[jax.Array, "n h w c"],
        k: Float[jax.Array, "n h w c"],
        v: Float[jax.Array, "n h w c"],
        offset: Float[jax.Array, "offsets 2"],
    ) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, dim] each and the windows' offsets [offsets, 2] -> [n, h, w, dim]."""
        (_, h, w, _), (dy, dx) = v.shape, self.shifts
        bias = self.pos(offset).T[:, _position_index(*self.sides)]
        q, k, v = (_split(jnp.roll(t, (-dy, -dx), (1, 2)), *self.sides) for t in (q, k, v))
        y = attend(q, k, v, bias[None, None])
        return jnp.roll(_merge(y, *self.sides, h, w), (dy, dx), (1, 2))


class SRWABlock(nnx.Module):
    """Attention in strips across and along, beside a convolution, then a feed-forward part.

    Args:
        dim: channels.
        num_heads: number of heads.
        shifts: of the grid of the strips across, to the bottom and the right; swapped along.
        mlp_ratio: hidden channels of the feed-forward part, relative to `dim`.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        shifts: tuple[int, int],
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.norm1 = LayerNorm(dim)
        self.qkv = Linear(dim, 3 * dim, rngs=rngs)
        (high, wide), (down, right) = _STRIP, shifts
        self.attns = Sequential(
            StripAttention(dim // 2, num_heads // 2, (high, wide), (down, right), rngs=rngs),
            StripAttention(dim // 2, num_heads // 2, (wide, high), (right, down), rngs=rngs),
        )
        self.get_v = Conv(dim, dim, groups=dim, rngs=rngs)
        self.proj = Linear(dim, dim, rngs=rngs)
        self.norm2 = LayerNorm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio), rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], offset: tuple[jax.Array, jax.Array]
    ) -> Float[jax.Array, "n h w c"]:
        q, k, v = jnp.split(self.qkv(self.norm1(x)), 3, axis=-1)
        halves = zip(*(jnp.split(t, 2, axis=-1) for t in (q, k, v)), offset, strict=True)
        parts = [getattr(self.attns, str(i))(*half) for i, half in enumerate(halves)]
        x = x + self.proj(jnp.concatenate(parts, axis=-1) + self.get_v(v))
        return x + self.mlp(self.norm2(x))


class HFERB(nnx.Module):
    """High frequencies: a convolution of half the channels, maxima of neighbours of the other."""

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        half = dim // 2
        self.conv = Conv(half, half, rngs=rngs)
        self.fc = Conv(half, half, 1, rngs=rngs)
        self.last_fc = Conv(dim, dim, 1, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        first, second = jnp.split(x, 2, axis=-1)
        parts = [self.conv(first), self.fc(max_pool(second, 3, 1, 1))]
        both = gelu(jnp.concatenate(parts, axis=-1))
        return x + self.last_fc(both)


class CrossAttention(nnx.Module):
    """Attention among channels, whose queries come from other features than keys and values."""

    def __init__(self, dim: int, num_heads: int, *, rngs: nnx.Rngs):
        def depthwise(width: int) -> Conv:
            return Conv(width, width, groups=width, use_bias=False, rngs=rngs)

        self.temperature = nnx.Param(jnp.ones((num_heads, 1, 1)))
        self.q = Conv(dim, dim, 1, use_bias=False, rngs=rngs)
        self.q_dwconv = depthwise(dim)
        self.kv = Conv(dim, 2 * dim, 1, use_bias=False, rngs=rngs)
        self.kv_dwconv = depthwise(2 * dim)
        self.project_out = Conv(dim, dim, 1, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(
        self, low: Float[jax.Array, "n h w c"], high: Float[jax.Array, "n h w c"]
    ) -> Float[jax.Array, "n h w c"]:
        q = self.q_dwconv(self.q(high))
        k, v = jnp.split(self.kv_dwconv(self.kv(low)), 2, axis=-1)
        return self.project_out(attend_channels(q, k, v, self.temperature[...]))


class HFB(nnx.Module):
    """Fusion: high frequencies choose among the channels of the others."""

    def __init__(self, dim: int, num_heads: int, expansion: float, *, rngs: nnx.Rngs):
        self.norm1 = Norm(dim, "WithBias")
        self.attn = CrossAttention(dim, num_heads, rngs=rngs)
        self.norm2 = Norm(dim, "WithBias")
        self.ffn = FeedForward(dim, expansion, rngs=rngs)

    def __call__(
        self, low: Float[jax.Array, "n h w c"], high: Float[jax.Array, "n h w c"]
    ) -> Float[jax.Array, "n h w c"]:
        x = low + self.attn(self.norm1(low), high)
        return x + self.ffn(self.norm2(x))


class CRFB(nnx.Module):
    """Pairs of window blocks, each fused with the high frequencies of its input."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        expansion: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.srwa_blocks = Sequential(
            *(
                SRWABlock(dim, num_heads, shifts, mlp_ratio, rngs=rngs)
                for _ in range(depth)
                for shifts in ((0, 0), (_STRIP[0] // 2, _STRIP[1] // 2))
            )
        )
        self.hfer_blocks = Sequential(*(HFERB(dim, rngs=rngs) for _ in range(depth)))
        self.hf_blocks = Sequential(
            *(HFB(dim, num_heads, expansion, rngs=rngs) for _ in range(depth))
        )

    def __call__(
        self, x: Float[jax.Array, "n h w c"], offset: tuple[jax.Array, jax.Array]
    ) -> Float[jax.Array, "n h w c"]:
        for step in range(self.hf_blocks.length):
            plain, shifted = (getattr(self.srwa_blocks, str(2 * step + i)) for i in (0, 1))
            low, high = shifted(plain(x, offset), offset), getattr(self.hfer_blocks, str(step))(x)
            x = getattr(self.hf_blocks, str(step))(low, high)
        return x


class RCRFG(nnx.Module):
    """x + conv(blocks(x))."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        expansion: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.residual_group = CRFB(dim, depth, num_heads, mlp_ratio, expansion, rngs=rngs)
        self.conv = Conv(dim, dim, init_scale=0.1, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], offset: tuple[jax.Array, jax.Array]
    ) -> Float[jax.Array, "n h w c"]:
        return x + self.conv(self.residual_group(x, offset))


class CRAFT(nnx.Module):
    """Groups of window attention refined by high frequencies, then one pixel shuffle.

    Height and width are multiples of 16.

    Args:
        in_chans: channels of the image.
        embed_dim: channels inside.
        depths: fusions in every group.
        num_heads: attention heads in every group.
        mlp_ratio: hidden channels of the feed-forward parts, relative to `embed_dim`.
        expansion: the same of those behind the fusion.
        upscale: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_chans: int = 3,
        embed_dim: int = 48,
        depths: tuple[int, ...] = (2, 2, 2, 2),
        num_heads: tuple[int, ...] = (6, 6, 6, 6),
        mlp_ratio: float = 2.0,
        expansion: float = 2.66,
        upscale: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.mean = DIV2K_MEAN if in_chans == 3 else (0.0,) * in_chans
        # The published file has the two swapped, which its position networks of width 1 never show.
        self.biases_h, self.biases_v = (
            Buffer(jnp.asarray(offsets(*sides).reshape(-1, 2))) for sides in (_STRIP, _STRIP[::-1])
        )
        self.conv_first = Conv(in_chans, embed_dim, rngs=rngs)
        self.layers = Sequential(
            *(
                RCRFG(embed_dim, depth, heads, mlp_ratio, expansion, rngs=rngs)
                for depth, heads in zip(depths, num_heads, strict=True)
            )
        )
        self.norm = Norm(embed_dim, "WithBias")
        self.conv_after_body = Conv(embed_dim, embed_dim, init_scale=0.1, rngs=rngs)
        self.upsample = Sequential(
            Conv(embed_dim, in_chans * upscale**2, rngs=rngs), PixelShuffle(upscale)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_chans] -> [n, h * upscale, w * upscale, in_chans]."""
        mean = jnp.asarray(self.mean, x.dtype).reshape(1, 1, 1, -1)
        first = features = self.conv_first(x - mean)
        offset = (self.biases_h[...], self.biases_v[...])
        for index in range(self.layers.length):
            features = getattr(self.layers, str(index))(features, offset)
        features = self.conv_after_body(self.norm(features))
        return self.upsample(first + features) + mean

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        embed_dim, in_chans = shapes["conv_first.weight"][:2]
        marked = [key for key in shapes if key.endswith(".attn.temperature")]
        groups = [int(key.split(".")[1]) for key in marked]
        first = "layers.{}.residual_group.{}_blocks.0."
        count = max(groups) + 1
        hidden = shapes[first.format(0, "hf") + "ffn.project_out.weight"][1]
        heads = [shapes[first.format(i, "hf") + "attn.temperature"][0] for i in range(count)]
        return {
            "in_chans": in_chans,
            "embed_dim": embed_dim,
            "depths": tuple(groups.count(group) for group in range(count)),
            "num_heads": tuple(heads),
            "mlp_ratio": shapes[first.format(0, "srwa") + "mlp.fc1.weight"][0] / embed_dim,
            "expansion": (hidden + 0.5) / embed_dim,
            "upscale": math.isqrt(shapes["upsample.0.weight"][0] // in_chans),
        }

    @staticmethod
    def tables(**_: int | float | tuple[int, ...]) -> dict[str, np.ndarray]:
        """The entries of a torch state dict that follow from the arguments, by torch key."""
        return {
            "relative_position_index_h": _position_index(*_STRIP),
            "relative_position_index_v": _position_index(*_STRIP[::-1]),
        }

    @staticmethod
    def receptive_radius(**_: int | float | tuple[int, ...]) -> None:
        """None: the attention among channels sees the whole image."""
        return None


ENTRIES = (
    Entry(
        "CRAFT",
        CRAFT,
        tasks=("SR",),
        scale=4,
        official_files=("team34_craft.pth", "CRAFT_MODEL_X4.pth"),
        published_at="github.com/Amazingren/NTIRE2024_ESR",
        licence="MIT",
        size_multiple=_MULTIPLE,
        global_operations=(
            "attention among channels in every fusion block",
            "windows that wrap around the image",
        ),
    ),
)
