"""Paths from an image without information to the input: gamma(0) the start, gamma(1) the input."""

import dataclasses
import math
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

Image = Float[jax.Array, "h w c"]
Alpha = Float[jax.Array, ""]

_SMALLEST_SIGMA = 1e-3


@runtime_checkable
class ImagePath(Protocol):
    """A differentiable path of images, hashable: it is a static part of a program."""

    def __call__(self, image: Image, alpha: Alpha) -> Image:
        """The image [h, w, c] at alpha in [0, 1]."""
        ...


def _blur_rows(image: Image, weights: Float[jax.Array, " taps"]) -> Image:
    """Weighted means along the first axis, mirrored at the border without repeating it."""
    taps = len(weights)
    mirrored = np.pad(np.arange(image.shape[0]), taps // 2, mode="reflect")
    windows = image[np.lib.stride_tricks.sliding_window_view(mirrored, taps)]
    return jnp.einsum("hkwc,k->hwc", windows, weights, precision=jax.lax.Precision.HIGHEST)


def kernel_radius(sigma: float) -> int:
    """Pixels to each side of the Gaussian kernel: 4 for the 9x9 kernel of the paper's code."""
    return math.ceil(3 * sigma)


def blur(image: Image, sigma: Alpha | float, radius: int) -> Image:
    """Gaussian blur, differentiable in sigma; sigma 0 leaves the image as it is.

    Args:
        image: [h, w, c].
        sigma: standard deviation, in pixels.
        radius: pixels to each side of the kernel, less than h and w.
    """
    squares = np.square(np.arange(-radius, radius + 1, dtype=np.float32))
    # Below this every neighbour's weight is 0 in float32, and 0/0 is avoided.
    weights = jnp.exp(-squares / (2 * jnp.square(jnp.maximum(sigma, _SMALLEST_SIGMA))))
    weights = weights / jnp.sum(weights)
    rows = _blur_rows(image, weights)
    return jnp.swapaxes(_blur_rows(jnp.swapaxes(rows, 0, 1), weights), 0, 1)


@dataclasses.dataclass(frozen=True)
class Sharpening:
    """The Gaussian-blur path: gamma(alpha) = blur with sigma * (1 - alpha).

    Equation 6 and 7 of Gu and Dong, "Interpreting Super-Resolution Networks with Local Attribution
    Maps", CVPR 2021: the start is the blurred input, and detail comes back from coarse to fine.
    """

    sigma: float

    def __call__(self, image: Image, alpha: Alpha) -> Image:
        """The image [h, w, c] at alpha."""
        return blur(image, self.sigma * (1 - alpha), kernel_radius(self.sigma))


def fading_from_black(image: Image, alpha: Alpha) -> Image:
    """The straight path from a black image."""
    return alpha * image


def fading_from_mean(image: Image, alpha: Alpha) -> Image:
    """The straight path from the image's mean colour."""
    mean = jnp.mean(image, axis=(0, 1), keepdims=True)
    return mean + alpha * (image - mean)


def brightening(image: Image, alpha: Alpha) -> Image:
    """The path that adds alpha to every value: its slope is 1 everywhere."""
    return image + alpha
