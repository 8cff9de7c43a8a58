"""SRResNet without normalisation and without upsampling, as used for denoising and deraining.

After Ledig et al., CVPR 2017, in BasicSR's form (MSRResNet).
"""

import jax
from flax import nnx

from .entry import Entry
from .layers import Conv, Sequential


class ResidualBlockNoBN(nnx.Module):
    """x + conv2(relu(conv1(x)))."""

    def __init__(self, num_feat: int, *, rngs: nnx.Rngs):
        self.conv1 = Conv(num_feat, num_feat, rngs=rngs)
        self.conv2 = Conv(num_feat, num_feat, init_scale=0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.conv2(jax.nn.relu(self.conv1(x)))


class SRResNetRestoration(nnx.Module):
    """Residual blocks at full size; predicts the correction of its input.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_block: number of residual blocks.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 16,
        *,
        rngs: nnx.Rngs,
    ):
        self.conv_first = Conv(num_in_ch, num_feat, rngs=rngs)
        self.body = Sequential(*(ResidualBlockNoBN(num_feat, rngs=rngs) for _ in range(num_block)))
        self.conv_hr = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_last = Conv(num_feat, num_out_ch, init_scale=0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, num_in_ch] -> [n, h, w, num_out_ch]."""
        features = self.body(jax.nn.leaky_relu(self.conv_first(x), 0.1))
        return x + self.conv_last(jax.nn.leaky_relu(self.conv_hr(features), 0.1))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        num_feat, num_in_ch = shapes["conv_first.weight"][:2]
        num_block = 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("body."))
        num_out_ch = shapes["conv_last.weight"][0]
        return {
            "num_in_ch": num_in_ch,
            "num_out_ch": num_out_ch,
            "num_feat": num_feat,
            "num_block": num_block,
        }

    @staticmethod
    def receptive_radius(num_block: int = 16, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return 2 * num_block + 3


ENTRIES = (
    Entry(
        "SRResNet_DR",
        SRResNetRestoration,
        tasks=("DR",),
        official_files=("SRResNet_DR.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
    Entry(
        "SRResNet_DR-compact",
        SRResNetRestoration,
        {"num_feat": 32, "num_block": 6},
        tasks=("DR",),
        licence="trained here, Apache-2.0",
        bundled=True,
    ),
)
