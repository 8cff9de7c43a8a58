"""EDSR: Enhanced Deep Residual Networks for Single Image SR (Lim et al., CVPRW 2017)."""

from collections.abc import Mapping

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry, OtherVariant
from .layers import Conv, MeanShift, ResBlock, Sequential, Upsampler, from_range, to_range
from .value_range import FOUND_RANGE, found_range, mean_of

_WIDE = 256
"""From this width on, networks are published with residual blocks scaled by 0.1."""


class EDSR(nnx.Module):
    """Residual blocks without normalisation around a global skip, then sub-pixel upsampling.

    Args:
        num_channels: channels of the image.
        factor: upscaling factor, 3 or a power of 2.
        width: channels inside.
        depth: number of residual blocks.
        res_scale: factor on what a residual block adds.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "res_scale",
            "res_scale",
            "factor on what a residual block adds: 0.1 in the published networks of 256 channels, "
            "for which it must be given, and 1 in those of 64",
        ),
        FOUND_RANGE,
    )

    def __init__(
        self,
        num_channels: int = 3,
        factor: int = 4,
        width: int = 64,
        depth: int = 16,
        res_scale: float = 1.0,
        value_range: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        self.sub_mean = MeanShift(-1, mean_of(value_range))
        self.add_mean = MeanShift(+1, mean_of(value_range))
        self.head = Sequential(Conv(num_channels, width, rngs=rngs))
        blocks = [ResBlock(width, res_scale, rngs=rngs) for _ in range(depth)]
        self.body = Sequential(*blocks, Conv(width, width, init_scale=0.1, rngs=rngs))
        self.tail = Sequential(
            Upsampler(factor, width, rngs=rngs),
            Conv(width, num_channels, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factor, w * factor, num_channels]."""
        x = self.head(self.sub_mean(to_range(x, self.value_range)))
        y = self.add_mean(self.tail(x + self.body(x)))
        return from_range(y, self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        width, num_channels = shapes["head.0.weight"][:2]
        if num_channels != 3:
            raise OtherVariant(f"it takes {num_channels} channels, and mean colours have 3")
        depth = max(int(key.split(".")[1]) for key in shapes if key.startswith("body."))
        factor = Upsampler.factor(shapes, "tail.0.")
        return {"num_channels": num_channels, "factor": factor, "width": width, "depth": depth}

    @staticmethod
    def found(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
        """The range of values, from the mean colour."""
        return found_range(weights)

    @staticmethod
    def needed(told: Mapping[str, object], width: int = 64, **_: float) -> str:
        """Why an argument that was not told must be."""
        if width < _WIDE or "res_scale" in told:
            return ""
        return (
            f"res_scale= must be given for {width} channels; its authors publish 256 channels "
            "with res_scale=0.1"
        )

    @staticmethod
    def translated(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """BasicSR's names, whose network works on 0 .. 255 and does not store the mean colour."""
        if not {"conv_after_body.weight", "body.0.conv1.weight"} <= weights.keys():
            return weights
        last = 1 + max(int(k.split(".")[1]) for k in weights if k.startswith("body."))
        known = {
            "conv_first": "head.0",
            "conv_after_body": f"body.{last}",
            "upsample": "tail.0",
            "conv_last": "tail.1",
        }

        def name(key: str) -> str:
            first, _, rest = key.partition(".")
            if first in known:
                return f"{known[first]}.{rest}"
            return key.replace(".conv1.", ".body.0.").replace(".conv2.", ".body.2.")

        mean = np.asarray(mean_of(255), np.float32)
        eye = np.eye(3, dtype=np.float32)[:, :, None, None]
        shifts = {"sub_mean.weight": eye, "sub_mean.bias": -mean, "add_mean.weight": eye,
                  "add_mean.bias": mean}  # fmt: skip
        return {name(key): value for key, value in weights.items()} | shifts

    @staticmethod
    def receptive_radius(factor: int = 4, depth: int = 16, **_: float) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        Head, body and its last convolution reach 2 * depth + 2; the upsampling tail reaches 2 for
        any number of steps, since an upscaled pixel's neighbour lies at most one pixel away.
        """
        return 2 * depth + 2 + (2 if factor > 1 else 1)


ENTRIES = (
    Entry(
        "EDSR",
        EDSR,
        tasks=("SR",),
        scale=4,
        official_files=("EDSR-64-16_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
    Entry(
        "EDSR-32-16",
        EDSR,
        {"width": 32},
        tasks=("SR",),
        scale=4,
        official_files=("EDSR-32-16_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
)
