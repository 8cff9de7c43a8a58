"""DnCNN: Beyond a Gaussian Denoiser (Zhang et al., IEEE TIP 2017), without batch normalisation."""

import jax
from flax import nnx

from .entry import Entry
from .layers import Conv, ReLU, Sequential


class DnCNN(nnx.Module):
    """A plain stack of 3x3 convolutions that predicts the noise: x - model(x).

    Args:
        in_nc: channels of the input.
        out_nc: channels of the output.
        nc: channels inside.
        nb: number of convolutions.
        rngs: source of the initial weights.
    """

    def __init__(
        self, in_nc: int = 3, out_nc: int = 3, nc: int = 64, nb: int = 20, *, rngs: nnx.Rngs
    ):
        layers = [Conv(in_nc, nc, rngs=rngs), ReLU()]
        for _ in range(nb - 2):
            layers += [Conv(nc, nc, rngs=rngs), ReLU()]
        self.model = Sequential(*layers, Conv(nc, out_nc, init_scale=0.1, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]."""
        return x - self.model(x)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        last = max(int(key.split(".")[1]) for key in shapes)
        first = shapes["model.0.weight"]
        out_nc = shapes[f"model.{last}.weight"][0]
        return {"in_nc": first[1], "out_nc": out_nc, "nc": first[0], "nb": last // 2 + 1}

    @staticmethod
    def receptive_radius(nb: int = 20, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return nb


ENTRIES = (
    Entry(
        "DnCNN",
        DnCNN,
        tasks=("DN",),
        official_files=("dncnn_color_blind.pth",),
        published_at="github.com/cszn/KAIR",
        licence="KAIR model zoo, MIT",
    ),
    Entry(
        "DnCNN3",
        DnCNN,
        {"in_nc": 1, "out_nc": 1},
        tasks=("DN", "SR", "JPEG"),
        official_files=("dncnn3.pth", "DnCNN3.pth"),
        published_at="github.com/cszn/KAIR",
        licence="KAIR model zoo, MIT",
    ),
)
