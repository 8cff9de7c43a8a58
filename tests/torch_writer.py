"""Writes `.pth` files without torch, instruction by instruction: honest ones and hostile ones."""

import io
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

STORAGES = {
    "float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage",
    "uint16": "BFloat16Storage", "int64": "LongStorage", "uint8": "ByteStorage",
    "bool": "BoolStorage",
}  # fmt: skip
"""numpy has no bfloat16; its bits are written as uint16."""


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def items(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def mapping(entries: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + items(*arguments) + b"R"


def storage(key: str, kind: str, size: int, legacy: bool = False) -> bytes:
    parts = [text("storage"), named("torch", kind), text(key), text("cpu"), number(size)]
    return items(*parts, *([b"N"] if legacy else [])) + b"Q"


def tensor(stored: bytes, shape, stride, offset: int = 0) -> bytes:
    hooks = call(named("collections", "OrderedDict"))
    sides, steps = (items(*map(number, values)) for values in (shape, stride))
    return call(
        named("torch._utils", "_rebuild_tensor_v2"),
        stored, number(offset), sides, steps, b"\x89", hooks,
    )  # fmt: skip


def described(state: Mapping[str, np.ndarray], legacy: bool = False) -> dict[str, bytes]:
    """The entries of a state dict, storage "0", "1", ... for each."""
    found = {}
    for key, (name, value) in enumerate(state.items()):
        stored = storage(str(key), STORAGES[value.dtype.name], value.size, legacy)
        steps = [step // value.itemsize for step in np.zeros(value.shape, value.dtype).strides]
        found[name] = tensor(stored, value.shape, steps)
    return found


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def zipped(body: bytes, storages: Mapping[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    """The format since torch 1.6 around a pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(body))
        archive.writestr("archive/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def legacy(body: bytes, storages: Mapping[str, tuple[int, bytes]]) -> bytes:
    """The format before torch 1.6 around a pickle; storages are (element count, bytes)."""
    system = mapping({"protocol_version": number(1001), "little_endian": b"\x88"})
    head = [number(0x1950A86A20F9469CFC6C), number(1001), system, body]
    keys = b"](" + b"".join(text(key) for key in storages) + b"e"
    data = b"".join(struct.pack("<q", count) + held for count, held in storages.values())
    return b"".join(map(pickled, [*head, keys])) + data


def zip_file(state: Mapping[str, np.ndarray], wrap=mapping) -> bytes:
    held = {str(key): value.tobytes() for key, value in enumerate(state.values())}
    return zipped(wrap(described(state)), held)


def legacy_file(state: Mapping[str, np.ndarray], wrap=mapping) -> bytes:
    held = {str(k): (value.size, value.tobytes()) for k, value in enumerate(state.values())}
    return legacy(wrap(described(state, True)), held)
