"""PNG files of 16 bits a channel at their full precision; Pillow keeps 8 of colour.

The format: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", chapters 5, 9, 10.
"""

import struct
import zlib

import numpy as np
from jaxtyping import UInt8, UInt16

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels by the header's colour type: grey, colour, and both with alpha."""


def is_png16(head: bytes) -> bool:
    """Whether a file that begins so is a PNG of 16 bits a channel.

    Args:
        head: the file's first 26 bytes.
    """
    return head[:8] == _SIGNATURE and len(head) >= 26 and head[24] == 16


def decode_png16(data: bytes) -> UInt16[np.ndarray, "h w c"]:
    """The pixels of a PNG of 16 bits a channel.

    Args:
        data: the file.

    Returns:
        uint16 [h, w, c]; with 2 or 4 channels the last one is alpha.

    Raises:
        ValueError: the file is damaged, interlaced, or partly transparent.
    """
    width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if interlaced:
        raise ValueError("an interlaced PNG of 16 bits; save it without interlacing")
    if colour not in _CHANNELS:
        raise ValueError(f"colour type {colour} with 16 bits is no PNG")
    pixel = 2 * _CHANNELS[colour]
    stride = 1 + width * pixel
    inflate = zlib.decompressobj()
    chunks = _chunks(data)
    raw = inflate.decompress(b"".join(chunks.get(b"IDAT", ())), height * stride)
    if len(raw) != height * stride:
        raise ValueError("its pixel data end too early")
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride)
    result = np.empty((height, width * pixel), np.uint8)
    above = np.zeros(width * pixel, np.uint8)
    for row, line in enumerate(lines):
        above = result[row] = _unfiltered(int(line[0]), line[1:], above, pixel)
    pixels = result.reshape(height, width, -1, 2).view(">u2")[..., 0].astype(np.uint16)
    for key in chunks.get(b"tRNS", ()):  # one value of pixels stands for none
        if len(key) == pixel and (pixels == np.frombuffer(key, ">u2")).all(axis=2).any():
            raise ValueError("it is partly transparent; flatten it first")
    return pixels


def _chunks(data: bytes) -> dict[bytes, list[bytes]]:
    """The contents of the chunks by kind.

    Raises:
        ValueError: one has another checksum.
    """
    found: dict[bytes, list[bytes]] = {}
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise ValueError("it is damaged, or cut short")
        found.setdefault(kind, []).append(data[at + 8 : end])
        if kind == b"IEND":
            break
        at = end + 4
    return found


def _unfiltered(
    kind: int, line: UInt8[np.ndarray, " n"], above: UInt8[np.ndarray, " n"], pixel: int
) -> UInt8[np.ndarray, " n"]:
    """A line before its filter was applied, uint8; sums are modulo 256."""
    if kind == 0:
        return line
    if kind == 1:  # the difference from the pixel to the left
        return np.cumsum(line.reshape(-1, pixel), axis=0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return line + above
    if kind not in (3, 4):
        raise ValueError(f"its line filter {kind} is unknown")
    return _averaged(line, above, pixel) if kind == 3 else _paeth(line, above, pixel)


def _averaged(
    line: UInt8[np.ndarray, " n"], above: UInt8[np.ndarray, " n"], pixel: int
) -> UInt8[np.ndarray, " n"]:
    out, up = bytearray(pixel) + bytearray(line.tobytes()), above.tobytes()
    for i, b in enumerate(up):
        out[i + pixel] = (out[i + pixel] + (out[i] + b) // 2) & 255
    return np.frombuffer(bytes(out[pixel:]), np.uint8)


def _paeth(
    line: UInt8[np.ndarray, " n"], above: UInt8[np.ndarray, " n"], pixel: int
) -> UInt8[np.ndarray, " n"]:
    out = bytearray(pixel) + bytearray(line.tobytes())
    up = bytes(pixel) + above.tobytes()
    for i in range(len(line)):
        a, b, c = out[i], up[i + pixel], up[i]
        to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        nearest = a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c
        out[i + pixel] = (out[i + pixel] + nearest) & 255
    return np.frombuffer(bytes(out[pixel:]), np.uint8)
