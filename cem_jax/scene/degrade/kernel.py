"""Kernels: Gaussians, lines, and correlation with mirrored borders."""

import numpy as np
from jaxtyping import Float, Float64, Int64, Real

from cem_jax.scene.degrade.step import ONE


def correlate(
    image: Real[np.ndarray, "h w"], kernel: Real[np.ndarray, "kh kw"]
) -> Float64[np.ndarray, "h w"]:
    """Correlation with mirrored borders (the border pixel is not repeated).

    Args:
        image: [h, w].
        kernel: [kh, kw]; where a side is even, its centre is the pixel behind the middle.

    Returns:
        float64 [h, w].
    """
    kh, kw = kernel.shape
    top, left = kh // 2, kw // 2
    room = [(top, kh - 1 - top), (left, kw - 1 - left)]
    padded = np.pad(image, room, mode="reflect")
    shape = (padded.shape[0] + kh - 1, padded.shape[1] + kw - 1)
    product = np.fft.rfft2(padded, shape) * np.fft.rfft2(kernel[::-1, ::-1], shape)
    full = np.fft.irfft2(product, shape)
    return full[kh - 1 : kh - 1 + image.shape[0], kw - 1 : kw - 1 + image.shape[1]]


def gaussian(sigma: float, radius: int) -> Float64[np.ndarray, "2*{radius}+1 2*{radius}+1"]:
    """A Gaussian of sum 1.

    Args:
        sigma: its standard deviation, in pixels.
        radius: pixels on either side of the centre.

    Returns:
        float64 [2 radius + 1, 2 radius + 1].
    """
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line /= line.sum()
    return np.outer(line, line)


def line(length: float, angle: float) -> Float64[np.ndarray, "n n"]:
    """A line of sum 1, one pixel wide, as a moving camera draws it.

    Args:
        length: in pixels.
        angle: degrees counter-clockwise from the horizontal.

    Returns:
        float64 [n, n], n odd.
    """
    reach = int(np.ceil((length - 1) / 2))
    count = 64 * (2 * reach + 1)
    along = ((np.arange(count) + 0.5) / count - 0.5) * max(length - 1, 0.0)
    turn = np.deg2rad(angle)
    kernel = np.zeros((2 * reach + 3, 2 * reach + 3))
    y, x = reach + 1 - np.sin(turn) * along, reach + 1 + np.cos(turn) * along
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
        np.add.at(kernel, (top + down, left + right), share)
    return kernel[1:-1, 1:-1] / kernel[1:-1, 1:-1].sum()


def in_fixed_point(kernel: Float[np.ndarray, "kh kw"]) -> Int64[np.ndarray, "kh kw"]:
    """A kernel of sum 1 in whole 1/65536, which sum to 1 as well: what is lost is spread.

    Args:
        kernel: at least 0, [kh, kw].

    Returns:
        int64 [kh, kw].
    """
    exact = kernel / kernel.sum() * ONE
    fixed = np.floor(exact).astype(np.int64)
    missing = ONE - int(fixed.sum())
    largest = np.argsort((fixed - exact).reshape(-1), kind="stable")[:missing]
    fixed.flat[largest] += 1
    return fixed
