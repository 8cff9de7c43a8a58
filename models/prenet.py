"""PReNet: Progressive Image Deraining Networks (Ren et al., CVPR 2019)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from .entry import Entry
from .layers import Conv, ReLU, Sequential

_WIDTH = 32
_BLOCKS = 5


class PReNet(nnx.Module):
    """A convolutional LSTM and five residual blocks, applied again and again to their own estimate.

    Args:
        recurrent_iter: number of iterations; all share their weights.
        rngs: source of the initial weights.
    """

    def __init__(self, recurrent_iter: int = 6, *, rngs: nnx.Rngs):
        self.recurrent_iter = recurrent_iter
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

    def __call__(self, x: jax.Array) -> jax.Array:
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
            return (x + self.conv(y), hidden, cell), None

        (estimate, _, _), _ = lax.scan(step, (x, empty, empty), length=self.recurrent_iter)
        return estimate

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Nothing: the shapes of a torch state dict leave the number of iterations open."""
        return {}

    @staticmethod
    def receptive_radius(recurrent_iter: int = 6, **_: int) -> int:
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
