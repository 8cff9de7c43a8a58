"""Images at the boundary: files and arrays in, float32 [h, w, 3] in [0, 1] out."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I")


def read_image(path: str | Path) -> np.ndarray:
    """Reads a photograph.

    Grey images become three equal channels, 16-bit grey keeps its precision; an opaque alpha
    channel is dropped.

    Args:
        path: any file that Pillow reads.

    Returns:
        uint8 [h, w, 3], or float32 [h, w, 3] in [0, 1] from 16-bit grey.

    Raises:
        ValueError: the file is missing, unreadable, animated or partly transparent.
    """
    try:
        with Image.open(path) as image:
            image.load()
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"image={str(path)!r} has several frames; expected a photograph")
            if image.mode in _SIXTEEN_BIT:
                grey = np.asarray(image, np.float32) / 65535
                return np.repeat(grey[:, :, None], 3, axis=2)
            if image.has_transparency_data:
                alpha = np.asarray(image.convert("RGBA"))[:, :, 3]
                if alpha.min() < 255:
                    raise ValueError(f"image={str(path)!r} is partly transparent; flatten it first")
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"image={str(path)!r} cannot be read: {error}") from error


def as_image(name: str, image: object) -> np.ndarray:
    """Checks an image and brings it to float32 in [0, 1].

    Args:
        name: the argument's name, for the message.
        image: uint8 or floating [h, w, 3].

    Returns:
        float32 [h, w, 3].

    Raises:
        ValueError: another shape or type, NaN, or values outside [0, 1].
    """
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected [height, width, 3]")
    return as_unit(name, array)


def as_unit(name: str, array: np.ndarray) -> np.ndarray:
    """Checks pixel values and brings them to float32 in [0, 1].

    Args:
        name: the argument's name, for the message.
        array: uint8 (0 .. 255) or floating ([0, 1]), any shape.

    Raises:
        ValueError: another type, NaN, or values outside [0, 1].
    """
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name} has dtype {array.dtype}; expected uint8 or floating in [0, 1]")
    if array.size and not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values; expected values in [0, 1]")
    if array.size and (array.min() < 0 or array.max() > 1):
        raise ValueError(
            f"{name} has values from {array.min():.4g} to {array.max():.4g}; expected [0, 1]"
        )
    return array.astype(np.float32)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """uint8 of an image in [0, 1], rounded to the nearest step."""
    return np.round(np.asarray(image, np.float64) * 255).astype(np.uint8)
