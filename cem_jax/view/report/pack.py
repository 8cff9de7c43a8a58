"""Arrays and pictures as text that a page can hold."""

import base64
import io
import zlib

import numpy as np

from cem_jax.scene.image import in_colour


def pack(array: np.ndarray) -> dict[str, str]:
    """An array as base64 of its compressed bytes, with its type; `arrays.js` reads it.

    Args:
        array: uint8, int16, int32 or float32, any shape.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(zlib.compress(little.tobytes(), 6)).decode()
    return {"dtype": array.dtype.name, "data": data}


def data_url(png: bytes) -> str:
    """A PNG as an address that needs no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def picture(image: np.ndarray, longest: int, level: int = 9) -> str:
    """The address of an image.

    Args:
        image: uint8 [h, w, 3] or [h, w, 1].
        longest: side beyond which it is reduced, in pixels.
        level: 1 is compressed soon, 9 becomes small.
    """
    from PIL import Image

    shown = Image.fromarray(in_colour(image))
    shown.thumbnail((longest, longest))
    buffer = io.BytesIO()
    shown.save(buffer, "png", compress_level=level)
    return data_url(buffer.getvalue())
