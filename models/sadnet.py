"""SADNet: Spatial-Adaptive Network for Single Image Denoising (Chang et al., ECCV 2020)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, ConvTranspose, ModulatedDeformConv, upsample_bilinear

_DILATIONS = {4: (1, 2, 3, 4), 8: (1, 2, 4, 8)}
"""Dilations in the context block, by the largest of them."""
_DEFORMABLE_GROUPS = 8
_LEVELS = (1, 2, 3, 4)


def _rectify(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
    return jax.nn.leaky_relu(x, 0.2)


class ResBlock(nnx.Module):
    """x + conv2(rectified conv1(x)).

    Args:
        width: channels.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv1 = Conv(width, width, rngs=rngs)
        self.conv2 = Conv(width, width, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.conv2(_rectify(self.conv1(x)))


class WideningResBlock(ResBlock):
    """A residual block behind a 1x1 convolution to another number of channels.

    Args:
        in_features: channels of the input.
        width: channels of the output.
        rngs: source of the initial weights.
    """

    def __init__(self, in_features: int, width: int, *, rngs: nnx.Rngs):
        super().__init__(width, rngs=rngs)
        self.conv0 = Conv(in_features, width, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return super().__call__(self.conv0(x))


class ContextBlock(nnx.Module):
    """x + the fusion of four dilated convolutions side by side.

    Args:
        width: channels.
        inner: channels of each convolution.
        dilation: the largest dilation.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, inner: int, dilation: int, *, rngs: nnx.Rngs):
        self.conv0 = Conv(width, inner, 1, rngs=rngs)
        names = []
        for index, each in enumerate(_DILATIONS[dilation], 1):
            setattr(self, f"conv{index}", Conv(inner, inner, dilation=each, rngs=rngs))
            names.append(f"conv{index}")
        self.branches = tuple(names)
        self.fusion = Conv(len(names) * inner, width, 1, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = self.conv0(x)
        found = [_rectify(getattr(self, name)(y)) for name in self.branches]
        return x + self.fusion(jnp.concatenate(found, -1))


class OffsetBlock(nnx.Module):
    """Features that offsets are computed from.

    Args:
        width: channels of the image features.
        out: channels of the result.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, out: int, *, rngs: nnx.Rngs):
        self.offset_conv1 = Conv(width, out, rngs=rngs)
        self.offset_conv3 = Conv(out, out, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return _rectify(self.offset_conv3(_rectify(self.offset_conv1(x))))


class RefiningOffsetBlock(OffsetBlock):
    """Features that offsets are computed from, given those at half the size.

    Args:
        width: channels of the image features.
        out: channels of the result.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, out: int, *, rngs: nnx.Rngs):
        super().__init__(width, out, rngs=rngs)
        self.offset_conv2 = Conv(2 * out, out, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], coarse: Float[jax.Array, "n H W C"]
    ) -> Float[jax.Array, "n h w C"]:
        y = _rectify(self.offset_conv1(x))
        # An offset of one pixel is one of two pixels at twice the size.
        y = jnp.concatenate([y, 2.0 * upsample_bilinear(coarse, 2)], -1)
        return _rectify(self.offset_conv3(_rectify(self.offset_conv2(y))))


class RSABlock(nnx.Module):
    """Residual block around a deformable convolution.

    Args:
        width: channels.
        offset_channel: channels of the features that offsets are computed from.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, offset_channel: int, *, rngs: nnx.Rngs):
        self.dcnpack = ModulatedDeformConv(
            width, width, offset_channel, deformable_groups=_DEFORMABLE_GROUPS, rngs=rngs
        )
        self.conv1 = Conv(width, width, init_scale=0.1, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], guide: Float[jax.Array, "n h w C"]
    ) -> Float[jax.Array, "n h w c"]:
        return x + self.conv1(_rectify(self.dcnpack(x, guide)))


class SADNet(nnx.Module):
    """A U-Net whose decoder samples along the image's structures; predicts the correction.

    Args:
        input_channel: channels of the input.
        output_channel: channels of the output.
        n_channel: channels at full size; each of the three halvings doubles them.
        offset_channel: channels of the features that offsets are computed from.
        dilation: largest dilation in the context block, 4 or 8.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "dilation",
            "dilation",
            "largest dilation in the context block: 4 for 1, 2, 3, 4, or 8 for 1, 2, 4, 8, which "
            "its authors' code had until July 2020; the weights have equal shapes",
            choices=tuple(_DILATIONS),
        ),
    )

    def __init__(
        self,
        input_channel: int = 3,
        output_channel: int = 3,
        n_channel: int = 32,
        offset_channel: int = 32,
        dilation: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        widths = {level: n_channel * 2 ** (level - 1) for level in _LEVELS}
        self.res1 = WideningResBlock(input_channel, n_channel, rngs=rngs)
        for level in _LEVELS[:-1]:
            fine, coarse = widths[level], widths[level + 1]
            down = Conv(fine, coarse, 2, stride=2, padding=0, rngs=rngs)
            setattr(self, f"down{level}", down)
            setattr(self, f"res{level + 1}", ResBlock(coarse, rngs=rngs))
            setattr(self, f"up{level}", ConvTranspose(coarse, fine, 2, stride=2, rngs=rngs))
            setattr(self, f"dconv{level}_1", Conv(2 * fine, fine, 1, rngs=rngs))
            offset = RefiningOffsetBlock(fine, offset_channel, rngs=rngs)
            setattr(self, f"offset{level}", offset)
        for level in _LEVELS:
            block = RSABlock(widths[level], offset_channel, rngs=rngs)
            setattr(self, f"dres{level}", block)
        self.context = ContextBlock(widths[4], widths[2], dilation, rngs=rngs)
        self.offset4 = OffsetBlock(widths[4], offset_channel, rngs=rngs)
        self.out = Conv(n_channel, output_channel, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, input_channel] -> [n, h, w, output_channel]; h and w are multiples of 8."""
        y = self.res1(x)
        skips = {}
        for level in _LEVELS[:-1]:
            skips[level] = y
            y = _rectify(getattr(self, f"down{level}")(y))
            y = getattr(self, f"res{level + 1}")(y)
        y = self.context(y)
        guide = self.offset4(y)
        y = self.dres4(y, guide)
        for level in reversed(_LEVELS[:-1]):
            y = jnp.concatenate([getattr(self, f"up{level}")(y), skips[level]], -1)
            y = getattr(self, f"dconv{level}_1")(y)
            guide = getattr(self, f"offset{level}")(y, guide)
            y = getattr(self, f"dres{level}")(y, guide)
        return x + self.out(y)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        n_channel, input_channel = shapes["res1.conv0.weight"][:2]
        return {
            "input_channel": input_channel,
            "output_channel": shapes["out.weight"][0],
            "n_channel": n_channel,
            "offset_channel": shapes["offset4.offset_conv3.weight"][0],
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: offsets computed from the image are not bounded."""
        return None


ENTRIES = (
    Entry(
        "SADNet",
        SADNet,
        tasks=("DN",),
        official_files=("sadnet_color_50.pth",),
        published_at="github.com/JimmyChame/SADNet",
        licence="none stated",
        size_multiple=8,
        global_operations=(
            "sampling at positions computed from the image, in every decoder block",
        ),
    ),
)
