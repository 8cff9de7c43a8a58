"""PReNet: Progressive Image Deraining Networks (Ren et al., CVPR 2019)."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Float

from .argument import Argument
from .entry import Entry, OtherVariant
from .layers import Conv, ReLU, Sequential

_WIDTH = 32
_BLOCKS = 5


class PReNet(nnx.Module):
    """A convolutional LSTM and five residual blocks, applied again and again to their own estimate.

    Args:
        recurrent_iter: number of iterations; all share their weights.
        variant: "PReNet", or "PReNet_LSTM", which does not add the input to what it computes.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "iterations",
            "recurrent_iter",
            "number of iterations, which the weights do not tell; 6 in most of its authors' "
            "files, 4 in PReNet1.pth and PReNet2.pth, 5 and 7 in two of the ablation",
            least=1,
            most=100,
            whole=True,
        ),
        Argument(
            "variant",
            "variant",
            "what the last convolution gives: with PReNet the correction of the rainy image, with "
            "PReNet_LSTM of its authors' ablation the image itself; the weights have equal shapes",
            choices=("PReNet", "PReNet_LSTM"),
        ),
    )

    def __init__(self, recurrent_iter: int = 6, variant: str = "PReNet", *, rngs: nnx.Rngs):
        self.recurrent_iter = recurrent_iter
        self.adds_input = variant == "PReNet"
        self.conv0 = Sequential(Conv(6, _WIDTH, rngs=rngs), ReLU())
        for index in range(1, _BLOCKS + 1):
            block = Sequential(
                Conv(_WIDTH, _WIDTH, rngs=rngs),
                ReLU(),
                Conv(_WIDTH, _WIDTH, init_scale=0.1, rngs=rngs),
                ReLU(),
            )
            setattr(self, f"res_conv{index}", block)
        self.conv_i, self.conv_f, self.conv_g, self.conv_o = (
            Sequential(Conv(2 * _WIDTH, _WIDTH, rngs=rngs)) for _ in range(4)
        )
        self.conv = Sequential(Conv(_WIDTH, 3, init_scale=0.1, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, 3] -> [n, h, w, 3]."""
        empty = jnp.zeros((*x.shape[:3], _WIDTH), x.dtype)

        def step(carry: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], None]:
            estimate, hidden, cell = carry
            y = self.conv0(jnp.concatenate([x, estimate], -1))
            y = jnp.concatenate([y, hidden], -1)
            keep, write = jax.nn.sigmoid(self.conv_f(y)), jax.nn.sigmoid(self.conv_i(y))
            cell = keep * cell + write * jnp.tanh(self.conv_g(y))
            hidden = jax.nn.sigmoid(self.conv_o(y)) * jnp.tanh(cell)
            y = hidden
            for index in range(1, _BLOCKS + 1):
                y = jax.nn.relu(y + getattr(self, f"res_conv{index}")(y))
            y = self.conv(y)
            return (x + y if self.adds_input else y, hidden, cell), None

        (estimate, _, _), _ = lax.scan(step, (x, empty, empty), length=self.recurrent_iter)
        return estimate

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Nothing: the shapes of a torch state dict leave the number of iterations open."""
        if "conv_i.0.weight" not in shapes and "conv0.0.weight" in shapes:
            raise OtherVariant("PRN, which has no memory, or one of another kind")
        return {}

    @staticmethod
    def translated(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The weights with five residual blocks, of which PReNet_r stores one for all."""
        if any(key.startswith("res_conv2.") for key in weights):
            return weights
        block = {key.partition(".")[2]: value for key, value in weights.items()
                 if key.startswith("res_conv1.")}  # fmt: skip
        return weights | {f"res_conv{n}.{key}": value for n in range(1, _BLOCKS + 1)
                          for key, value in block.items()}  # fmt: skip

    @staticmethod
    def receptive_radius(recurrent_iter: int = 6, **_: object) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        An iteration has a first convolution, one into the gates, two a block, and a last one.
        """
        return (2 * _BLOCKS + 3) * recurrent_iter


ENTRIES = (
    Entry(
        "PReNet",
        PReNet,
        tasks=("DR",),
        official_files=("PReNet6.pth", "net_latest.pth", "PReNet6_Rain100H.pth"),
        published_at="github.com/csdwren/PReNet",
        licence="none stated",
    ),
)
