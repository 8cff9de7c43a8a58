"""Locks between processes that share a folder and nothing else.

The system itself ends a lock when its holder ends, however that happens, so that nothing has to be
cleaned up and no clocks are compared.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cem_jax.plain_text import quoted

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # elsewhere
    msvcrt = None

LOCKS = "locks"

_FAR = 2**31 - 2
"""A byte that Windows can lock and that no log reaches: there, what is locked cannot be read."""


def _windows(file: IO[bytes], byte: int, mode: str) -> None:
    """Locks one byte of a file, or gives it free; OSError if another process has it."""
    assert msvcrt is not None
    windows: Any = msvcrt
    os.lseek(file.fileno(), byte, os.SEEK_SET)
    windows.locking(file.fileno(), getattr(windows, mode), 1)


def lock(file: IO[bytes]) -> bool:
    """Locks an open file until it is closed; False where it is locked already.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _windows(file, _FAR, "LK_NBLCK")
    except (BlockingIOError, PermissionError):
        return False
    return True


class Locks:
    """Locks by names in a folder; as a context it gives up all of this process at the end.

    A lock is one byte of one file.

    Args:
        folder: shared by all processes; made if there is none.

    Raises:
        ValueError: it cannot be written.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / LOCKS).open("ab")
        except OSError as error:
            raise ValueError(f"out={quoted(str(folder))} cannot be written: {error}") from error

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        """Holds a lock while the context lasts; False where another process has it.

        Raises:
            ValueError: the folder's file system has no locks.
        """
        # Two names may share a byte by chance: then one waits for the other, and nothing is lost.
        byte = zlib.crc32(name.encode()) % _FAR
        try:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            else:
                _windows(self._file, byte, "LK_NBLCK")
        except (BlockingIOError, PermissionError):  # POSIX allows either
            yield False
            return
        except OSError as error:
            raise ValueError(
                f"out={quoted(str(self._folder))}: its file system has no locks: {error}"
            ) from error
        try:
            yield True
        finally:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)
            else:
                _windows(self._file, byte, "LK_UNLCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
