"""DnCNN: Beyond a Gaussian Denoiser (Zhang et al., IEEE TIP 2017), without batch normalisation.

Also FDnCNN, which is told the noise level. Batch normalisation is folded into the convolutions.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .argument import NoiseLevel
from .entry import Entry, OtherVariant
from .layers import Conv, ReLU, Sequential, Told

_OWN_EPSILON, _TORCH_EPSILON = 1e-4, 1e-5
"""Of the batch normalisation of DnCNN's authors, and torch's, which codes without biases use."""


def _plain_stack(in_nc: int, out_nc: int, nc: int, nb: int, rngs: nnx.Rngs) -> Sequential:
    layers = [Conv(in_nc, nc, rngs=rngs), ReLU()]
    for _ in range(nb - 2):
        layers += [Conv(nc, nc, rngs=rngs), ReLU()]
    return Sequential(*layers, Conv(nc, out_nc, init_scale=0.1, rngs=rngs))


def stack_config(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int, int]:
    """Channels in, out and inside, and the number of convolutions, of a stack called `model`."""
    last = max(int(key.split(".")[1]) for key in shapes if key.startswith("model."))
    nc, first = shapes["model.0.weight"][:2]
    return first, shapes[f"model.{last}.weight"][0], nc, last // 2 + 1


def _folded(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convolutions with biases and without batch normalisation, numbered as `model.0`, `model.2`.

    Training codes call the stack `model` or `dncnn`, leave biases out where a normalisation
    follows, and keep it apart.
    """
    root = "dncnn" if any(key.startswith("dncnn.") for key in weights) else "model"
    layers: dict[int, dict[str, np.ndarray]] = {}
    others = {}
    for key, value in weights.items():
        first, _, rest = key.partition(".")
        number, _, leaf = rest.partition(".")
        if first == root and number.isdecimal() and leaf:
            layers.setdefault(int(number), {})[leaf] = value
        else:
            others[key] = value
    if not layers or not all("weight" in layer for layer in layers.values()):
        return weights
    convs = [number for number, layer in layers.items() if layer["weight"].ndim == 4]
    norms = [number for number, layer in layers.items() if "running_var" in layer]
    ordinary = all(layer.keys() == {"weight", "bias"} for layer in layers.values())
    if len(convs) + len(norms) < len(layers) or (root == "model" and ordinary):
        return weights
    plain = [number for number in convs if number + 1 not in norms]
    biased = ["bias" in layers[number] for number in plain]
    if any(biased) and not all(biased):  # one was lost
        return weights
    epsilon = _OWN_EPSILON if "bias" in layers[min(convs)] else _TORCH_EPSILON
    for place, number in enumerate(sorted(convs)):
        kernel = layers[number]["weight"].astype(np.float64)
        bias = layers[number].get("bias", np.zeros(len(kernel))).astype(np.float64)
        if number + 1 in norms:
            norm = layers[number + 1]
            gain = norm["weight"] / np.sqrt(norm["running_var"].astype(np.float64) + epsilon)
            kernel = kernel * gain[:, None, None, None]
            bias = (bias - norm["running_mean"]) * gain + norm["bias"]
        others[f"model.{2 * place}.weight"] = kernel.astype(np.float32)
        others[f"model.{2 * place}.bias"] = bias.astype(np.float32)
    return others


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
        self.model = _plain_stack(in_nc, out_nc, nc, nb, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]."""
        return x - self.model(x)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        in_nc, out_nc, nc, nb = stack_config(shapes)
        if in_nc != out_nc:
            raise OtherVariant(
                f"it takes {in_nc} channels and returns {out_nc}, as FDnCNN, FFDNet or SRMD do"
            )
        return {"in_nc": in_nc, "out_nc": out_nc, "nc": nc, "nb": nb}

    translated = staticmethod(_folded)

    @staticmethod
    def receptive_radius(nb: int = 20, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return nb


class FDnCNN(nnx.Module):
    """A plain stack of 3x3 convolutions, told the noise level by a constant plane.

    Args:
        in_nc: channels of the image, to which a plane is added.
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
        nc: int = 64,
        nb: int = 20,
        noise_level: float = 50 / 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.noise_level = Told(jnp.float32(noise_level))
        self.model = _plain_stack(in_nc + 1, out_nc, nc, nb, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]."""
        level = jnp.broadcast_to(self.noise_level[...].astype(x.dtype), (*x.shape[:3], 1))
        return self.model(jnp.concatenate([x, level], -1))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        in_nc, out_nc, nc, nb = stack_config(shapes)
        if in_nc != out_nc + 1 or out_nc % 4 == 0:  # FFDNet has four times an image's channels
            raise OtherVariant(
                f"it takes {in_nc} channels and returns {out_nc}; expected one more, for the noise"
            )
        return {"in_nc": out_nc, "out_nc": out_nc, "nc": nc, "nb": nb}

    @staticmethod
    def receptive_radius(nb: int = 20, **_: float) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        return nb


_KAIR: dict[str, Any] = {"published_at": "github.com/cszn/KAIR", "licence": "KAIR model zoo, MIT"}

ENTRIES = (
    Entry("DnCNN", DnCNN, tasks=("DN",), official_files=("dncnn_color_blind.pth",), **_KAIR),
    Entry(
        "DnCNN3",
        DnCNN,
        {"in_nc": 1, "out_nc": 1},
        tasks=("DN", "SR", "JPEG"),
        official_files=("dncnn3.pth", "DnCNN3.pth"),
        **_KAIR,
    ),
    Entry("FDnCNN", FDnCNN, tasks=("DN",), official_files=("fdncnn_color.pth",), **_KAIR),
)
