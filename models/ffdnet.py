"""FFDNet: a fast and flexible CNN-based image denoiser (Zhang et al., IEEE TIP 2018)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import NoiseLevel
from .dncnn import stack_config
from .entry import Entry, OtherVariant
from .layers import Conv, ReLU, Sequential, Told, pixel_shuffle, pixel_unshuffle


class FFDNet(nnx.Module):
    """Plain 3x3 convolutions at half size, told the noise level by a constant plane.

    Args:
        in_nc: channels of the input.
        out_nc: channels of the output.
        nc: channels inside.
        nb: number of convolutions.
        noise_level: deviation of the noise, in [0, 1].
        rngs: source of the initial weights.
    """

    arguments = (NoiseLevel("noise_level"),)

    def __init__(
        self,
        in_nc: int = 3,
        out_nc: int = 3,
        nc: int = 96,
        nb: int = 12,
        noise_level: float = 50 / 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.noise_level = Told(jnp.float32(noise_level))
        layers = [Conv(4 * in_nc + 1, nc, rngs=rngs), ReLU()]
        for _ in range(nb - 2):
            layers += [Conv(nc, nc, rngs=rngs), ReLU()]
        self.model = Sequential(*layers, Conv(nc, 4 * out_nc, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]; odd sides are continued by their last pixel."""
        h, w = x.shape[1:3]
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
        cells = pixel_unshuffle(x, 2)
        level = jnp.broadcast_to(self.noise_level[...].astype(x.dtype), (*cells.shape[:3], 1))
        return pixel_shuffle(self.model(jnp.concatenate([cells, level], -1)), 2)[:, :h, :w]

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        cell, shuffled, nc, nb = stack_config(shapes)
        if cell % 4 != 1 or shuffled % 4:
            raise OtherVariant(
                f"it takes {cell} channels and returns {shuffled}; expected four times the image's "
                "and one for the noise, and four times the image's"
            )
        return {"in_nc": cell // 4, "out_nc": shuffled // 4, "nc": nc, "nb": nb}

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
