"""Synthetic rain: thresholded uniform noise, blurred along a rotated line (the paper's model)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Rain:
    """How one rain layer was drawn.

    Args:
        amount: share of pixels that start a streak.
        width: side of the Gaussian that widens the streak, in pixels (1, 3, 5 or 7).
        length: length of a streak, in pixels.
        angle: degrees that a streak leans from the vertical, counter-clockwise.
        beta: weight with which the layer is added to the image.
    """

    amount: float
    width: int
    length: int
    angle: int
    beta: float


_GAUSSIAN = {
    1: [1.0],
    3: [0.25, 0.5, 0.25],
    5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
    7: [0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
}
_DROP = np.array([[0.0, 0.1, 0.0], [0.1, 8.0, 0.1], [0.0, 0.1, 0.0]])


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with mirrored borders (the border pixel is not repeated)."""
    kh, kw = kernel.shape
    top, left = kh // 2, kw // 2
    padded = np.pad(image, ((top, kh - 1 - top), (left, kw - 1 - left)), mode="reflect")
    shape = (padded.shape[0] + kh - 1, padded.shape[1] + kw - 1)
    product = np.fft.rfft2(padded, shape) * np.fft.rfft2(kernel[::-1, ::-1], shape)
    full = np.fft.irfft2(product, shape)
    return full[kh - 1 : kh - 1 + image.shape[0], kw - 1 : kw - 1 + image.shape[1]]


def _streak(rain: Rain) -> np.ndarray:
    """The blur kernel: a diagonal line turned to the angle and widened, [length, length]."""
    n = rain.length
    turn = np.deg2rad(rain.angle - 45)
    centre = (n - 1) / 2
    y, x = np.mgrid[:n, :n] - centre
    source_x = np.cos(turn) * x - np.sin(turn) * y + centre
    source_y = np.sin(turn) * x + np.cos(turn) * y + centre
    left, top = np.floor(source_x).astype(int), np.floor(source_y).astype(int)
    right_share, low_share = source_x - left, source_y - top
    line = np.pad(np.eye(n), n)  # zeros around, wide enough for every rotated corner
    kernel = np.zeros((n, n))
    for dy in (0, 1):
        for dx in (0, 1):
            share = (low_share if dy else 1 - low_share) * (right_share if dx else 1 - right_share)
            kernel += share * line[top + dy + n, left + dx + n]
    wide = np.outer(_GAUSSIAN[rain.width], _GAUSSIAN[rain.width])
    return _correlate(kernel, wide)


def draw_rain(shape: tuple[int, int], seed: int) -> tuple[Rain, np.ndarray]:
    """Draws "medium" rain for an image.

    Random numbers come in the order of the paper's code, from numpy's frozen legacy generator, so
    that a seed stands for the same rain there and here.

    Args:
        shape: height and width of the image.
        seed: seed of the parameters and the drops.

    Returns:
        The parameters, and the layer: uint8 [h, w], its minimum 0 and maximum 255.
    """
    random = np.random.RandomState(seed)
    beta = random.uniform(0.6, 1.0)
    amount = random.uniform(0.005, 0.007)
    width = int(random.choice([3, 5, 7], p=[0.25, 0.5, 0.25]))
    length = int(random.randint(35, 46))
    angle = int(random.randint(-30, 31))
    rain = Rain(amount, width, length, angle, beta)
    drops = random.uniform(0, 256, shape)
    drops[drops < 256 - amount * 256] = 0
    layer = _correlate(_correlate(drops, _DROP), _streak(rain))
    low, high = layer.min(), layer.max()
    scale = 255 / (high - low) if high > low else 0.0
    return rain, ((layer - low) * scale).astype(np.uint8)


def add_rain(
    image: jax.Array | np.ndarray, layer: jax.Array | np.ndarray, beta: float
) -> jax.Array:
    """Adds a rain layer to an image.

    Args:
        image: integers 0 .. 255, [..., h, w, c].
        layer: integers 0 .. 255, [..., h, w].
        beta: weight of the layer.

    Returns:
        int32 0 .. 255, of the image's shape.
    """
    total = jnp.asarray(image) + beta * jnp.asarray(layer, jnp.float32)[..., None]
    return jnp.clip(jnp.round(total), 0, 255).astype(jnp.int32)
