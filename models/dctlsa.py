"""DCTLSA: Densely Connected Transformer with Linear Self-Attention (Zeng et al., IEEE TIM 2023).

For Lightweight Image Super-Resolution.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    BatchNorm,
    Conv,
    LeakyReLU,
    Linear,
    Mlp,
    PatchEmbed,
    PixelShuffle,
    Sequential,
    merge_windows,
    split_windows,
)

_WINDOW = 16
_HEADS = 5


class LocalModule(nnx.Module):
    """Normalised convolutions: across channels, every channel by itself, across channels."""

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        self.pointwise_prenorm_0 = BatchNorm(dim)
        self.pointwise_conv_0 = Conv(dim, dim, 1, use_bias=False, rngs=rngs)
        self.depthwise_conv = Conv(dim, dim, groups=dim, use_bias=False, rngs=rngs)
        self.pointwise_prenorm_1 = BatchNorm(dim)
        self.pointwise_conv_1 = Conv(dim, dim, 1, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = self.depthwise_conv(self.pointwise_conv_0(self.pointwise_prenorm_0(x)))
        return self.pointwise_conv_1(self.pointwise_prenorm_1(y))


class LinearAttention(nnx.Module):
    """Attention in windows of which keys and values are summed up before queries meet them.

    Args:
        dim: channels.
        num_heads: number of heads.
        rngs: source of the initial weights.
    """

    def __init__(self, dim: int, num_heads: int, *, rngs: nnx.Rngs):
        self.num_heads = num_heads
        self.local = LocalModule(dim, rngs=rngs)
        self.qkv = Linear(dim, 3 * dim, rngs=rngs)
        self.proj = Linear(dim, dim, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, dim] -> the same shape; the window's side divides h and w."""
        _, h, w, dim = x.shape
        local = x + self.local(x)
        windows = jnp.split(split_windows(self.qkv(local), _WINDOW), 3, axis=-1)
        q, k, v = (t.reshape(*t.shape[:3], self.num_heads, -1) for t in windows)
        context = jnp.einsum("nwphc,nwphd->nwhcd", jax.nn.softmax(k, axis=2), v)
        scale = (dim // self.num_heads) ** -0.5
        y = jnp.einsum("nwphc,nwhcd->nwphd", q * scale, context)
        y = merge_windows(y.reshape(*y.shape[:3], dim), _WINDOW, h, w)
        return self.proj(y) + local


class Block(nnx.Module):
    """Attention of the image rolled by `shift`, so that windows wrap around, and feed-forward."""

    def __init__(self, dim: int, num_heads: int, shift: int, hidden: int, *, rngs: nnx.Rngs):
        self.shift = shift
        self.attn = LinearAttention(dim, num_heads, rngs=rngs)
        self.mlp = Mlp(dim, hidden, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        rolled = jnp.roll(x, (-self.shift, -self.shift), (1, 2))
        x = jnp.roll(self.attn(rolled), (self.shift, self.shift), (1, 2))
        return x + self.mlp(x)


class BasicLayer(nnx.Module):
    """A normalisation, then a block with plain and one with shifted windows."""

    def __init__(self, dim: int, num_heads: int, hidden: int, *, rngs: nnx.Rngs):
        self.patch_embed = PatchEmbed(dim)
        self.blocks = Sequential(
            *(Block(dim, num_heads, shift, hidden, rngs=rngs) for shift in (0, _WINDOW // 2))
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.blocks(self.patch_embed(x))


class PaddedLayer(nnx.Module):
    """A layer on the image padded by reflection at the bottom and the right."""

    def __init__(self, dim: int, num_heads: int, hidden: int, *, rngs: nnx.Rngs):
        self.transformer_body = Sequential(BasicLayer(dim, num_heads, hidden, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        _, h, w, _ = x.shape
        padding = [(0, -side % _WINDOW) for side in (h, w)]
        full = jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="reflect")
        return self.transformer_body(full)[:, :h, :w]


class Pair(nnx.Module):
    """Two layers in a row."""

    def __init__(self, dim: int, num_heads: int, hidden: int, *, rngs: nnx.Rngs):
        self.body = Sequential(*(PaddedLayer(dim, num_heads, hidden, rngs=rngs) for _ in range(2)))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.body(x)


class DCTLSA(nnx.Module):
    """Densely connected pairs of transformer layers around one skip, then one pixel shuffle.

    Args:
        in_nc: channels of the input.
        nf: channels inside.
        num_modules: number of pairs.
        out_nc: channels of the output.
        upscale: upscaling factor.
        num_head: attention heads.
        hidden: channels inside the feed-forward parts.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_nc: int = 3,
        nf: int = 55,
        num_modules: int = 6,
        out_nc: int = 3,
        upscale: int = 4,
        num_head: int = _HEADS,
        hidden: int = 110,
        *,
        rngs: nnx.Rngs,
    ):
        def merge(count: int) -> Sequential:
            return Sequential(Conv(count * nf, nf, 1, rngs=rngs), LeakyReLU(0.05))

        numbers = range(1, num_modules + 1)
        self.steps = tuple((f"B{number}", f"c{number}") for number in numbers)
        self.fea_conv = Conv(in_nc, nf, rngs=rngs)
        for number, (block, narrow) in enumerate(self.steps, 1):
            setattr(self, block, Pair(nf, num_head, hidden, rngs=rngs))
            if number < num_modules:
                setattr(self, narrow, merge(number + 1))
        self.c = merge(num_modules)
        self.LR_conv = Conv(nf, nf, init_scale=0.1, rngs=rngs)
        self.upsampler = Sequential(Conv(nf, out_nc * upscale**2, rngs=rngs), PixelShuffle(upscale))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h * upscale, w * upscale, out_nc]."""
        shallow = y = self.fea_conv(x)
        gathered = [shallow]
        for block, narrow in self.steps:
            gathered.append(getattr(self, block)(y))
            if len(gathered) <= len(self.steps):
                y = getattr(self, narrow)(jnp.concatenate(gathered, axis=-1))
        y = self.LR_conv(self.c(jnp.concatenate(gathered[1:], axis=-1)))
        return self.upsampler(y + shallow)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict; not the number of heads.

        The output is taken to have as many channels as the input.
        """
        nf, in_nc = shapes["fea_conv.weight"][:2]
        first = "B1.body.0.transformer_body.0.blocks.0."
        return {
            "in_nc": in_nc,
            "nf": nf,
            "num_modules": shapes["c.0.weight"][1] // nf,
            "out_nc": in_nc,
            "upscale": math.isqrt(shapes["upsampler.0.weight"][0] // in_nc),
            "hidden": shapes[first + "mlp.fc1.weight"][0],
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: shifted windows wrap around the image, so that opposite borders meet."""
        return None


ENTRIES = tuple(
    Entry(
        "DCTLSA" if scale == 4 else f"DCTLSA_x{scale}",
        DCTLSA,
        {"upscale": scale},
        tasks=("SR",),
        scale=scale,
        official_files=(f"X{scale}.pt",),
        published_at="github.com/zengkun301/DCTLSA",
        licence="Apache-2.0 by README",
        global_operations=("windows that wrap around the image",),
    )
    for scale in (4, 2, 3)
)
