"""SRCNN: Image Super-Resolution Using Deep Networks (Dong et al., IEEE TPAMI 2016)."""

import jax
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, resize_bicubic_align_corners


class SRCNN(nnx.Module):
    """Bicubic enlargement, then three convolutions.

    Args:
        num_channels: channels of the image.
        factors: upscaling factor.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "scale",
            "factors",
            "upscaling factor, which the weights do not tell; 1 where the images are enlarged "
            "beforehand, as the authors of the method do",
            least=1,
            most=8,
            whole=True,
        ),
    )

    def __init__(self, num_channels: int = 3, factors: int = 4, *, rngs: nnx.Rngs):
        self.factors = factors
        self.conv1 = Conv(num_channels, 64, 9, rngs=rngs)
        self.conv2 = Conv(64, 32, 5, rngs=rngs)
        self.conv3 = Conv(32, num_channels, 5, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factors, w * factors, num_channels]."""
        x = resize_bicubic_align_corners(x, self.factors)
        x = jax.nn.relu(self.conv1(x))
        return self.conv3(jax.nn.relu(self.conv2(x)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict; they hide the factor."""
        return {"num_channels": shapes["conv1.weight"][1]}

    @staticmethod
    def receptive_radius(factors: int = 4, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The convolutions reach 8 enlarged pixels; the interpolation takes two pixels beyond.
        """
        return (8 + factors - 1) // factors + 2


ENTRIES = (
    Entry(
        "SRCNN",
        SRCNN,
        tasks=("SR",),
        scale=4,
        anchor=None,
        official_files=("SRCNN_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
)
