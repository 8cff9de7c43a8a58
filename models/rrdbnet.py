"""RRDBNet: Enhanced Super-Resolution GAN (ESRGAN; Wang et al., ECCVW 2018).

Also the network of Real-ESRGAN (Wang et al., ICCVW 2021).
"""

import jax
import jax.numpy as jnp
from flax import nnx

from .entry import Entry
from .layers import Chain, Conv, enlarged, neighbours, reach, upsample_nearest


def _activate(x: jax.Array) -> jax.Array:
    return jax.nn.leaky_relu(x, 0.2)


class ResidualDenseBlock(nnx.Module):
    """Five convolutions, each of which sees all earlier outputs; a fifth of the last is added.

    Args:
        num_feat: channels of input and output.
        num_grow_ch: channels that each convolution adds.
        rngs: source of the initial weights.
    """

    def __init__(self, num_feat: int, num_grow_ch: int, *, rngs: nnx.Rngs):
        def conv(grown: int, out: int) -> Conv:
            return Conv(num_feat + grown * num_grow_ch, out, init_scale=0.1, rngs=rngs)

        self.conv1 = conv(0, num_grow_ch)
        self.conv2 = conv(1, num_grow_ch)
        self.conv3 = conv(2, num_grow_ch)
        self.conv4 = conv(3, num_grow_ch)
        self.conv5 = conv(4, num_feat)

    def __call__(self, x: jax.Array) -> jax.Array:
        features = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = jnp.concatenate([features, _activate(conv(features))], -1)
        return x + 0.2 * self.conv5(features)


class RRDB(nnx.Module):
    """Three residual dense blocks; a fifth of their result is added."""

    def __init__(self, num_feat: int, num_grow_ch: int, *, rngs: nnx.Rngs):
        self.rdb1 = ResidualDenseBlock(num_feat, num_grow_ch, rngs=rngs)
        self.rdb2 = ResidualDenseBlock(num_feat, num_grow_ch, rngs=rngs)
        self.rdb3 = ResidualDenseBlock(num_feat, num_grow_ch, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nnx.Module):
    """Residual-in-residual dense blocks, then nearest-neighbour enlargement by 4 in two steps.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_block: number of residual-in-residual blocks.
        num_grow_ch: channels that a convolution adds in a dense block.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
        *,
        rngs: nnx.Rngs,
    ):
        self.conv_first = Conv(num_in_ch, num_feat, rngs=rngs)
        self.body = Chain(*(RRDB(num_feat, num_grow_ch, rngs=rngs) for _ in range(num_block)))
        self.conv_body = Conv(num_feat, num_feat, init_scale=0.1, rngs=rngs)
        self.conv_up1 = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_up2 = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_hr = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_last = Conv(num_feat, num_out_ch, init_scale=0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, num_in_ch] -> [n, h * 4, w * 4, num_out_ch]."""
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        for conv in (self.conv_up1, self.conv_up2):
            features = _activate(conv(upsample_nearest(features, 2)))
        return self.conv_last(_activate(self.conv_hr(features)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        num_feat, num_in_ch = shapes["conv_first.weight"][:2]
        return {
            "num_in_ch": num_in_ch,
            "num_out_ch": shapes["conv_last.weight"][0],
            "num_feat": num_feat,
            "num_block": 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("body.")),
            "num_grow_ch": shapes["body.0.rdb1.conv1.weight"][0],
        }

    @staticmethod
    def receptive_radius(num_block: int = 23, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        body = neighbours(15 * num_block + 2)
        double = [enlarged(2), neighbours(1)]
        return reach([body, *double, *double, neighbours(2)], period=1, scale=4)


def _real_world(name: str, files: tuple[str, ...]) -> Entry:
    return Entry(
        name,
        RRDBNet,
        tasks=("SR",),
        scale=4,
        official_files=files,
        published_at="github.com/xinntao/Real-ESRGAN",
        licence="BSD-3-Clause",
    )


ENTRIES = (
    _real_world("RRDBNet", ("RealESRGAN_x4plus.pth", "ESRGAN_SRx4_DF2KOST_official-ff704c30.pth")),
    _real_world("RealESRGAN", ("RealESRGAN_x4plus.pth", "RealESRGAN_x4plus_anime_6B.pth")),
    _real_world("RealESRNet", ("RealESRNet_x4plus.pth",)),
)
