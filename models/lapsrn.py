"""LapSRN: Deep Laplacian Pyramid Networks for Super-Resolution (Lai et al., CVPR 2017)."""

import jax
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import Conv, ConvTranspose, LeakyReLU, Sequential, neighbours, reach, transposed

_WIDTH = 64
_DEPTH = 10


class FeatureBlock(nnx.Module):
    """Convolutions at one level of the pyramid, and the step to the next."""

    def __init__(self, *, rngs: nnx.Rngs):
        layers = []
        for _ in range(_DEPTH):
            layers += [Conv(_WIDTH, _WIDTH, use_bias=False, rngs=rngs), LeakyReLU(0.2)]
        layers += [_double(_WIDTH, rngs=rngs), LeakyReLU(0.2)]
        self.cov_block = Sequential(*layers)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
        return self.cov_block(x)


def _double(width: int, *, rngs: nnx.Rngs) -> ConvTranspose:
    return ConvTranspose(width, width, 4, stride=2, padding=1, use_bias=False, rngs=rngs)


class LapSRN(nnx.Module):
    """Two doublings, each of the image and of the features that give its residual.

    Args:
        num_channels: channels of the image; 3 for colour, 1 for luminance.
        rngs: source of the initial weights.
    """

    def __init__(self, num_channels: int = 3, *, rngs: nnx.Rngs):
        self.conv_input = Conv(num_channels, _WIDTH, use_bias=False, rngs=rngs)
        residual = {"use_bias": False, "init_scale": 0.1, "rngs": rngs}
        self.convt_I1 = _double(num_channels, rngs=rngs)
        self.convt_R1 = Conv(_WIDTH, num_channels, **residual)
        self.convt_F1 = Sequential(FeatureBlock(rngs=rngs))
        self.convt_I2 = _double(num_channels, rngs=rngs)
        self.convt_R2 = Conv(_WIDTH, num_channels, **residual)
        self.convt_F2 = Sequential(FeatureBlock(rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * 4, w * 4, num_channels]."""
        features = self.convt_F1(jax.nn.leaky_relu(self.conv_input(x), 0.2))
        x = self.convt_I1(x) + self.convt_R1(features)
        return self.convt_I2(x) + self.convt_R2(self.convt_F2(features))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        return {"num_channels": shapes["conv_input.weight"][1]}

    @staticmethod
    def receptive_radius(**_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        level = [neighbours(_DEPTH), transposed(4, 2, 1)]
        return reach([neighbours(1), *level, *level, neighbours(1)], period=1, scale=4)


ENTRIES = (
    Entry(
        "LapSRN",
        LapSRN,
        tasks=("SR",),
        scale=4,
        official_files=("LapSRN_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
)
