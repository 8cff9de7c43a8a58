"""EDSR: Enhanced Deep Residual Networks for Single Image SR (Lim et al., CVPRW 2017)."""

import jax
from flax import nnx

from .entry import Entry
from .layers import Conv, MeanShift, ResBlock, Sequential, Upsampler


class EDSR(nnx.Module):
    """Residual blocks without normalisation around a global skip, then sub-pixel upsampling.

    Args:
        num_channels: channels of the image.
        factor: upscaling factor, 3 or a power of 2.
        width: channels inside.
        depth: number of residual blocks.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_channels: int = 3,
        factor: int = 4,
        width: int = 64,
        depth: int = 16,
        *,
        rngs: nnx.Rngs,
    ):
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(+1)
        self.head = Sequential(Conv(num_channels, width, rngs=rngs))
        blocks = [ResBlock(width, rngs=rngs) for _ in range(depth)]
        self.body = Sequential(*blocks, Conv(width, width, init_scale=0.1, rngs=rngs))
        self.tail = Sequential(
            Upsampler(factor, width, rngs=rngs),
            Conv(width, num_channels, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, num_channels] -> [n, h * factor, w * factor, num_channels]."""
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        width, num_channels = shapes["head.0.weight"][:2]
        depth = max(int(key.split(".")[1]) for key in shapes if key.startswith("body."))
        factor = Upsampler.factor(shapes, "tail.0.")
        return {"num_channels": num_channels, "factor": factor, "width": width, "depth": depth}

    @staticmethod
    def receptive_radius(factor: int = 4, depth: int = 16, **_: int) -> int:
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
