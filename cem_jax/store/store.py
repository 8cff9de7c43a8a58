"""Logs of a sweep on disk: outcomes that survive any interruption.

The record is made by the one process that holds the lock of the first log. Every process appends to
a log of its own, which begins with the record's fingerprint: batches with a checksum, each on the
disk before the next. A batch that was cut off is as if it had never been begun.
In an object store every batch is an object of its own, under a name that nobody else uses.
"""

import contextlib
import hashlib
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

from cem_jax.store.atomic import write_atomically
from cem_jax.store.lock import lock
from cem_jax.store.objects import AnyPath, ObjectPath, as_place, read_all
from cem_jax.store.record import CONFIGURATION, LOG, WRITTEN_BY, as_record, holds, read_record

_HEAD = struct.Struct("<IId")
"""Before every batch: its length in bytes, the CRC-32 of all the rest, and its seconds."""

_MAGIC = b"CEM log\1"
_TITLE = len(_MAGIC) + 16
"""Bytes at the beginning of a log: what it is, and of which record."""


def open_store(
    directory: str | AnyPath,
    configuration: Mapping[str, Any],
    *,
    process: int = 0,
    written_by: str = "",
    alone: str = "",
) -> "Log | ObjectLog":
    """The log of a sweep's directory: a new one, or one that was begun with this configuration.

    Args:
        directory: where the sweep is kept.
        configuration: everything that its outcomes depend on, as JSON values.
        process: number of this process among those that share the sweep; the first one makes the
            record.
        written_by: the versions that do, in words.
        alone: why outcomes that are there cannot be known to be this sweep's, in words; empty if
            they can.

    Returns:
        The log, which no other process can open until it is closed; in an object store another one
        may, and writes objects of its own.

    Raises:
        ValueError: it cannot be written, holds something else, another configuration, or is in
            use; the message names what differs.
    """
    folder = as_place(directory)
    holds(folder, configuration)  # before anything is made
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"directory={str(folder)!r} cannot be used: {error}") from error
    log = ObjectLog(folder, process) if isinstance(folder, ObjectPath) else Log(folder, process)
    try:
        begun = holds(folder, configuration)
        if begun and alone and process == 0:
            raise ValueError(f"directory={str(folder)!r} cannot be resumed: {alone}")
        if not begun and process == 0:
            record = as_record(configuration) | {WRITTEN_BY: written_by}
            try:
                write_atomically(folder / CONFIGURATION, json.dumps(record, indent=1).encode())
            except OSError as error:
                raise ValueError(f"directory={str(folder)!r} cannot be used: {error}") from error
            if isinstance(log, Log):  # without a lock others may rely on the record
                log.made_record = True
        log.begin()
    except BaseException:
        log.close()
        raise
    return log


def _title(folder: AnyPath) -> bytes:
    """How the logs of a directory begin."""
    record = json.dumps(read_record(folder), sort_keys=True)
    return _MAGIC + hashlib.sha256(record.encode()).digest()[: _TITLE - len(_MAGIC)]


def _content(path: AnyPath, data: bytes | None = None) -> bytes:
    """A log behind its title.

    Args:
        path: where it is.
        data: what stands there; None reads it.

    Raises:
        ValueError: it belongs to another sweep, or is damaged.
    """
    data, title = path.read_bytes() if data is None else data, _title(path.parent)
    if data[:_TITLE] != title[: len(data)]:
        known = data[: len(_MAGIC)] == _MAGIC[: len(data)]
        what = "is of another sweep" if known else "is damaged, or is no log of outcomes"
        raise ValueError(
            f"directory={str(path.parent)!r} cannot be used: {path.name} {what}; remove this file, "
            "and its outcomes are computed again"
        )
    return data[_TITLE:]


def _record(outcomes: int) -> np.dtype:
    return np.dtype([("cell", "<i4"), ("draw", "<i4"), ("values", "<f4", (outcomes,))])


def _checksum(batch: bytes, seconds: float) -> int:
    return zlib.crc32(struct.pack("<d", seconds) + batch)


def _batch(cells: np.ndarray, draws: np.ndarray, values: np.ndarray, seconds: float) -> bytes:
    """A batch with its head."""
    records = np.empty(len(cells), _record(values.shape[1]))
    records["cell"], records["draw"], records["values"] = cells, draws, values
    batch = records.tobytes()
    return _HEAD.pack(len(batch), _checksum(batch, seconds), seconds) + batch


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


def read_outcomes(folder: AnyPath, values: np.ndarray) -> float:
    """Fills in the outcomes that a sweep has kept.

    Args:
        folder: the sweep's directory.
        values: [cells, capacity, outcomes], written to.

    Returns:
        The seconds that the first process has spent on them.

    Raises:
        ValueError: a log belongs to another sweep.
    """
    spent = 0.0
    logs: list[AnyPath] = sorted(folder.glob(LOG.format("*")))
    first = f"{LOG.format(0).removesuffix('.log')}."
    for log, data in zip(logs, read_all(logs), strict=True):
        for batch, seconds in _batches(_content(log, data))[0]:
            records = np.frombuffer(batch, _record(values.shape[2]))
            values[records["cell"], records["draw"]] = records["values"]
            spent += seconds if log.name.startswith(first) else 0.0
    return spent


class Log:
    """One process's log of a sweep, locked; as a context it is closed at the end.

    `begin` comes before the first batch, once the directory has its record.

    Args:
        folder: the sweep's directory.
        process: number of the process.

    Raises:
        ValueError: another run is writing to it, or it cannot be written.
    """

    pause = 0.0
    """Seconds between two batches, at least."""
    made_record = False
    """Whether the sweep was begun by this run."""

    def __init__(self, folder: Path, process: int = 0):
        self.folder, self._path = folder, folder / LOG.format(process)
        try:
            self._file = self._path.open("ab", buffering=0)
            free = lock(self._file)
        except OSError as error:
            raise ValueError(f"directory={str(folder)!r} cannot be written: {error}") from error
        if not free:
            self._file.close()
            raise ValueError(f"directory={str(folder)!r}: another run is at work in it")

    def begin(self) -> None:
        """Writes the title of a new log, and cuts off what is not whole.

        Raises:
            ValueError: it belongs to another sweep, or cannot be written.
        """
        try:
            size = self._path.stat().st_size
            if size < _TITLE:
                _content(self._path)
                os.truncate(self._path, 0)
                self._write(_title(self.folder))
            else:
                os.truncate(self._path, _TITLE + _batches(_content(self._path))[1])
        except OSError as error:
            raise ValueError(
                f"directory={str(self.folder)!r} cannot be written: {error}"
            ) from error

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

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
        end = self._path.stat().st_size
        try:
            self._write(_batch(cells, draws, values, seconds))
        except OSError as error:
            os.truncate(self._path, end)
            raise OSError(
                error.errno,
                f"{error.strerror}; all outcomes up to here are kept, the same call continues",
                str(self._path),
            ) from error

    def _forget(self) -> None:
        """Leaves the directory as one in which nothing was begun, if nobody has kept an outcome.

        Whoever asks for what cannot be made, as of a network of another scale, asks again otherwise
        and is not to be refused for it. The log's file stays: others may have opened it.
        """
        kept = [path.stat().st_size > _TITLE for path in self.folder.glob(LOG.format("*"))]
        if self._path.stat().st_size <= _TITLE:
            os.truncate(self._path, 0)
        if self.made_record and not any(kept):
            (self.folder / CONFIGURATION).unlink()

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
        if error is not None:
            with contextlib.suppress(OSError):  # the error is told
                self._forget()
        self.close()


class ObjectLog:
    """One process's log of a sweep in an object store: an object a batch, whole or not at all.

    Nothing is locked: another process writes other objects, of the same outcomes.

    Args:
        folder: the sweep's place.
        process: number of the process.
    """

    pause = 8.0
    """Seconds between two batches, at least: a request takes longer than a write, and costs."""

    def __init__(self, folder: ObjectPath, process: int):
        self.folder, self._name = folder, f"{process}.{secrets.token_hex(4)}"
        self._count, self._title = 0, b""

    def begin(self) -> None:
        """Learns of which record the batches are."""
        self._title = _title(self.folder)

    def append(
        self, cells: np.ndarray, draws: np.ndarray, values: np.ndarray, seconds: float
    ) -> None:
        """Adds a batch and waits until the store has it; see `Log.append`.

        Raises:
            OSError: the store does not answer; what was kept before stays.
        """
        place = self.folder / LOG.format(f"{self._name}.{self._count:06d}")
        data = self._title + _batch(cells, draws, values, seconds)
        try:
            place.write_bytes(data)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}; all outcomes up to here are kept, the same call continues",
                str(place),
            ) from error
        self._count += 1

    def close(self) -> None:
        """Does nothing: nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
