"""What a network reaches on photographs, and how it looks."""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from cem_jax.experiments.degradations import SCALE, degrade

Forward = Callable[[Float32[np.ndarray, "1 h w c"]], Float32[jax.Array, "1 H W c"]]
"""float32 [1, h, w, 3] in [0, 1] -> restored [1, h * scale, w * scale, 3]."""


def psnr(restored: Float[np.ndarray, "h w c"], clean: UInt8[np.ndarray, "h w c"]) -> float:
    """PSNR (dB) of a restored image, clipped to [0, 1], against a uint8 one."""
    error = np.clip(restored, 0, 1) - clean / 255
    return float(-10 * np.log10(np.mean(np.square(error, dtype=np.float64))))


def network_input(
    clean: UInt8[np.ndarray, "h w c"], task: str, seed: int, scale: int
) -> Float32[np.ndarray, "1 rows columns c"]:
    """The degraded photograph as a network takes it, float32 [1, h, w, 3] in [0, 1]."""
    return degrade(clean, task, seed, scale).astype(np.float32)[None] / 255


def validate(
    forward: Forward, photographs: list[UInt8[np.ndarray, "h w c"]], task: str, scale: int
) -> float:
    """Mean PSNR (dB) over photographs, each degraded with its index as the seed.

    Args:
        forward: the network.
        photographs: uint8 images, sides multiples of 4.
        task: one degradation.
        scale: output pixels per input pixel.
    """
    values = [
        psnr(np.asarray(forward(network_input(clean, task, index, scale))[0]), clean)
        for index, clean in enumerate(photographs)
    ]
    return float(np.mean(values))


def enlarged(x: Float32[np.ndarray, "n h w c"]) -> Float32[jax.Array, "n H W c"]:
    """The trivial answer to SR: bicubic enlargement, [n, h, w, 3] -> [n, 4 h, 4 w, 3]."""
    n, h, w, c = x.shape
    return jax.image.resize(x, (n, SCALE * h, SCALE * w, c), "bicubic")


def baseline(photographs: list[UInt8[np.ndarray, "h w c"]], task: str, scale: int) -> float:
    """Mean PSNR (dB) of doing nothing: the input itself, enlarged where the network would."""
    return validate(jnp.asarray if scale == 1 else enlarged, photographs, task, scale)


def centre(image: Shaped[np.ndarray, "h w c"], side: int) -> Shaped[np.ndarray, "{side} {side} c"]:
    """The central square of an image."""
    y, x = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[y : y + side, x : x + side]


def sheet(
    forward: Forward,
    photographs: list[UInt8[np.ndarray, "h w c"]],
    tasks: Iterable[str],
    scale: int,
) -> UInt8[np.ndarray, "rows columns c"]:
    """Input, output and truth side by side: a row for each task and photograph, uint8 [h, w, 3].

    Args:
        forward: the network.
        photographs: uint8 images of one size, sides multiples of 4.
        tasks: degradations.
        scale: output pixels per input pixel.
    """
    rows = []
    for task in tasks:
        for index, clean in enumerate(photographs):
            x = network_input(clean, task, index, scale)
            shown = x.repeat(scale, 1).repeat(scale, 2)
            pictures = [np.asarray(shown[0]), np.asarray(forward(x)[0]), clean / 255]
            rows.append(np.concatenate(pictures, axis=1))
    return np.round(255 * np.clip(np.concatenate(rows), 0, 1)).astype(np.uint8)
