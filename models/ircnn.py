"""IRCNN: Learning Deep CNN Denoiser Prior for Image Restoration (Zhang et al., CVPR 2017)."""

import jax
from flax import nnx
from jaxtyping import Float

from .entry import Entry, OtherVariant
from .layers import Conv, ReLU, Sequential

_DILATIONS = (1, 2, 3, 4, 3, 2, 1)


class IRCNN(nnx.Module):
    """Seven dilated 3x3 convolutions that predict the noise: x - model(x).

    Args:
        in_nc: channels of the input.
        out_nc: channels of the output.
        nc: channels inside.
        rngs: source of the initial weights.
    """

    def __init__(self, in_nc: int = 3, out_nc: int = 3, nc: int = 64, *, rngs: nnx.Rngs):
        first, *inner, last = _DILATIONS
        layers = [Conv(in_nc, nc, dilation=first, rngs=rngs), ReLU()]
        for dilation in inner:
            layers += [Conv(nc, nc, dilation=dilation, rngs=rngs), ReLU()]
        tail = Conv(nc, out_nc, dilation=last, init_scale=0.1, rngs=rngs)
        self.model = Sequential(*layers, tail)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]."""
        return x - self.model(x)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        nc, in_nc = shapes["model.0.weight"][:2]
        if f"model.{2 * len(_DILATIONS)}.weight" in shapes:
            raise OtherVariant(f"it has more than {len(_DILATIONS)} convolutions")
        out_nc = shapes[f"model.{2 * len(_DILATIONS) - 2}.weight"][0]
        return {"in_nc": in_nc, "out_nc": out_nc, "nc": nc}

    @staticmethod
    def receptive_radius(**_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return sum(_DILATIONS)


ENTRIES = (
    Entry(
        "IRCNN",
        IRCNN,
        tasks=("DN",),
        official_files=("ircnn_color.pth",),
        published_at="github.com/cszn/KAIR",
        licence="KAIR model zoo, MIT",
    ),
)
