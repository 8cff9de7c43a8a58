"""A sweep on disk: a record of what it is, and logs of outcomes that survive any interruption.

Every process appends to a log of its own: batches with a checksum, each on the disk before the
next. A batch that was cut off is as if it had never been begun.
"""

import json
import os
import secrets
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: two runs in one directory are not kept apart
    fcntl = None

_HEAD = struct.Struct("<IId")
"""Before every batch: its length in bytes, the CRC-32 of all the rest, and its seconds."""

CONFIGURATION = "sweep.json"
LOG = "outcomes.{}.log"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it exists whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # one of many machines' own
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
        elif any(not file.name.startswith(f".{CONFIGURATION}.") for file in folder.iterdir()):
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


def _record(outcomes: int) -> np.dtype:
    return np.dtype([("cell", "<i4"), ("draw", "<i4"), ("values", "<f4", (outcomes,))])


def _checksum(batch: bytes, seconds: float) -> int:
    return zlib.crc32(struct.pack("<d", seconds) + batch)


def _batches(data: bytes) -> tuple[list[tuple[bytes, float]], int]:
    """The whole batches at the beginning of a log, with their seconds, and where they end."""
    found, position = [], 0
    while position + _HEAD.size <= len(data):
        length, checksum, seconds = _HEAD.unpack_from(data, position)
        batch = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(batch) < length or _checksum(batch, seconds) != checksum:
            break
        found.append((batch, seconds))
        position += _HEAD.size + length
    return found, position


def read_outcomes(folder: Path, values: np.ndarray) -> float:
    """Fills in the outcomes that a sweep has kept.

    Args:
        folder: the sweep's directory.
        values: [cells, capacity, outcomes], written to.

    Returns:
        The seconds that the first process has spent on them.
    """
    spent = 0.0
    for log in sorted(folder.glob(LOG.format("*"))):
        for batch, seconds in _batches(log.read_bytes())[0]:
            records = np.frombuffer(batch, _record(values.shape[2]))
            values[records["cell"], records["draw"]] = records["values"]
            spent += seconds if log.name == LOG.format(0) else 0.0
    return spent


class Log:
    """One process's log of a sweep, open for appending; as a context it is closed at the end.

    Args:
        folder: the sweep's directory.
        process: number of the process.

    Raises:
        ValueError: another run is writing to it, or it cannot be written.
    """

    def __init__(self, folder: Path, process: int = 0):
        self._path = folder / LOG.format(process)
        try:
            self._file = self._path.open("ab", buffering=0)
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ValueError(f"directory={str(folder)!r}: another run is at work in it") from error
        except OSError as error:
            raise ValueError(f"directory={str(folder)!r} cannot be written: {error}") from error
        os.truncate(self._path, _batches(self._path.read_bytes())[1])

    def append(
        self, cells: np.ndarray, draws: np.ndarray, values: np.ndarray, seconds: float
    ) -> None:
        """Adds a batch and waits until the disk has it.

        Args:
            cells: int [n].
            draws: int [n].
            values: float32 [n, outcomes].
            seconds: that it took.

        Raises:
            OSError: the disk is full or gone; what was kept before stays.
        """
        records = np.empty(len(cells), _record(values.shape[1]))
        records["cell"], records["draw"], records["values"] = cells, draws, values
        batch = records.tobytes()
        rest = memoryview(_HEAD.pack(len(batch), _checksum(batch, seconds), seconds) + batch)
        end = self._path.stat().st_size
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.truncate(self._path, end)
            raise OSError(
                error.errno,
                f"{error.strerror}; all outcomes up to here are kept, the same call continues",
                str(self._path),
            ) from error

    def close(self) -> None:
        """Gives the log free for other runs."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
