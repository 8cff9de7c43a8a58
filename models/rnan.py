"""RNAN: Residual Non-local Attention Networks for Image Restoration (Zhang et al., ICLR 2019)."""

import jax
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    Chain,
    Conv,
    ConvTranspose,
    MeanShift,
    ResBlock,
    Sequential,
    Upsampler,
    from_range,
    non_local,
    to_range,
)
from .value_range import RANGE


class NonLocal(nnx.Module):
    """x + attention between all pixels, whose weights sum to one over the queries of a key."""

    def __init__(self, width: int, hidden: int, *, rngs: nnx.Rngs):
        self.g = Conv(width, hidden, 1, rngs=rngs)
        self.W = Conv(hidden, width, 1, init_scale=0.1, rngs=rngs)
        self.theta = Conv(width, hidden, 1, rngs=rngs)
        self.phi = Conv(width, hidden, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        mixed = non_local(self.theta(x), self.phi(x), self.g(x), softmax_axis=1)
        return x + self.W(mixed)


class TrunkBranch(nnx.Module):
    """Two residual blocks."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.body = Sequential(*(ResBlock(width, rngs=rngs) for _ in range(2)))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class MaskBranch(nnx.Module):
    """Weights in (0, 1) for every pixel and channel, from full and half resolution.

    Args:
        width: channels.
        attention: modules in front of the first residual block.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *attention: nnx.Module, rngs: nnx.Rngs):
        def blocks(count: int) -> list[ResBlock]:
            return [ResBlock(width, rngs=rngs) for _ in range(count)]

        self.MB_RB1 = Sequential(*attention, *blocks(1))
        self.MB_Down = Sequential(Conv(width, width, stride=2, rngs=rngs))
        self.MB_RB2 = Sequential(*blocks(2))
        self.MB_Up = Sequential(ConvTranspose(width, width, 6, stride=2, padding=2, rngs=rngs))
        self.MB_RB3 = Sequential(*blocks(1))
        self.MB_1x1conv = Sequential(Conv(width, width, 1, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        x = self.MB_RB1(x)
        x = x + self.MB_Up(self.MB_RB2(self.MB_Down(x)))
        return jax.nn.sigmoid(self.MB_1x1conv(self.MB_RB3(x)))


class ResidualAttention(nnx.Module):
    """Trunk times mask plus input, between residual blocks; `attention` goes to the mask."""

    def __init__(self, width: int, *attention: nnx.Module, rngs: nnx.Rngs):
        self.RA_RB1 = Sequential(ResBlock(width, rngs=rngs))
        self.RA_TB = Sequential(TrunkBranch(width, rngs=rngs))
        self.RA_MB = Sequential(MaskBranch(width, *attention, rngs=rngs))
        self.RA_tail = Sequential(*(ResBlock(width, rngs=rngs) for _ in range(2)))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        x = self.RA_RB1(x)
        return self.RA_tail(x + self.RA_TB(x) * self.RA_MB(x))


class Group(nnx.Module):
    """Residual attention, then a convolution."""

    def __init__(self, width: int, *attention: nnx.Module, rngs: nnx.Rngs):
        self.body = Sequential(
            ResidualAttention(width, *attention, rngs=rngs), Conv(width, width, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.body(x)


class RNAN(nnx.Module):
    """Groups of residual attention, the first and the last with non-local masks.

    The sides of the image must be even.

    Args:
        num_channels: channels of the image.
        factor: upscaling factor, 3 or a power of 2.
        n_feats: channels inside.
        n_resgroup: number of groups.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        num_channels: int = 3,
        factor: int = 4,
        n_feats: int = 64,
        n_resgroup: int = 10,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range

        def non_local_group() -> Sequential:
            attention = NonLocal(n_feats, n_feats // 2, rngs=rngs)
            return Sequential(Group(n_feats, attention, rngs=rngs))

        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(+1)
        self.head = Sequential(Conv(num_channels, n_feats, rngs=rngs))
        self.body_nl_low = non_local_group()
        local = [Group(n_feats, rngs=rngs) for _ in range(n_resgroup - 2)]
        self.body = Chain(*local, Conv(n_feats, n_feats, rngs=rngs))
        self.body_nl_high = non_local_group()
        self.tail = Sequential(
            Upsampler(factor, n_feats, rngs=rngs),
            Conv(n_feats, num_channels, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factor, w * factor, num_channels]."""
        x = self.head(self.sub_mean(to_range(x, self.value_range)))
        x = x + self.body_nl_high(self.body(self.body_nl_low(x)))
        return from_range(self.add_mean(self.tail(x)), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        n_feats, num_channels = shapes["head.0.weight"][:2]
        return {
            "num_channels": num_channels,
            "factor": Upsampler.factor(shapes, "tail.0."),
            "n_feats": n_feats,
            "n_resgroup": 2 + max(int(k.split(".")[1]) for k in shapes if k.startswith("body.")),
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the non-local attention sees the whole image."""
        return None


ENTRIES = (
    Entry(
        "RNAN",
        RNAN,
        tasks=("SR",),
        scale=4,
        official_files=("RNAN_SR_F64G10P48BIX4.pt",),
        published_at="github.com/yulunzhang/RNAN",
        licence="none stated",
        size_multiple=2,
        global_operations=("softmax attention between all pixels",),
    ),
)
