"""FFDNet: a fast and flexible CNN-based image denoiser (Zhang et al., IEEE TIP 2018)."""

import jax
import jax.numpy as jnp
from flax import nnx

from .entry import Entry
from .layers import Conv, ReLU, Sequential, pixel_shuffle, pixel_unshuffle


class FFDNet(nnx.Module):
    """Plain 3x3 convolutions at half size, told the noise level by a constant plane.

    Args:
        in_nc: channels of the input.
        out_nc: channels of the output.
        nc: channels inside.
        nb: number of convolutions.
        sigma: deviation of the noise, in units of 1/255.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_nc: int = 3,
        out_nc: int = 3,
        nc: int = 96,
        nb: int = 12,
        sigma: float = 50.0,
        *,
        rngs: nnx.Rngs,
    ):
        self.sigma = sigma
        layers = [Conv(4 * in_nc + 1, nc, rngs=rngs), ReLU()]
        for _ in range(nb - 2):
            layers += [Conv(nc, nc, rngs=rngs), ReLU()]
        self.model = Sequential(*layers, Conv(nc, 4 * out_nc, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]; odd sides are continued by their last pixel."""
        h, w = x.shape[1:3]
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
        cells = pixel_unshuffle(x, 2)
        level = jnp.full((*cells.shape[:3], 1), self.sigma / 255.0, x.dtype)
        return pixel_shuffle(self.model(jnp.concatenate([cells, level], -1)), 2)[:, :h, :w]

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        last = max(int(key.split(".")[1]) for key in shapes)
        nc, cell = shapes["model.0.weight"][:2]
        out_nc = shapes[f"model.{last}.weight"][0] // 4
        return {"in_nc": (cell - 1) // 4, "out_nc": out_nc, "nc": nc, "nb": last // 2 + 1}

    @staticmethod
    def receptive_radius(nb: int = 12, **_: float) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        A pixel sees `nb` cells of two pixels to either side, and the other pixel of its own cell.
        """
        return 2 * nb + 1


ENTRIES = (
    Entry(
        "FFDNet",
        FFDNet,
        tasks=("DN",),
        official_files=("ffdnet_color.pth",),
        published_at="github.com/cszn/KAIR",
        licence="KAIR model zoo, MIT",
        anchor=2,
    ),
)
