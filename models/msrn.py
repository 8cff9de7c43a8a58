"""MSRN: Multi-Scale Residual Network for Image Super-Resolution (Li et al., ECCV 2018)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    Conv,
    MeanShift,
    Sequential,
    Upsampler,
    from_range,
    to_range,
)
from .value_range import RANGE

_WIDTH = 64


class MSRB(nnx.Module):
    """3x3 and 5x5 convolutions side by side, twice, exchanging their features in between."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv_3_1 = Conv(width, width, 3, rngs=rngs)
        self.conv_3_2 = Conv(2 * width, 2 * width, 3, rngs=rngs)
        self.conv_5_1 = Conv(width, width, 5, rngs=rngs)
        self.conv_5_2 = Conv(2 * width, 2 * width, 5, rngs=rngs)
        self.confusion = Conv(4 * width, width, 1, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        y = jnp.concatenate([self.conv_3_1(x), self.conv_5_1(x)], -1)
        y = jax.nn.relu(y)
        y = jnp.concatenate([self.conv_3_2(y), self.conv_5_2(y)], -1)
        return x + self.confusion(jax.nn.relu(y))


class MSRN(nnx.Module):
    """Multi-scale blocks whose outputs are all blended, then sub-pixel upsampling.

    Args:
        factor: upscaling factor, 3 or a power of 2.
        num_channels: channels of the image.
        num_blocks: number of multi-scale blocks.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        factor: int = 4,
        num_channels: int = 3,
        num_blocks: int = 8,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(+1)
        self.head = Sequential(Conv(num_channels, _WIDTH, rngs=rngs))
        self.body = nnx.List([MSRB(_WIDTH, rngs=rngs) for _ in range(num_blocks)])
        self.tail = Sequential(
            Conv(_WIDTH * (num_blocks + 1), _WIDTH, 1, rngs=rngs),
            Conv(_WIDTH, _WIDTH, rngs=rngs),
            Upsampler(factor, _WIDTH, rngs=rngs),
            Conv(_WIDTH, num_channels, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factor, w * factor, num_channels]."""
        # Inside, colours run from 0 to 255, but the mean that is subtracted is one in [0, 1].
        head = x = self.head(self.sub_mean(to_range(x, self.value_range)))
        outputs = []
        for block in self.body:
            x = block(x)
            outputs.append(x)
        x = self.tail(jnp.concatenate([*outputs, head], -1))
        return from_range(self.add_mean(x), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        return {
            "factor": Upsampler.factor(shapes, "tail.2."),
            "num_channels": shapes["head.0.weight"][1],
            "num_blocks": 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("body.")),
        }

    @staticmethod
    def receptive_radius(factor: int = 4, num_blocks: int = 8, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        4 for each block, 1 for the head, 1 for the tail before upsampling, 2 for the upsampling
        and the last convolution (1 if there is none).
        """
        return 4 * num_blocks + 2 + (2 if factor > 1 else 1)


ENTRIES = (
    Entry(
        "MSRN",
        MSRN,
        tasks=("SR",),
        scale=4,
        official_files=("MSRN_x4.pt",),
        published_at="github.com/MIVRC/MSRN-PyTorch",
        licence="MIT",
    ),
)
