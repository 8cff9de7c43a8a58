"""FSRCNN: Accelerating the Super-Resolution CNN (Dong et al., ECCV 2016)."""

import jax
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, ConvTranspose, PReLU, Sequential, neighbours, reach, transposed


class FSRCNN(nnx.Module):
    """Convolutions on few channels at the input's size, then one transposed convolution.

    Args:
        scale_factor: upscaling factor.
        num_channels: channels of the image.
        d: channels of the features.
        s: channels after shrinking.
        m: number of convolutions on the shrunk features.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "scale",
            "scale_factor",
            "upscaling factor, which the weights do not tell",
            least=1,
            most=8,
            whole=True,
        ),
    )

    def __init__(
        self,
        scale_factor: int = 4,
        num_channels: int = 3,
        d: int = 56,
        s: int = 12,
        m: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        self.first_part = Sequential(Conv(num_channels, d, 5, rngs=rngs), PReLU(d))
        mapping = []
        for _ in range(m):
            mapping += [Conv(s, s, rngs=rngs), PReLU(s)]
        shrink = Conv(d, s, 1, rngs=rngs), PReLU(s)
        expand = Conv(s, d, 1, rngs=rngs), PReLU(d)
        self.mid_part = Sequential(*shrink, *mapping, *expand)
        self.last_part = ConvTranspose(
            d,
            num_channels,
            9,
            stride=scale_factor,
            padding=4,
            output_padding=scale_factor - 1,
            rngs=rngs,
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * scale_factor, w * scale_factor, num_channels]."""
        return self.last_part(self.mid_part(self.first_part(x)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict; they hide the factor."""
        d, num_channels = shapes["first_part.0.weight"][:2]
        last = max(int(key.split(".")[1]) for key in shapes if key.startswith("mid_part."))
        s = shapes["mid_part.0.weight"][0]
        return {"num_channels": num_channels, "d": d, "s": s, "m": (last - 3) // 2}

    @staticmethod
    def receptive_radius(scale_factor: int = 4, m: int = 4, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        stages = [neighbours(2 + m), transposed(9, scale_factor, 4)]
        return reach(stages, period=1, scale=scale_factor)


ENTRIES = (
    Entry("FSRCNN", FSRCNN, tasks=("SR",), scale=4),
    Entry(
        "FSRCNN-16-6",
        FSRCNN,
        {"s": 16, "m": 6},
        tasks=("SR",),
        scale=4,
        official_files=("FSRCNN-16-6_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
)
