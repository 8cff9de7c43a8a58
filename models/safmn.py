"""SAFMN: Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution.

Sun et al., ICCV 2023; and the network of that name in the NTIRE 2023 challenge, which is another.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    GELU,
    Conv,
    LayerNorm,
    PixelShuffle,
    Sequential,
    adaptive_max_pool,
    gelu,
    resize_nearest,
    upsample_bilinear,
)

_LEVELS = 4


class SAFM(nnx.Module):
    """x times an attention map from four groups of channels, each seen at its own size.

    Args:
        dim: channels.
        divisors: for every group, sides of the image per side of its map.
        use_bias: whether the convolutions have biases.
        rngs: source of the initial weights.
    """

    def __init__(self, dim: int, divisors: tuple[int, ...], use_bias: bool, *, rngs: nnx.Rngs):
        self.divisors = divisors
        part = dim // _LEVELS
        self.mfr = Sequential(
            *(Conv(part, part, groups=part, use_bias=use_bias, rngs=rngs) for _ in divisors)
        )
        self.aggr = Conv(dim, dim, 1, use_bias=use_bias, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        _, h, w, _ = x.shape
        maps = []
        for level, part in enumerate(jnp.split(x, _LEVELS, axis=-1)):
            conv, divisor = getattr(self.mfr, str(level)), self.divisors[level]
            if divisor == 1:
                maps.append(conv(part))
            else:
                small = conv(adaptive_max_pool(part, h // divisor, w // divisor))
                maps.append(resize_nearest(small, h, w))
        attention = self.aggr(jnp.concatenate(maps, axis=-1))
        return gelu(attention) * x


class CCM(nnx.Module):
    """A 3x3 convolution to more channels and a 1x1 one back."""

    def __init__(self, dim: int, hidden: int, use_bias: bool, *, rngs: nnx.Rngs):
        self.ccm = Sequential(
            Conv(dim, hidden, use_bias=use_bias, rngs=rngs),
            GELU(),
            Conv(hidden, dim, 1, use_bias=use_bias, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.ccm(x)


class AttBlock(nnx.Module):
    """Modulation and channel mixing, each of normalised features around a skip."""

    def __init__(self, dim: int, hidden: int, *, rngs: nnx.Rngs):
        self.norm1, self.norm2 = LayerNorm(dim, eps=1e-6), LayerNorm(dim, eps=1e-6)
        self.safm = SAFM(dim, (1, 2, 4, 8), True, rngs=rngs)
        self.ccm = CCM(dim, hidden, True, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.safm(self.norm1(x))
        return x + self.ccm(self.norm2(x))


class ChallengeBlock(nnx.Module):
    """The same of features as they are, at smaller sizes and without biases."""

    def __init__(self, dim: int, hidden: int, *, rngs: nnx.Rngs):
        self.safm = SAFM(dim, (1, 4, 8, 16), False, rngs=rngs)
        self.ccm = CCM(dim, hidden, False, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.safm(x)
        return x + self.ccm(x)


class GRN(nnx.Module):
    """Global response normalisation: channels weighed by their norms over the image."""

    def __init__(self, dim: int):
        self.gamma = nnx.Param(jnp.zeros((1, dim, 1, 1)))
        self.beta = nnx.Param(jnp.zeros((1, dim, 1, 1)))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        gamma, beta = (jnp.reshape(p[...], (1, 1, 1, -1)) for p in (self.gamma, self.beta))
        norm = jnp.sqrt(jnp.sum(jnp.square(x), axis=(1, 2), keepdims=True))
        relative = norm / (jnp.mean(norm, axis=-1, keepdims=True) + 1e-6)
        return gamma * (x * relative) + beta + x


def _config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float]:
    """Constructor arguments that both networks share, from the shapes of a torch state dict."""
    dim, colours = shapes["to_feat.weight"][:2]
    return {
        "colours": colours,
        "dim": dim,
        "n_blocks": 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("feats.")),
        "ffn_scale": shapes["feats.0.ccm.ccm.0.weight"][0] / dim,
        "upscaling_factor": math.isqrt(shapes["to_img.0.weight"][0] // colours),
    }


class SAFMN(nnx.Module):
    """Blocks around one skip, then one pixel shuffle; sides of at least 8 pixels.

    Args:
        colours: channels of the image.
        dim: channels inside.
        n_blocks: number of blocks.
        ffn_scale: hidden channels of the channel mixing, relative to `dim`.
        upscaling_factor: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        colours: int = 3,
        dim: int = 36,
        n_blocks: int = 8,
        ffn_scale: float = 2.0,
        upscaling_factor: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.to_feat = Conv(colours, dim, rngs=rngs)
        hidden = round(dim * ffn_scale)
        self.feats = Sequential(*(AttBlock(dim, hidden, rngs=rngs) for _ in range(n_blocks)))
        self.to_img = Sequential(
            Conv(dim, colours * upscaling_factor**2, rngs=rngs), PixelShuffle(upscaling_factor)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, colours] -> [n, h * factor, w * factor, colours]."""
        shallow = self.to_feat(x)
        return self.to_img(shallow + self.feats(shallow))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float]:
        """Constructor arguments, from the shapes of a torch state dict."""
        return _config(shapes)

    @staticmethod
    def receptive_radius(**_: int | float) -> None:
        """None: the cells of the pooling are laid out by the image's size.

        An output pixel depends on nearby pixels only, but on which of them depends on the size, so
        that a crop of the image is not computed as the image is.
        """
        return None


class SAFMNChallenge(nnx.Module):
    """Blocks behind a global normalisation; predicts the correction of the enlarged input.

    Sides of at least 16 pixels.

    Args:
        colours: channels of the image.
        dim: channels inside.
        n_blocks: number of blocks.
        ffn_scale: hidden channels of the channel mixing, relative to `dim`.
        upscaling_factor: upscaling factor.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        colours: int = 3,
        dim: int = 36,
        n_blocks: int = 8,
        ffn_scale: float = 2.0,
        upscaling_factor: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.factor = upscaling_factor
        self.norm = GRN(dim)
        self.to_feat = Conv(colours, dim, rngs=rngs)
        hidden = round(dim * ffn_scale)
        self.feats = Sequential(*(ChallengeBlock(dim, hidden, rngs=rngs) for _ in range(n_blocks)))
        self.to_img = Sequential(
            Conv(dim, colours * upscaling_factor**2, init_scale=0.1, rngs=rngs),
            PixelShuffle(upscaling_factor),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, colours] -> [n, h * factor, w * factor, colours]."""
        correction = self.to_img(self.feats(self.norm(self.to_feat(x))))
        return correction + upsample_bilinear(x, self.factor)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float]:
        """Constructor arguments, from the shapes of a torch state dict."""
        return _config(shapes)

    @staticmethod
    def receptive_radius(**_: int | float) -> None:
        """None: the normalisation sees the whole image."""
        return None


_CELLS = "pooling cells laid out by the size of the image"

ENTRIES = (
    Entry(
        "SAFMN",
        SAFMN,
        tasks=("SR",),
        scale=4,
        official_files=("SAFMN_DF2K_x4.pth",),
        published_at="github.com/sunny2109/SAFMN",
        licence="Apache-2.0",
        size_minimum=8,
        global_operations=(_CELLS,),
    ),
    Entry(
        "SAFMN_NTIRE23",
        SAFMNChallenge,
        tasks=("SR",),
        scale=4,
        official_files=("team15_SAFMN.pth",),
        published_at="github.com/sunny2109/SAFMN",
        licence="Apache-2.0",
        size_minimum=16,
        global_operations=("norms of the channels over the image", _CELLS),
    ),
)
