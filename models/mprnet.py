"""MPRNet: Multi-Stage Progressive Image Restoration (Zamir et al., CVPR 2021)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    CALayer,
    Conv,
    PReLU,
    ReLU,
    Sequential,
    SupervisedAttention,
    downsample_bilinear,
    upsample_bilinear,
)

Levels = list[jax.Array]
"""Features at full, half and quarter size."""

_STORED_SLOPE = "shallow_feat1.1.body.1.weight"


def _halve(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    return downsample_bilinear(x, 2)


def _double(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
    return upsample_bilinear(x, 2)


def _conv(in_features: int, out_features: int, kernel_size: int, rngs: nnx.Rngs) -> Conv:
    return Conv(in_features, out_features, kernel_size, use_bias=False, rngs=rngs)


def _split(x: Float[jax.Array, "n h w c"], axis: int) -> Float[jax.Array, "halves H W c"]:
    """The two halves of every image as images of their own, all first halves before the second."""
    return jnp.concatenate(jnp.split(x, 2, axis), 0)


def _join(x: Float[jax.Array, "n h w c"], axis: int) -> Float[jax.Array, "halves H W c"]:
    """Undoes `_split`."""
    return jnp.concatenate(jnp.split(x, 2, 0), axis)


class CAB(nnx.Module):
    """x + channel attention of conv(prelu(conv(x))).

    Args:
        width: channels.
        stores_slope: whether the rectifiers' slope, one for all blocks, is stored in this one.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *, stores_slope: bool = False, rngs: nnx.Rngs):
        self.CA = CALayer(width, 4, use_bias=False, rngs=rngs)
        self.body = Sequential(
            _conv(width, width, 3, rngs),
            PReLU() if stores_slope else ReLU(),  # applied below, with the shared slope
            Conv(width, width, init_scale=0.1, use_bias=False, rngs=rngs),
        )

    def __call__(
        self, x: Float[jax.Array, "n h w c"], slope: Float[jax.Array, "..."]
    ) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, width], [1, 1, 1, 1] -> [n, h, w, width]."""
        y = getattr(self.body, "0")(x)
        y = getattr(self.body, "2")(jnp.where(y > 0, y, slope * y))
        return x + self.CA(y)


class CABs(Sequential):
    """Blocks in a row.

    Args:
        width: channels.
        depth: number of blocks.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, depth: int = 2, *, rngs: nnx.Rngs):
        super().__init__(*(CAB(width, rngs=rngs) for _ in range(depth)))

    def __call__(
        self, x: Float[jax.Array, "n h w c"], slope: Float[jax.Array, "..."]
    ) -> Float[jax.Array, "n h w c"]:
        for index in range(self.length):
            x = getattr(self, str(index))(x, slope)
        return x


class ShallowFeatures(nnx.Module):
    """A convolution and a block, numbered as in a `Sequential`."""

    def __init__(self, width: int, *, stores_slope: bool = False, rngs: nnx.Rngs):
        setattr(self, "0", _conv(3, width, 3, rngs))
        setattr(self, "1", CAB(width, stores_slope=stores_slope, rngs=rngs))

    def __call__(
        self, x: Float[jax.Array, "n h w c"], slope: Float[jax.Array, "..."]
    ) -> Float[jax.Array, "n h w C"]:
        return getattr(self, "1")(getattr(self, "0")(x), slope)


class DownSample(nnx.Module):
    """Half the size, `more` channels more."""

    def __init__(self, width: int, more: int, *, rngs: nnx.Rngs):
        self.down = Sequential(_halve, _conv(width, width + more, 1, rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.down(x)


class UpSample(nnx.Module):
    """Twice the size, `more` channels less."""

    def __init__(self, width: int, more: int, *, rngs: nnx.Rngs):
        self.up = Sequential(_double, _conv(width + more, width, 1, rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.up(x)


class Encoder(nnx.Module):
    """Two blocks at each of three sizes.

    Args:
        width: channels at full size.
        more: channels that each halving adds.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, more: int, *, rngs: nnx.Rngs):
        self.encoder_level1 = CABs(width, rngs=rngs)
        self.encoder_level2 = CABs(width + more, rngs=rngs)
        self.encoder_level3 = CABs(width + 2 * more, rngs=rngs)
        self.down12 = DownSample(width, more, rngs=rngs)
        self.down23 = DownSample(width + more, more, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], slope: Float[jax.Array, "..."], *before: Levels
    ) -> Levels:
        level1 = self.fuse(1, self.encoder_level1(x, slope), *before)
        level2 = self.fuse(2, self.encoder_level2(self.down12(level1), slope), *before)
        level3 = self.fuse(3, self.encoder_level3(self.down23(level2), slope), *before)
        return [level1, level2, level3]

    def fuse(self, level: int, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        """The features unchanged: there is no stage before."""
        return x


class FusingEncoder(Encoder):
    """An encoder that adds what the encoder and decoder of the stage before made.

    Args:
        width: channels at full size.
        more: channels that each halving adds.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, more: int, *, rngs: nnx.Rngs):
        super().__init__(width, more, rngs=rngs)
        for level, channels in enumerate((width, width + more, width + 2 * more), 1):
            setattr(self, f"csff_enc{level}", _conv(channels, channels, 1, rngs))
            setattr(self, f"csff_dec{level}", _conv(channels, channels, 1, rngs))

    def fuse(
        self, level: int, x: Float[jax.Array, "n h w c"], encoded: Levels, decoded: Levels
    ) -> Float[jax.Array, "n h w c"]:
        """Adds the features of that level of the stage before."""
        x = x + getattr(self, f"csff_enc{level}")(encoded[level - 1])
        return x + getattr(self, f"csff_dec{level}")(decoded[level - 1])


class Decoder(nnx.Module):
    """Two blocks at each of three sizes, and one on the way of each skip.

    Args:
        width: channels at full size.
        more: channels that each halving adds.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, more: int, *, rngs: nnx.Rngs):
        self.decoder_level1 = CABs(width, rngs=rngs)
        self.decoder_level2 = CABs(width + more, rngs=rngs)
        self.decoder_level3 = CABs(width + 2 * more, rngs=rngs)
        self.skip_attn1 = CAB(width, rngs=rngs)
        self.skip_attn2 = CAB(width + more, rngs=rngs)
        self.up21 = UpSample(width, more, rngs=rngs)
        self.up32 = UpSample(width + more, more, rngs=rngs)

    def __call__(self, encoded: Levels, slope: Float[jax.Array, "n h w c"]) -> Levels:
        level3 = self.decoder_level3(encoded[2], slope)
        x = self.up32(level3) + self.skip_attn2(encoded[1], slope)
        level2 = self.decoder_level2(x, slope)
        x = self.up21(level2) + self.skip_attn1(encoded[0], slope)
        return [self.decoder_level1(x, slope), level2, level3]


class ORB(nnx.Module):
    """x + blocks in a row and a convolution."""

    def __init__(self, width: int, depth: int, *, rngs: nnx.Rngs):
        self.body = CABs(width, depth, rngs=rngs)
        setattr(self.body, str(depth), Conv(width, width, use_bias=False, rngs=rngs))

    def __call__(
        self, x: Float[jax.Array, "n h w c"], slope: Float[jax.Array, "..."]
    ) -> Float[jax.Array, "n h w c"]:
        return x + getattr(self.body, str(self.body.length))(self.body(x, slope))


class ORSNet(nnx.Module):
    """Blocks at full size, which add the features of the stage before one level after another.

    Args:
        width: channels of the stage before at full size.
        more: channels that each halving added there.
        inner: channels inside.
        num_cab: number of blocks before each level is added.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, more: int, inner: int, num_cab: int, *, rngs: nnx.Rngs):
        for level in (1, 2, 3):
            setattr(self, f"orb{level}", ORB(inner, num_cab, rngs=rngs))
            setattr(self, f"conv_enc{level}", _conv(width, inner, 1, rngs))
            setattr(self, f"conv_dec{level}", _conv(width, inner, 1, rngs))
        for part in ("enc", "dec"):
            once, twice = (UpSample(width, more, rngs=rngs) for _ in range(2))
            setattr(self, f"up_{part}1", once)
            first = UpSample(width + more, more, rngs=rngs)
            setattr(self, f"up_{part}2", Sequential(first, twice))

    def __call__(
        self,
        x: Float[jax.Array, "n h w c"],
        encoded: Levels,
        decoded: Levels,
        slope: Float[jax.Array, "..."],
    ) -> Float[jax.Array, "n h w c"]:
        encoded = [encoded[0], self.up_enc1(encoded[1]), self.up_enc2(encoded[2])]
        decoded = [decoded[0], self.up_dec1(decoded[1]), self.up_dec2(decoded[2])]
        for level in (1, 2, 3):
            x = getattr(self, f"orb{level}")(x, slope)
            x = x + getattr(self, f"conv_enc{level}")(encoded[level - 1])
            x = x + getattr(self, f"conv_dec{level}")(decoded[level - 1])
        return x


class MPRNet(nnx.Module):
    """Three stages: U-Nets on the image's quarters and halves, then blocks at full size.

    Args:
        n_feat: channels at full size.
        scale_unetfeats: channels that each halving adds.
        scale_orsnetfeats: channels that the third stage has more.
        num_cab: blocks of each part of the third stage.
        output_range: limits to which the output is clipped; None leaves it.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        n_feat: int = 80,
        scale_unetfeats: int = 48,
        scale_orsnetfeats: int = 32,
        num_cab: int = 8,
        output_range: tuple[float, float] | None = None,
        *,
        rngs: nnx.Rngs,
    ):
        inner = n_feat + scale_orsnetfeats
        self.output_range = output_range
        self.shallow_feat1 = ShallowFeatures(n_feat, stores_slope=True, rngs=rngs)
        self.shallow_feat2 = ShallowFeatures(n_feat, rngs=rngs)
        self.shallow_feat3 = ShallowFeatures(n_feat, rngs=rngs)
        self.stage1_encoder = Encoder(n_feat, scale_unetfeats, rngs=rngs)
        self.stage1_decoder = Decoder(n_feat, scale_unetfeats, rngs=rngs)
        self.stage2_encoder = FusingEncoder(n_feat, scale_unetfeats, rngs=rngs)
        self.stage2_decoder = Decoder(n_feat, scale_unetfeats, rngs=rngs)
        self.stage3_orsnet = ORSNet(n_feat, scale_unetfeats, inner, num_cab, rngs=rngs)
        self.sam12 = SupervisedAttention(n_feat, 1, use_bias=False, rngs=rngs)
        self.sam23 = SupervisedAttention(n_feat, 1, use_bias=False, rngs=rngs)
        self.concat12 = _conv(2 * n_feat, n_feat, 3, rngs)
        self.concat23 = _conv(2 * n_feat, inner, 3, rngs)
        self.tail = Conv(inner, 3, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, 3] -> [n, h, w, 3]; h and w are multiples of 8."""
        stored = getattr(getattr(self.shallow_feat1, "1").body, "1").weight
        slope = jnp.reshape(stored[...], (1, 1, 1, 1))

        halves = _split(x, 1)
        y = self.shallow_feat1(_split(halves, 2), slope)
        encoded = [_join(level, 2) for level in self.stage1_encoder(y, slope)]
        decoded = self.stage1_decoder(encoded, slope)

        attended = self.sam12(decoded[0], halves)
        y = jnp.concatenate([self.shallow_feat2(halves, slope), attended], -1)
        fused = self.stage2_encoder(self.concat12(y), slope, encoded, decoded)
        encoded = [_join(level, 1) for level in fused]
        decoded = self.stage2_decoder(encoded, slope)

        attended = self.sam23(decoded[0], x)
        y = self.concat23(jnp.concatenate([self.shallow_feat3(x, slope), attended], -1))
        y = x + self.tail(self.stage3_orsnet(y, encoded, decoded, slope))
        return y if self.output_range is None else jnp.clip(y, *self.output_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        n_feat = shapes["shallow_feat1.0.weight"][0]
        orb = "stage3_orsnet.orb1.body."
        return {
            "n_feat": n_feat,
            "scale_unetfeats": shapes["stage1_encoder.down12.down.1.weight"][0] - n_feat,
            "scale_orsnetfeats": shapes["tail.weight"][1] - n_feat,
            "num_cab": max(int(key.split(".")[3]) for key in shapes if key.startswith(orb)),
        }

    @staticmethod
    def aliases(**config: Any) -> dict[str, str]:
        """Torch keys that hold a value stored under another key: the slope, once a block."""
        slopes = (f"{block}.body.1.weight" for block in _attentive(tuple(config.items())))
        return {key: _STORED_SLOPE for key in slopes if key != _STORED_SLOPE}

    @staticmethod
    def receptive_radius(**_: object) -> None:
        """None: the channel attentions see the whole image."""
        return None


@functools.lru_cache(maxsize=8)
def _attentive(config: tuple[tuple[str, Any], ...]) -> tuple[str, ...]:
    """Paths of all blocks with channel attention."""
    net = nnx.eval_shape(lambda: MPRNet(**dict(config), rngs=nnx.Rngs(0)))
    paths = (".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(net)))
    first = ".CA.conv_du.0.kernel"
    return tuple(path.removesuffix(first) for path in paths if path.endswith(first))


_GLOBAL = "mean over the image, its halves or its quarters in every channel attention"

ENTRIES = (
    Entry(
        "MPRNet",
        MPRNet,
        tasks=("DN",),
        official_files=("MPRNet_model.pth", "model_denoising.pth"),
        published_at="github.com/swz30/MPRNet",
        licence="Academic Public License, non-commercial",
        size_multiple=8,
        global_operations=(_GLOBAL,),
    ),
    Entry(
        "MPRNet_DR",
        MPRNet,
        {
            "n_feat": 40,
            "scale_unetfeats": 20,
            "scale_orsnetfeats": 16,
            "output_range": (0.0, 1.0),
        },
        tasks=("DR",),
        official_files=("MPRNet_deraining.pth", "model_deraining.pth"),
        published_at="github.com/swz30/MPRNet",
        licence="Academic Public License, non-commercial",
        size_multiple=8,
        global_operations=(_GLOBAL,),
    ),
)
