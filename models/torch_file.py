"""Reads the tensors of a `.pth` file without torch and without running what it pickles.

A checkpoint is a pickle whose tensors name their storages. Only the few callables that rebuild
tensors are known here, each replaced by a function of ours; any other name ends the reading.
"""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("<u2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class _StorageType:
    """Stands for `torch.FloatStorage` and its like in a pickle."""

    def __init__(self, name: str):
        self.name = name


class _Storage:
    """A storage's elements, read on first use."""

    def __init__(self, kind: str, size: int, read: Callable[[], bytes]):
        self.kind, self.size, self._read = kind, size, read

    def elements(self) -> np.ndarray:
        data, dtype = self._read(), _DTYPES[self.kind]
        if len(data) != self.size * dtype.itemsize:
            raise ValueError(f"a storage holds {len(data)} bytes instead of {self.size} elements")
        values = np.frombuffer(data, dtype)
        if self.kind == "BFloat16Storage":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values


def _rebuild_tensor(
    storage: Any, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    """A strided view of a storage, as an array of its own."""
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor does not refer to a storage")
    if len(shape) != len(stride) or min((offset, *shape, *stride), default=0) < 0:
        raise ValueError(f"a tensor has shape {shape}, strides {stride}, offset {offset}")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    count = math.prod(shape)
    if count and (last >= storage.size or count > storage.size):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage")
    values = storage.elements()[offset:]
    strides = tuple(step * values.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(values, shape, strides, writeable=False).copy()


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_CALLABLES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows nothing but tensors and plain containers."""

    def __init__(self, file: Any, storage: Callable[[Any], Any]):
        super().__init__(file, encoding="latin-1")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _StorageType(name)
        try:
            return _CALLABLES[module, name]
        except KeyError:
            raise ValueError(f"it asks for {module}.{name}, which no tensor needs") from None

    def persistent_load(self, pid: Any) -> Any:
        return self._storage(pid)


def _kind(storage_type: Any) -> str:
    if not isinstance(storage_type, _StorageType):
        raise ValueError("a storage has no known type")
    return storage_type.name


def _read_zip(path: Path) -> Any:
    """The format since torch 1.6: a zip with `data.pkl` and one uncompressed file a storage."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it is a zip, but not one that torch.save wrote")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its byte order is not little-endian")

        def storage(pid: Any) -> _Storage:
            _, storage_type, key, _, size = pid
            info = members.get(f"{root}data/{key}")
            if info is None:
                raise ValueError(f"storage {key!r} is missing")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"storage {key!r} is compressed")
            return _Storage(_kind(storage_type), size, lambda: archive.read(info))

        return _Unpickler(io.BytesIO(archive.read(pickles[0])), storage).load()


def _read_legacy(path: Path) -> Any:
    """The format before torch 1.6: pickles in a row, then the storages' bytes.

    Tensors are built in a second reading of the pickle, when the storages' places are known.
    """
    data = path.read_bytes()
    file = io.BytesIO(data)

    def plain() -> Any:
        return _Unpickler(file, lambda pid: pid).load()

    if plain() != _LEGACY_MAGIC:
        raise ValueError("it is not a file that torch.save wrote")
    plain()  # protocol version
    if plain().get("little_endian") is not True:
        raise ValueError("its byte order is not little-endian")
    start, sizes = file.tell(), {}

    def measure(pid: Any) -> _Storage:
        _, storage_type, key, _, size, *view = pid
        if view and view[0] is not None:
            raise ValueError(f"storage {key!r} is a view of another one")
        sizes[key] = (_kind(storage_type), size)
        itemsize = _DTYPES[_kind(storage_type)].itemsize
        if size * itemsize > len(data):
            raise ValueError(f"storage {key!r} claims {size} elements in a smaller file")
        return _Storage(_kind(storage_type), size, lambda: bytes(size * itemsize))

    _Unpickler(file, measure).load()
    places = {}
    for key in plain():
        if key not in sizes:
            raise ValueError(f"storage {key!r} belongs to no tensor")
        kind, size = sizes[key]
        count = int.from_bytes(file.read(8), "little")
        if count != size:
            raise ValueError(f"storage {key!r} holds {count} elements instead of {size}")
        places[key] = (file.tell(), size * _DTYPES[kind].itemsize)
        file.seek(places[key][1], io.SEEK_CUR)

    def storage(pid: Any) -> _Storage:
        _, storage_type, key, _, size, *_ = pid
        if key not in places:
            raise ValueError(f"storage {key!r} is missing")
        begin, length = places[key]
        return _Storage(_kind(storage_type), size, lambda: data[begin : begin + length])

    file.seek(start)
    return _Unpickler(file, storage).load()


def read_torch_file(path: Path) -> Mapping[str, Any]:
    """The top-level mapping of a `.pth` or `.pt` file, its tensors as numpy arrays.

    Args:
        path: a file that `torch.save` wrote, in the zip format or the one before it.

    Returns:
        What was saved; bfloat16 tensors come as float32.

    Raises:
        ValueError: the file is damaged, holds no mapping, or asks for anything but tensors.
    """
    try:
        saved = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    except ValueError as error:
        raise ValueError(f"weights={str(path)!r} cannot be read: {error}") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(
            f"weights={str(path)!r} cannot be read: it is damaged or not a torch file "
            f"({type(error).__name__}: {error})"
        ) from error
    if not isinstance(saved, Mapping):
        raise ValueError(f"weights={str(path)!r} holds a {type(saved).__name__}, not a state dict")
    return saved
