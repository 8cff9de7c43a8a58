"""How well an image is restored, and what the recorded figures degrade it by."""

import numpy as np
from PIL import Image


def psnr(restored: np.ndarray, true: np.ndarray) -> float:
    """In dB, of values in [0, 1]."""
    return float(-10 * np.log10(np.mean(np.square(restored.astype(np.float64) - true))))


def luma(image: np.ndarray) -> np.ndarray:
    """Y of ITU-R BT.601 in [0, 1]."""
    return (image @ np.array([65.481, 128.553, 24.966]) + 16) / 255


def cropped(picture: Image.Image, factor: int) -> Image.Image:
    """Without the rows and columns beyond a multiple of the factor."""
    width, height = (side // factor * factor for side in picture.size)
    return picture.crop((0, 0, width, height))


def reduced(picture: Image.Image, factor: int) -> Image.Image:
    """Pillow's bicubic reduction to 8 bits."""
    size = (picture.width // factor, picture.height // factor)
    return picture.resize(size, Image.Resampling.BICUBIC)


def unit(picture: Image.Image) -> np.ndarray:
    """float32 in [0, 1]."""
    return np.asarray(picture) / np.float32(255)
