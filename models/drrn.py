"""DRRN: Image Super-Resolution via Deep Recursive Residual Network (Tai et al., CVPR 2017)."""

import jax
from flax import nnx
from jax import lax
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, resize_bicubic_align_corners

_RECURSIONS = 25


class DRRN(nnx.Module):
    """Bicubic enlargement, then one residual block applied again and again.

    Both skip connections carry rectified values, as in the PyTorch form of the network, whose
    activations overwrite their input.

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
        self.input = Conv(num_channels, 128, use_bias=False, rngs=rngs)
        self.conv1 = Conv(128, 128, use_bias=False, rngs=rngs)
        self.conv2 = Conv(128, 128, use_bias=False, init_scale=0.1, rngs=rngs)
        self.output = Conv(128, num_channels, use_bias=False, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factors, w * factors, num_channels]."""
        enlarged = jax.nn.relu(resize_bicubic_align_corners(x, self.factors))
        features = jax.nn.relu(self.input(enlarged))

        def block(
            y: Float[jax.Array, "n h w c"], _: None
        ) -> tuple[Float[jax.Array, "n h w c"], None]:
            y = self.conv1(jax.nn.relu(y))
            return self.conv2(jax.nn.relu(y)) + features, None

        y, _ = lax.scan(block, features, length=_RECURSIONS)
        return self.output(jax.nn.relu(y)) + enlarged

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict; they hide the factor."""
        return {"num_channels": shapes["input.weight"][1]}

    @staticmethod
    def receptive_radius(factors: int = 4, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The convolutions reach 2 * 25 + 2 enlarged pixels; the interpolation takes two beyond.
        """
        return (2 * _RECURSIONS + 2 + factors - 1) // factors + 2


ENTRIES = (Entry("DRRN", DRRN, tasks=("SR",), scale=4, anchor=None),)
