"""Reads the tensors of a `.pth` file without torch and without running what it pickles.

A checkpoint is a pickle whose tensors name their storages. Only the few names that tensors need are
known here; any other one ends the reading. Nothing is allocated before its size is compared with
the file's own.
"""

import dataclasses
import functools
import io
import math
import mmap
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .restricted_pickle import fill_dict, load, shown

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
_ZIP_MAGIC = b"PK\x03\x04"
_MOST_AXES = 32
_LARGEST = 2**48
"""No size, stride or offset of a file is larger; products of a few stay cheap."""
_SHARING = 8
"""How often the tensors may use the file's bytes: some networks list one tensor under many keys."""
_HOW = (
    "save the state dict alone; where you trust the file, in torch: "
    "torch.save(torch.load(FILE, weights_only=False)[KEY], 'weights.pth')"
)
"""What helps where a file holds more than tensors."""
_SLACK = 2**20
"""Bytes that the tensors of any file may have, however small it is."""


@dataclasses.dataclass(frozen=True)
class _StorageType:
    """Stands for `torch.FloatStorage` and its like in a pickle."""

    name: str

    @property
    def dtype(self) -> np.dtype:
        return _DTYPES[self.name]


@dataclasses.dataclass(frozen=True, eq=False)
class _Storage:
    """A storage's elements, read on first use."""

    kind: _StorageType
    size: int
    read: Callable[[], bytes]

    @functools.cached_property
    def elements(self) -> np.ndarray:
        values = np.frombuffer(self.read(), self.kind.dtype, self.size)
        if self.kind.name == "BFloat16Storage":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values


@dataclasses.dataclass(frozen=True, eq=False)
class _Tensor:
    """A strided view of a storage, which becomes an array only if it is wanted."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.storage.kind.dtype.itemsize

    def array(self) -> np.ndarray:
        values = self.storage.elements[self.offset :]
        strides = tuple(step * values.itemsize for step in self.stride)
        return np.lib.stride_tricks.as_strided(values, self.shape, strides, writeable=False).copy()


def _sizes(what: str, values: Any) -> tuple[int, ...]:
    """Whole numbers that a file gives for sizes, or a ValueError."""
    if type(values) not in (tuple, list) or len(values) > _MOST_AXES:
        raise ValueError(f"{what} is {shown(values)}; expected at most {_MOST_AXES} numbers")
    for value in values:
        if type(value) is not int or not 0 <= value < _LARGEST:
            raise ValueError(f"{what} holds a value that is no whole number in [0, 2**48)")
    return tuple(values)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> _Tensor:
    """What a tensor is pickled as; whether it needs gradients does not matter here."""
    if not isinstance(storage, _Storage):
        raise ValueError(f"a tensor refers to {shown(storage)} instead of a storage")
    (offset,) = _sizes("a tensor's offset", (offset,))
    shape, stride = _sizes("a tensor's shape", shape), _sizes("a tensor's strides", stride)
    if len(shape) != len(stride):
        raise ValueError(f"a tensor has shape {shape} and strides {stride}")
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if offset > storage.size or (math.prod(shape) and last >= storage.size):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage")
    return _Tensor(storage, offset, shape, stride)


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    if type(pairs) not in (list, tuple):
        raise ValueError(f"an OrderedDict is made of {shown(pairs)}")
    found: dict[Any, Any] = {}
    fill_dict(found, pairs)
    return found


def _size(sides: Any) -> tuple[int, ...]:
    return _sizes("a torch.Size", sides)


_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): _size,
}


def _find(module: str, name: str) -> Any:
    if module in ("torch", "torch.storage") and name in _DTYPES:
        return _StorageType(name)
    if (module, name) in _FUNCTIONS:
        return _FUNCTIONS[module, name]
    raise ValueError(f"it asks for {shown(f'{module}.{name}')}, which no tensor needs: {_HOW}")


def _described(pid: Any) -> tuple[_StorageType, str, int, tuple[Any, ...]]:
    """Type, key, size and the rest of a storage's persistent id."""
    if type(pid) is not tuple or len(pid) < 5 or pid[0] != "storage":
        raise ValueError("it refers to something that is no storage")
    _, kind, key, _, size, *rest = pid
    if not isinstance(kind, _StorageType) or type(key) is not str:
        raise ValueError("a storage has no known type or no key")
    return kind, key, _sizes("a storage's size", (size,))[0], tuple(rest)


def _members(archive: zipfile.ZipFile, length: int) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive, once none of them claims more than there is."""
    members = {info.filename: info for info in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise ValueError("two of its members have one name")
    for name, info in members.items():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError(f"its member {shown(name)} is compressed or encrypted")
        if info.file_size != info.compress_size or info.header_offset < 0:
            raise ValueError(f"its member {shown(name)} has two sizes")
    if sum(info.file_size for info in members.values()) > length:
        raise ValueError("its members claim more bytes than the file has")
    return members


def _load_zip(file: BinaryIO, length: int) -> Any:
    """The format since torch 1.6: a zip with `data.pkl` and one uncompressed file a storage."""
    archive = zipfile.ZipFile(file)
    if any(name.endswith("/constants.pkl") for name in archive.namelist()):
        raise ValueError(
            "it is a TorchScript program; where you trust the file, "
            "cem_jax.wrap_torch(torch.jit.load(FILE)) takes it whole; its weights alone, in torch: "
            "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')"
        )
    members = _members(archive, length)
    pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError("it is a zip, but not one that torch.save wrote")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("its byte order is not little-endian")
    storages: dict[str, _Storage] = {}

    def refer(pid: Any) -> _Storage:
        kind, key, size, _ = _described(pid)
        info = members.get(f"{root}data/{key}")
        if info is None:
            raise ValueError(f"storage {shown(key)} is missing")
        if info.file_size != size * kind.dtype.itemsize:
            raise ValueError(
                f"storage {shown(key)} holds {info.file_size} bytes instead of {size} elements"
            )
        known = storages.setdefault(key, _Storage(kind, size, lambda: archive.read(info)))
        if (known.kind, known.size) != (kind, size):
            raise ValueError(f"storage {shown(key)} is described in two ways")
        return known

    return load(io.BytesIO(archive.read(pickles[0])), _find, refer)


def _load_legacy(data: Any) -> Any:
    """The format before torch 1.6: five pickles in a row, then the storages' bytes.

    Args:
        data: the file as an mmap, whose reads never allocate more than there is.
    """

    def plain() -> Any:
        return load(data, _find, _no_reference)

    if not data.read(2).startswith(b"\x80"):
        raise ValueError("it is not a file that torch.save wrote")
    data.seek(0)
    magic = plain()
    if type(magic) is not int or magic != _LEGACY_MAGIC:
        raise ValueError("it is not a file that torch.save wrote")
    plain()  # protocol version
    system = plain()
    if type(system) is not dict or system.get("little_endian") is not True:
        raise ValueError("its byte order is not little-endian")
    storages: dict[str, _Storage] = {}
    places: dict[str, int] = {}

    def refer(pid: Any) -> _Storage:
        kind, key, size, rest = _described(pid)
        if rest and rest[0] is not None:
            raise ValueError(f"storage {shown(key)} is a view of another one")
        length = size * kind.dtype.itemsize

        def read() -> bytes:
            return data[places[key] : places[key] + length]

        known = storages.setdefault(key, _Storage(kind, size, read))
        if (known.kind, known.size) != (kind, size):
            raise ValueError(f"storage {shown(key)} is described in two ways")
        return known

    saved, keys = load(data, _find, refer), plain()
    if type(keys) is not list:
        raise ValueError("it has no list of storages")
    for key in keys:
        if type(key) is not str or key not in storages or key in places:
            raise ValueError(f"storage {shown(key)} belongs to no tensor, or is there twice")
        size = storages[key].size
        count = int.from_bytes(data.read(8), "little")
        if count != size:
            raise ValueError(f"storage {shown(key)} holds {count} elements instead of {size}")
        places[key] = data.tell()
        end = places[key] + size * storages[key].kind.dtype.itemsize
        if end > len(data):
            raise ValueError(f"it ends within storage {shown(key)}")
        data.seek(end)
    missing = [key for key in storages if key not in places]
    if missing:
        raise ValueError(f"storage {shown(missing[0])} is missing")
    return saved


def _no_reference(pid: Any) -> Any:
    raise ValueError("it refers to a storage outside its tensors")


def _arrays(chosen: Mapping[Any, Any], length: int) -> dict[Any, Any]:
    """The chosen entries with arrays for tensors, if all of them together fit the file."""
    claimed = sum(value.nbytes for value in chosen.values() if isinstance(value, _Tensor))
    if claimed > _SHARING * length + _SLACK:
        raise ValueError(f"its tensors claim {claimed} bytes, and the file has {length}")
    return {
        key: value.array() if isinstance(value, _Tensor) else value for key, value in chosen.items()
    }


def read_torch_file(
    path: Path, choose: Callable[[Mapping[Any, Any]], Mapping[Any, Any]]
) -> dict[Any, Any]:
    """A mapping in a `.pth` or `.pt` file, its tensors as numpy arrays.

    Args:
        path: a file that `torch.save` wrote, in the zip format or the one before it.
        choose: picks the mapping that is wanted out of the saved one; nothing else is read.

    Returns:
        The chosen mapping; bfloat16 tensors come as float32.

    Raises:
        ValueError: the file is damaged, holds no mapping, or asks for anything but tensors.
    """
    try:
        with path.open("rb") as file:
            length = file.seek(0, io.SEEK_END)
            file.seek(0)
            if file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
                return _chosen(_load_zip(file, length), choose, length)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _chosen(_load_legacy(data), choose, length)
    except (ValueError, OSError):
        raise
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(
            f"it is damaged or not a torch file ({type(error).__name__}: {str(error)[:200]})"
        ) from error


def _chosen(saved: Any, choose: Callable[[Mapping], Mapping], length: int) -> dict[Any, Any]:
    if type(saved) is not dict:
        raise ValueError(f"it holds {shown(saved)}, not a state dict: {_HOW}")
    return _arrays(choose(saved), length)
