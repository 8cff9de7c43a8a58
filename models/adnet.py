"""ADNet: Attention-guided CNN for Image Denoising (Tian et al., Neural Networks 2020)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import BatchNorm, Conv, ReLU, Sequential

_DEPTH = 15
_DILATED = (2, 5, 9, 12)
"""Numbers of the layers whose kernels' taps lie two pixels apart."""


class ADNet(nnx.Module):
    """Sparse and plain convolutions that predict the noise, weighted by attention to it.

    Args:
        channels: channels of the image.
        width: channels inside.
        order: "rgb", or "bgr": the order of the channels inside, that of the authors' images.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "order",
            "order",
            "order of the channels inside: rgb takes images as they are; the authors' files for "
            "colour were trained on bgr",
            choices=("rgb", "bgr"),
        ),
    )

    def __init__(self, channels: int = 3, width: int = 64, order: str = "rgb", *, rngs: nnx.Rngs):
        self.turned = order == "bgr"
        self.layers = tuple(f"conv1_{number}" for number in range(1, _DEPTH + 1))
        for number, name in enumerate(self.layers, 1):
            conv = Conv(
                channels if number == 1 else width,
                width,
                dilation=2 if number in _DILATED else 1,
                use_bias=False,
                rngs=rngs,
            )
            setattr(self, name, Sequential(conv, BatchNorm(width), ReLU()))
        self.conv1_16 = Conv(width, channels, use_bias=False, init_scale=0.1, rngs=rngs)
        self.conv3 = Conv(2 * channels, channels, 1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, channels] -> the same shape."""
        x = x[..., ::-1] if self.turned else x
        y = x
        for name in self.layers:
            y = getattr(self, name)(y)
        y = self.conv1_16(y)
        attention = self.conv3(jnp.tanh(jnp.concatenate([x, y], axis=-1)))
        y = x - attention * y
        return y[..., ::-1] if self.turned else y

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        width, channels = shapes["conv1_1.0.weight"][:2]
        return {"channels": channels, "width": width}

    @staticmethod
    def receptive_radius(**_: object) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return _DEPTH + len(_DILATED) + 1


ENTRIES = (
    Entry(
        "ADNet",
        ADNet,
        tasks=("DN",),
        official_files=("model_70.pth",),
        published_at="github.com/hellloxiaotian/ADNet",
        licence="none stated",
    ),
)
