"""RRDBNet: Enhanced Super-Resolution GAN (ESRGAN; Wang et al., ECCVW 2018).

Also the network of Real-ESRGAN (Wang et al., ICCVW 2021).
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .entry import Entry, OtherVariant
from .layers import (
    Chain,
    Conv,
    enlarged,
    neighbours,
    pixel_unshuffle,
    reach,
    reduced,
    upsample_nearest,
)

_TRUNK = re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\.(conv\d)\.(\w+)")
_OLD_TRUNK = re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d)\.0\.(\w+)")
_NAMES = {"trunk_conv": "conv_body", "HRconv": "conv_hr"} | {
    f"upconv{step}": f"conv_up{step}" for step in (1, 2, 3)
}


def _activate(x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
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

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
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

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


def _renamed(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights under BasicSR's present names, from those of ESRGAN's two earlier codes."""
    if any(key.startswith("model.1.sub.") for key in weights):
        return _from_oldest(weights)

    def name(key: str) -> str:
        key = _TRUNK.sub(r"body.\1.rdb\2.\3.\4", key)
        first, dot, rest = key.partition(".")
        return f"{_NAMES.get(first, first)}{dot}{rest}"

    return {name(key): value for key, value in weights.items()}


def _from_oldest(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From the code whose modules are numbered: first, trunk, doublings, two convolutions."""
    plain = {key.split(".")[1] for key in weights if re.fullmatch(r"model\.\d+\.\w+", key)}
    first, *steps, high, last = sorted(map(int, plain)) if len(plain) > 2 else (0, 0, 0)
    names = {first: "conv_first", high: "conv_hr", last: "conv_last"}
    names |= {step: f"conv_up{place}" for place, step in enumerate(steps, 1)}
    stems = {f"model.{number}": name for number, name in names.items()}

    def name(key: str) -> str:
        key = _OLD_TRUNK.sub(r"body.\1.rdb\2.\3.\4", key)
        key = re.sub(r"model\.1\.sub\.\d+\.(\w+)", r"conv_body.\1", key)
        stem, _, leaf = key.rpartition(".")
        return f"{stems.get(stem, stem)}.{leaf}" if stem else key

    return {name(key): value for key, value in weights.items()}


class RRDBNet(nnx.Module):
    """Residual-in-residual dense blocks, then nearest-neighbour doublings.

    Networks for factors below 4 may have both doublings and reduce the image before them, by
    moving its pixels into channels. Sides that this reduction does not divide are padded by
    reflection at the bottom and the right.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_block: number of residual-in-residual blocks.
        num_grow_ch: channels that a convolution adds in a dense block.
        doublings: number of enlargements by 2.
        unshuffle: factor of the reduction before the first convolution, 1, 2 or 4.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
        doublings: int = 2,
        unshuffle: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.unshuffle = unshuffle
        self.enlarging = tuple(f"conv_up{step}" for step in range(1, doublings + 1))
        self.conv_first = Conv(num_in_ch * unshuffle**2, num_feat, rngs=rngs)
        self.body = Chain(*(RRDB(num_feat, num_grow_ch, rngs=rngs) for _ in range(num_block)))
        self.conv_body = Conv(num_feat, num_feat, init_scale=0.1, rngs=rngs)
        for name in self.enlarging:
            setattr(self, name, Conv(num_feat, num_feat, rngs=rngs))
        self.conv_hr = Conv(num_feat, num_feat, rngs=rngs)
        self.conv_last = Conv(num_feat, num_out_ch, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * scale, w * scale, num_out_ch]."""
        _, h, w, _ = x.shape
        if self.unshuffle > 1:
            padding = [(0, -side % self.unshuffle) for side in (h, w)]
            x = jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="reflect")
            x = pixel_unshuffle(x, self.unshuffle)
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        for name in self.enlarging:
            features = _activate(getattr(self, name)(upsample_nearest(features, 2)))
        y = self.conv_last(_activate(self.conv_hr(features)))
        if self.unshuffle == 1:
            return y
        scale = self.factor(len(self.enlarging), self.unshuffle)
        return y[:, : h * scale, : w * scale]

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        if any(".conv1x1." in key for key in shapes):
            raise OtherVariant("ESRGAN+ with 1x1 convolutions and noise in its dense blocks")
        num_feat, inputs = shapes["conv_first.weight"][:2]
        num_out_ch = shapes["conv_last.weight"][0]
        doublings = sum(f"conv_up{step}.weight" in shapes for step in (1, 2, 3))
        unshuffle = {4: 2, 16: 4}.get(inputs // num_out_ch, 1)
        if 2**doublings < unshuffle:
            raise OtherVariant(f"it takes {inputs} channels and has {doublings} doublings")
        return {
            "num_in_ch": inputs // unshuffle**2,
            "num_out_ch": num_out_ch,
            "doublings": doublings,
            "unshuffle": unshuffle,
            "num_feat": num_feat,
            "num_block": 1 + max(int(k.split(".")[1]) for k in shapes if k.startswith("body.")),
            "num_grow_ch": shapes["body.0.rdb1.conv1.weight"][0],
        }

    translated = staticmethod(_renamed)

    @staticmethod
    def factor(doublings: int = 2, unshuffle: int = 1, **_: int) -> int:
        """Output pixels per input pixel."""
        return 2**doublings // unshuffle

    @staticmethod
    def period(unshuffle: int = 1, **_: int) -> int:
        """Period of the network's grid in input pixels."""
        return unshuffle

    @staticmethod
    def receptive_radius(
        num_block: int = 23, doublings: int = 2, unshuffle: int = 1, **_: int
    ) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        down = [reduced(unshuffle)] if unshuffle > 1 else []
        body = neighbours(15 * num_block + 2)
        double = [enlarged(2), neighbours(1)] * doublings
        scale = RRDBNet.factor(doublings, unshuffle)
        return reach([*down, body, *double, neighbours(2)], period=unshuffle, scale=scale)


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
