"""A sweep on disk: a record of what it is, and a log of outcomes that survives any interruption."""

import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_RECORD = np.dtype([("cell", "<i4"), ("draw", "<i4"), ("value", "<f4")])
_HEAD = struct.Struct("<II")
"""Before every batch: its length in bytes, and its CRC-32."""

CONFIGURATION = "sweep.json"
LOG = "outcomes.log"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it exists whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def open_store(directory: str | Path, configuration: Mapping[str, Any]) -> Path:
    """The directory of a sweep: a new one, or one that was begun with the same configuration.

    Args:
        directory: where the sweep is kept.
        configuration: everything that its outcomes depend on, as JSON values.

    Returns:
        The directory.

    Raises:
        ValueError: it cannot be written, holds something else, or another configuration; the
            message names what differs.
    """
    folder = Path(directory)
    wanted = json.loads(json.dumps(configuration))
    record = folder / CONFIGURATION
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if record.exists():
            found = json.loads(record.read_text())
        elif any(folder.iterdir()):
            raise ValueError(f"directory={str(folder)!r} is not empty and holds no sweep")
        else:
            write_atomically(record, json.dumps(wanted, indent=1).encode())
            found = wanted
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"directory={str(folder)!r} cannot be used: {error}") from error
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if different:
        listing = "; ".join(
            f"{key} was {found.get(key)!r}, is {wanted[key]!r}" for key in different
        )
        raise ValueError(f"directory={str(folder)!r} holds another sweep: {listing}")
    return folder


def read_outcomes(folder: Path, values: np.ndarray) -> None:
    """Fills in the outcomes that a sweep has kept; a batch that was cut off is removed.

    Args:
        folder: the sweep's directory.
        values: [cells, capacity], written to.
    """
    log = folder / LOG
    if not log.exists():
        return
    data, position = log.read_bytes(), 0
    while position + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, position)
        batch = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(batch) < length or zlib.crc32(batch) != checksum:
            break
        records = np.frombuffer(batch, _RECORD)
        values[records["cell"], records["draw"]] = records["value"]
        position += _HEAD.size + length
    if position < len(data):
        os.truncate(log, position)


def append_outcomes(folder: Path, cells: np.ndarray, draws: np.ndarray, values: np.ndarray) -> None:
    """Adds a batch of outcomes to the log and waits until the disk has it."""
    records = np.empty(len(cells), _RECORD)
    records["cell"], records["draw"], records["value"] = cells, draws, values
    batch = records.tobytes()
    with (folder / LOG).open("ab") as file:
        file.write(_HEAD.pack(len(batch), zlib.crc32(batch)) + batch)
        file.flush()
        os.fsync(file.fileno())
