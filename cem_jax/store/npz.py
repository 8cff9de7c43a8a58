"""Arrays from `.npz` files of strangers: no pickles, and no more memory than the file is worth."""

import json
import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath, ObjectPath

_DAMAGED = (
    OSError, KeyError, ValueError, TypeError, EOFError, RuntimeError, SyntaxError, MemoryError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a file may raise that is none, or not whole."""

_PACKED = 1100
"""How many bytes one compressed byte may stand for: DEFLATE reaches 1032."""
_HEAD = 10_000
"""Longest head of an array, in bytes."""
_KINDS = "biufU"
"""Truths, whole numbers, numbers and texts."""


class Damaged(ValueError):
    """A file that holds something else than was expected; the message does not name it."""


def read_npz(path: AnyPath, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an `.npz` file by name.

    Args:
        path: the file.
        wanted: the arrays to be read, where they are there; None reads all.

    Raises:
        Damaged: the file is missing, no `.npz` or not whole, or an array is of Python objects or
            larger than the file can hold.
    """
    try:
        if isinstance(path, Path) and path.exists() and not path.is_file():
            raise Damaged("it is not a file")
        with zipfile.ZipFile(path.open("rb") if isinstance(path, ObjectPath) else path) as archive:
            members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
            names = members.keys() if wanted is None else members.keys() & set(wanted)
            return {name: _array(archive, members[name]) for name in sorted(names)}
    except Damaged:
        raise
    except zipfile.BadZipFile as error:
        raise Damaged("it is no .npz file, or not whole") from error
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or f"{error}" or type(error).__name__
        raise Damaged(reason) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.file_size > _PACKED * (member.compress_size + 1):
        raise Damaged(f"{member.filename} claims {member.file_size} bytes")
    with archive.open(member) as file:
        shape, fortran, dtype = _head(file)
        if dtype.hasobject or dtype.kind not in _KINDS:
            raise Damaged(f"{member.filename} is of type {dtype}")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > member.file_size:
            raise Damaged(f"{member.filename} claims the shape {shape}")
        found = np.frombuffer(_exactly(file, size, member), dtype)
        return found.reshape(shape, order="F" if fortran else "C").copy()


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0
    }  # fmt: skip
    if version not in readers:
        raise Damaged(f"its arrays have the format {version}")
    return readers[version](file, max_header_size=_HEAD)


def _exactly(file: BinaryIO | Any, size: int, member: zipfile.ZipInfo) -> bytes:
    data = file.read(size)
    if len(data) != size or file.read(1):  # reading to the end compares the checksum
        raise Damaged(f"{member.filename} has another length than its head says")
    return data


def text_of(arrays: Mapping[str, np.ndarray], name: str) -> str:
    """A text that is kept as an array without axes.

    Raises:
        Damaged: it is missing, or something else.
    """
    if name not in arrays:
        raise Damaged(f"it holds no {name}")
    found = arrays[name]
    if found.shape != () or found.dtype.kind != "U":
        raise Damaged(f"{name} is {found.dtype}{list(found.shape)}; expected a text")
    return str(found)


def record_of(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The JSON object that a file keeps as its `record`.

    Raises:
        Damaged: it is missing, or something else.
    """
    try:
        found = json.loads(text_of(arrays, "record"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise Damaged("its record is no JSON") from error
    if not isinstance(found, dict):
        raise Damaged(f"its record is {quoted(str(found)[:40])}; expected keys and values")
    return found
