"""CSNLN: Image Super-Resolution with Cross-Scale Non-Local Attention (Mei et al., CVPR 2020)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Float

from .entry import Entry, OtherVariant
from .layers import (
    Conv,
    ConvTranspose,
    MeanShift,
    PReLU,
    Sequential,
    downsample_bilinear,
    from_range,
    non_local,
    to_range,
)
from .value_range import FOUND_RANGE, found_range, mean_of

_SHARPNESS = 10.0
"""Factor on the correlations of patches before the softmax."""

_SMALLEST_NORM = 1e-4
"""Patches with less are not brought to unit length."""


def _block(in_features: int, out_features: int, kernel_size: int, rngs: nnx.Rngs) -> Sequential:
    return Sequential(Conv(in_features, out_features, kernel_size, rngs=rngs), PReLU())


def _down(width: int, kernel_size: int, stride: int, rngs: nnx.Rngs) -> Sequential:
    conv = Conv(width, width, kernel_size, stride=stride, padding=2, rngs=rngs)
    return Sequential(conv, PReLU())


def _up(width: int, kernel_size: int, stride: int, rngs: nnx.Rngs) -> Sequential:
    conv = ConvTranspose(width, width, kernel_size, stride=stride, padding=2, rngs=rngs)
    return Sequential(conv, PReLU())


def _patches(x: jax.Array, size: int, stride: int, padding: int) -> jax.Array:
    """Square patches around every `stride`-th pixel: [n, h, w, c] -> [n, h', w', size, size, c]."""
    n, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    ends = [stride * (side // stride - 1) + 1 for side in (h, w)]
    taps = [
        lax.slice(x, (0, dy, dx, 0), (n, dy + ends[0], dx + ends[1], c), (1, stride, stride, 1))
        for dy in range(size)
        for dx in range(size)
    ]
    patches = jnp.stack(taps, axis=3)
    return patches.reshape(*patches.shape[:3], size, size, c)


class InScaleAttention(nnx.Module):
    """Attention between all pixels."""

    def __init__(self, channel: int, *, rngs: nnx.Rngs):
        self.conv_match1 = _block(channel, channel // 2, 1, rngs)
        self.conv_match2 = _block(channel, channel // 2, 1, rngs)
        self.conv_assembly = _block(channel, channel, 1, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return non_local(self.conv_match1(x), self.conv_match2(x), self.conv_assembly(x))


class CrossScaleAttention(nnx.Module):
    """Doubles a map: 3x3 patches of it are looked up in its half-size copy.

    What is found there is replaced by the 6x6 patches of the full-size map at the same places,
    which are weighted by similarity and put together at twice the size.
    """

    def __init__(self, channel: int, *, rngs: nnx.Rngs):
        self.conv_match_1 = _block(channel, channel // 2, 1, rngs)
        self.conv_match_2 = _block(channel, channel // 2, 1, rngs)
        self.conv_assembly = _block(channel, channel, 1, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, channel] -> [n, 2 h, 2 w, channel], h and w even."""
        n, h, w, channels = x.shape
        places = h * w // 4
        keys = _patches(self.conv_match_2(downsample_bilinear(x, 2)), 3, stride=1, padding=1)
        keys = keys.reshape(n, places, -1)
        norm = jnp.sqrt(jnp.sum(keys**2, axis=-1, keepdims=True))
        keys = keys / jnp.maximum(norm, _SMALLEST_NORM)
        queries = _patches(self.conv_match_1(x), 3, stride=1, padding=1).reshape(n, h * w, -1)
        correlations = jnp.einsum("nqc,nkc->nqk", queries, keys)
        weights = jax.nn.softmax(_SHARPNESS * correlations, axis=-1)

        # Pixel q puts its mixture of 6x6 patches at 2 q - 2: nine shifts of 2x2 cells.
        values = _patches(self.conv_assembly(x), 6, stride=2, padding=2)
        values = values.reshape(n, places, 3, 2, 3, 2, channels)
        total = jnp.zeros((n, h + 2, w + 2, 4 * channels), x.dtype)
        for dy in range(3):
            for dx in range(3):
                cells = values[:, :, dy, :, dx].reshape(n, places, 4 * channels)
                mixed = jnp.einsum("nqk,nkc->nqc", weights, cells).reshape(n, h, w, -1)
                total += jnp.pad(mixed, ((0, 0), (dy, 2 - dy), (dx, 2 - dx), (0, 0)))
        total = total[:, 1:-1, 1:-1].reshape(n, h, w, 2, 2, channels)
        return jnp.transpose(total, (0, 1, 3, 2, 4, 5)).reshape(n, 2 * h, 2 * w, channels) / 6.0


class ResBlock(nnx.Module):
    """x + conv(prelu(conv(x)))."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.body = Sequential(
            Conv(width, width, rngs=rngs), PReLU(), Conv(width, width, init_scale=0.1, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return x + self.body(x)


class MultiSourceProjection(nnx.Module):
    """Doubles a map by in-scale attention and corrects it by cross-scale attention."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.up_attention = CrossScaleAttention(width, rngs=rngs)
        self.down_attention = InScaleAttention(width, rngs=rngs)
        self.upsample = _up(width, 6, 2, rngs)
        self.encoder = ResBlock(width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        in_scale = self.upsample(self.down_attention(x))
        return in_scale + self.encoder(self.up_attention(x) - in_scale)


class SelfExemplarMining(nnx.Module):
    """The recurrent cell: two doublings, each followed by back-projection."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.multi_source_projection = MultiSourceProjection(width, rngs=rngs)
        self.down_sample_1 = _down(width, 6, 2, rngs)
        self.error_encode = _up(width, 6, 2, rngs)
        self.post_conv = _block(width, width, 3, rngs)
        self.multi_source_projection_2 = MultiSourceProjection(width, rngs=rngs)
        self.down_sample_3 = _down(width, 8, 4, rngs)
        self.down_sample_4 = _down(width, 8, 4, rngs)
        self.error_encode_2 = _up(width, 8, 4, rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"]
    ) -> tuple[Float[jax.Array, "n h w c"], Float[jax.Array, "n H W c"]]:
        """[n, h, w, width] -> the same and [n, 4 h, 4 w, width]."""
        double = self.multi_source_projection(x)
        double = double + self.error_encode(x - self.down_sample_1(double))
        fourfold = self.multi_source_projection_2(double)
        fourfold = fourfold + self.error_encode_2(x - self.down_sample_3(fourfold))
        return self.post_conv(self.down_sample_4(fourfold)), fourfold


class CSNLN(nnx.Module):
    """One recurrent cell, applied again and again; the output sees its estimates together.

    The sides of the image must be even.

    Args:
        n_colors: channels of the image.
        n_feats: channels inside.
        depth: how often the cell is applied.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (FOUND_RANGE,)

    def __init__(
        self,
        n_colors: int = 3,
        n_feats: int = 128,
        depth: int = 12,
        value_range: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.depth = depth
        self.value_range = value_range
        self.sub_mean = MeanShift(-1, mean_of(value_range))
        self.add_mean = MeanShift(+1, mean_of(value_range))
        self.head = Sequential(
            _block(n_colors, n_feats, 3, rngs), _block(n_feats, n_feats, 3, rngs)
        )
        self.SEM = SelfExemplarMining(n_feats, rngs=rngs)
        self.tail = Sequential(Conv(n_feats * depth, n_colors, init_scale=0.1, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, n_colors] -> [n, 4 h, 4 w, n_colors]."""
        x = self.head(self.sub_mean(to_range(x, self.value_range)))
        _, estimates = lax.scan(lambda y, _: self.SEM(y), x, length=self.depth)
        estimates = jnp.moveaxis(estimates, 0, 3)
        y = self.add_mean(self.tail(estimates.reshape(*estimates.shape[:3], -1)))
        return from_range(y, self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        if "SEM.down_sample_2.0.weight" in shapes:
            raise OtherVariant("its recurrent cell is that of the factors 2 and 3")
        n_feats, n_colors = shapes["head.0.0.weight"][:2]
        depth = shapes["tail.0.weight"][1] // n_feats
        return {"n_colors": n_colors, "n_feats": n_feats, "depth": depth}

    @staticmethod
    def tables(**_: int) -> dict[str, np.ndarray]:
        """Entries of a torch state dict that are constants here."""
        names = ("multi_source_projection", "multi_source_projection_2")
        value = np.full(1, _SMALLEST_NORM, np.float32)
        return {f"SEM.{name}.up_attention.escape_NaN": value for name in names}

    @staticmethod
    def found(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
        """The range of values, from the mean colour."""
        return found_range(weights)

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: both attentions see the whole image."""
        return None


ENTRIES = (
    Entry(
        "CSNLN",
        CSNLN,
        tasks=("SR",),
        scale=4,
        official_files=("CSNLN_x4.pt",),
        published_at="github.com/SHI-Labs/Cross-Scale-Non-Local-Attention",
        licence="none stated",
        size_multiple=2,
        global_operations=(
            "softmax attention between all pixels",
            "softmax attention between patches across scales",
        ),
    ),
)
