"""Images at the boundary: files and arrays in, float32 [h, w, c] in [0, 1] out."""

import contextlib
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Integer, Shaped, UInt8, UInt16
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from cem_jax.arguments import truth
from cem_jax.plain_text import path_text, quoted, reason
from cem_jax.scene.png16 import decode_png16, is_png16
from cem_jax.store.objects import AnyPath, ObjectPath, as_place

Pixels = UInt8[np.ndarray, "h w c"] | Float32[np.ndarray, "h w c"]
"""Of a file: 8 bits, or more of them as floating values in [0, 1]."""

_PHONES = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of HEIC files, which Pillow reads with a further package alone."""
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112
"""The EXIF tag that says how a photograph was held."""
_BITS, _MEANING, _FORMAT = 258, 262, 339
"""Tags of a TIFF: bits of each channel, what its values mean (0: the smallest is white), and what
kind of numbers they are (2: with a sign)."""
_MOST = 2**26
"""Pixels of the largest image that is read."""
_GREY = (19595, 38470, 7471)
"""ITU-R BT.601 luma 0.299 R + 0.587 G + 0.114 B in 1/65536, as Pillow and OpenCV have it."""
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError,
    RuntimeError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow may raise for a file that is no image, or not to its end."""


def open_image(path: str | AnyPath, *, grey: bool = False) -> Pixels:
    """Reads a photograph as viewers show it: turned as its EXIF orientation says.

    Files of 16 bits a channel keep them. Floating TIFFs must hold values in [0, 1]. Palettes and
    CMYK become colours, an opaque alpha channel is dropped, and of phones' MPO files the first
    picture is taken. Colour profiles are not applied.

    Args:
        path: any file that Pillow reads.
        grey: make one channel of it, as `to_grey` does; else grey files become three equal ones.

    Returns:
        uint8 [h, w, 3], or float32 [h, w, 3] in [0, 1] from 16 bits and floating values; with
        `grey` one channel.

    Raises:
        ValueError: the file is missing, unreadable, too large, animated, partly transparent, or its
            values leave their range.

    Examples:
        >>> import cem_jax as cem
        >>> photo = cem.open_image("photo.jpg")  # doctest: +SKIP
    """
    grey = truth("grey", grey)
    array = _read(path)
    if grey:
        return to_grey(array)
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def image_size(path: str | AnyPath) -> tuple[int, int]:
    """Height and width of an image as viewers show it, from the file's head alone.

    Args:
        path: any file that Pillow reads.

    Raises:
        ValueError: the file is missing, unreadable or too large.
    """
    try:
        with _quiet(), _opened(path) as image:
            # A quarter, mirrored or not; Pillow turns the size of TIFFs itself.
            turned = _orientation(image) >= 5 and image.format != "TIFF"
            return (image.width, image.height) if turned else (image.height, image.width)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


def to_grey(image: object) -> UInt8[np.ndarray, "h w 1"] | Float32[np.ndarray, "h w 1"]:
    """The luma of a colour image, as the field's grey benchmarks are made: ITU-R BT.601.

    8-bit images equal Pillow's `convert("L")`, and OpenCV's within a level. A grey image stays as
    it is.

    Args:
        image: uint8 or floating in [0, 1], [h, w, 3], [h, w, 1] or [h, w].

    Returns:
        uint8 or float32, [h, w, 1].

    Raises:
        ValueError: not an image.

    Examples:
        >>> import cem_jax as cem
        >>> cem.to_grey(cem.example_image("pagoda")).shape
        (256, 256, 1)
    """
    array = _with_channels("image", image)
    array = array if array.dtype == np.uint8 else as_unit("image", array)
    return luma_of(array) if array.shape[2] == 3 else array


def luma_of(
    pixels: UInt8[np.ndarray, "*places 3"] | Float32[np.ndarray, "*places 3"],
) -> UInt8[np.ndarray, "*places 1"] | Float32[np.ndarray, "*places 1"]:
    """The luma [..., 1] of pixels [..., 3], uint8 or float32 in [0, 1]."""
    if pixels.dtype == np.uint8:
        luma = pixels.astype(np.int64) @ np.array(_GREY) + 32768 >> 16
        return luma.astype(np.uint8)[..., None]
    return np.minimum(pixels @ np.asarray(_GREY, np.float32) / 65536, 1)[..., None]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings: of its own limit of size, which is higher, and of odd tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _orientation(image: Image.Image) -> int:
    """How a photograph was held, 1 .. 8; what is no such number means upright."""
    found = image.getexif().get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _bits(path: str | AnyPath, image: Image.Image) -> int:
    """Bits a channel as the file has them, where Pillow may read fewer."""
    if isinstance(image, TiffImageFile):
        return max(image.tag_v2.get(_BITS, (8,)))
    if image.format == "PPM" and isinstance(image.tile[0].args, tuple):
        return int(image.tile[0].args[-1]).bit_length()
    read = {"JPEG2000": _bits_of_jpeg_2000, "AVIF": _bits_of_avif}.get(image.format or "")
    return 8 if read is None else read(as_place(path).read_bytes())


def _bits_of_jpeg_2000(data: bytes) -> int:
    """Of the channel with the most, by the marker SIZ (ISO/IEC 15444-1, A.5.1); 8 without one."""
    at = data.find(b"\xff\x4f\xff\x51")
    channels = int.from_bytes(data[at + 40 : at + 42]) if at >= 0 else 0
    depths = data[at + 42 :][: 3 * channels : 3]
    return max(((one & 127) + 1 for one in depths), default=8)


def _bits_of_avif(data: bytes) -> int:
    """By the box av1C, third byte: high_bitdepth and twelve_bit (AV1 in ISOBMFF, 2.3)."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 12 if flags & 0x20 else 10 if flags & 0x40 else 8


def _opened(path: str | AnyPath) -> Image.Image:
    """A file that Pillow recognises, of a size that is read."""
    if not isinstance(path, str | os.PathLike | ObjectPath):
        raise ValueError(f"it is a {type(path).__name__}; expected the path of a file")
    place = as_place(path)
    if isinstance(place, Path) and place.exists() and not place.is_file():
        raise ValueError("it is no file")  # to open a pipe waits for its other end
    try:
        image = Image.open(place.open("rb") if isinstance(place, ObjectPath) else place)
    except UnidentifiedImageError as error:
        raise ValueError(_unknown(place)) from error
    if image.width * image.height > _MOST:
        image.close()
        raise ValueError(f"it has {image.height} x {image.width} pixels; at most {_MOST} are read")
    return image


def _unknown(place: AnyPath) -> str:
    """What to do about a file that Pillow does not recognise."""
    with place.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in _PHONES:
        return "it is HEIC, as phones write it, which is not read; save it as PNG or JPEG"
    return "no image that Pillow recognises"


def _unreadable(path: str | AnyPath, error: BaseException) -> ValueError:
    return ValueError(f"image={path_text(path)} cannot be read: {reason(error)}")


def _read(path: str | AnyPath) -> Pixels:
    """uint8, or float32 in [0, 1], [h, w, 1 or 3]."""
    try:
        with _quiet(), _opened(path) as image:
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise ValueError("it has several frames; expected a photograph")
            with as_place(path).open("rb") as file:
                deep = is_png16(file.read(26))
            if deep:
                pixels = decode_png16(as_place(path).read_bytes())
                return _deep_pixels(pixels, _orientation(image))
            scaled = image.format == "PPM"  # Pillow brings its grey to 16 bits
            bits, kept = _bits(path, image), (*_DEEP, "F", *("I" for _ in range(scaled)))
            if bits > 8 and image.mode not in kept:
                raise ValueError(
                    f"a {image.format} of {bits} bits a channel in mode {image.mode}, of which 8 "
                    "would be read; save it as a PNG of 16 bits, or pass its pixels as an array in "
                    "[0, 1]"
                )
            tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
            if 2 in tags.get(_FORMAT, ()):
                raise ValueError("a TIFF of numbers with a sign; expected none, or floating ones")
            negative = tags.get(_MEANING) == 0
            # Pillow maps uncompressed files into memory, lying ones by the sides that they get.
            image.filename = ""
            image.load()
            pixels = _pixels(ImageOps.exif_transpose(image), scaled)
            # Pillow turns white and black of 8 bits alone.
            return 1 - pixels if negative and pixels.dtype != np.uint8 else pixels
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


def _deep_pixels(
    pixels: UInt16[np.ndarray, "rows columns channels"], orientation: int
) -> Float32[np.ndarray, "h w c"]:
    """Pixels of 16 bits without alpha, turned."""
    pixels = _of_16_bits(pixels)
    if pixels.shape[2] in (2, 4):
        pixels, alpha = pixels[:, :, :-1], pixels[:, :, -1]
        if alpha.min() < 1:
            raise ValueError("it is partly transparent; flatten it first")
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # What is left after rows and columns were exchanged: mirrored from top to bottom, and sides.
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return pixels[rows, columns]


def _of_16_bits(pixels: Integer[np.ndarray, "*axes"]) -> Float32[np.ndarray, "*axes"]:
    """Pixels of 0 .. 65535 in [0, 1]; those of 8 bits in such a file would all be black."""
    most = int(pixels.max(initial=0))
    if 0 < most <= 255:
        raise ValueError(
            f"it has 16 bits a channel and values up to {most} only, nearly black; if they are of "
            "8 bits, save them as such, or pass its pixels as an array"
        )
    return pixels.astype(np.float32) / np.float32(65535)


def _pixels(image: Image.Image, scaled: bool) -> Pixels:
    if image.mode in _DEEP or (image.mode == "I" and scaled):
        return _of_16_bits(np.asarray(image)[:, :, None])
    if image.mode == "I":
        raise ValueError("it has 32 bits a pixel, of unknown range; expected 8, 16, or floating")
    if image.mode == "F":
        return as_unit("a floating TIFF", np.asarray(image)[:, :, None])
    transparent = image.has_transparency_data
    if transparent and np.asarray(image.convert("RGBA"))[:, :, 3].min() < 255:
        raise ValueError("it is partly transparent; flatten it first")
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[:, :, None]
    return np.asarray(image.convert("RGB"))


def _with_channels(name: str, image: object) -> Shaped[np.ndarray, "h w c"]:
    """[h, w, 1 or 3]."""
    given = np.asarray(image)
    array = given[:, :, None] if given.ndim == 2 else given
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"{name} has shape {given.shape}; expected [height, width, 3], or grey "
            "[height, width, 1] or [height, width]"
        )
    return array


def as_image(name: str, image: object) -> Float32[np.ndarray, "h w c"]:
    """Checks an image and brings it to float32 in [0, 1].

    Args:
        name: the argument's name, for the message.
        image: uint8 or floating, [h, w, 3], or grey: [h, w, 1] or [h, w].

    Returns:
        float32 [h, w, 3] or [h, w, 1].

    Raises:
        ValueError: another shape or type, NaN, or values outside [0, 1].
    """
    return as_unit(name, _with_channels(name, image))


def as_numbers(name: str, given: object) -> Float64[np.ndarray, "*axes"]:
    """What a user gives as an array of finite numbers.

    Args:
        name: the argument's name, for the message.
        given: anything.

    Raises:
        ValueError: it is no such array.
    """
    try:
        array = np.asarray(given)
        if array.dtype.kind in "iuf" and np.isfinite(array).all():
            return array.astype(np.float64)
    except Exception:  # lists of different lengths, objects of somebody else's class
        pass
    raise ValueError(f"{name}={quoted(given)}: expected an array of finite numbers")


def as_unit(name: str, array: Shaped[np.ndarray, "*axes"]) -> Float32[np.ndarray, "*axes"]:
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


def to_bytes(image: Float[np.ndarray, "*axes"]) -> UInt8[np.ndarray, "*axes"]:
    """uint8 of an image in [0, 1], rounded to the nearest step."""
    return np.round(np.asarray(image, np.float64) * 255).astype(np.uint8)


def in_colour(image: Shaped[np.ndarray, "*places c"]) -> Shaped[np.ndarray, "*places 3"]:
    """Pixels [..., 3] of pixels [..., 3] or [..., 1]: pictures and pages show three channels."""
    return np.broadcast_to(image, (*image.shape[:-1], 3))
