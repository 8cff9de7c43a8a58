"""Claims: which process computes what, agreed through a shared folder and nothing else.

A claim is a lock on one byte of one file. The system itself ends it when its holder ends, however
that happens, so that nothing has to be cleaned up and no clocks are compared.
"""

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import fcntl
except ImportError:  # Windows: several processes would do the same work
    fcntl = None

CLAIMS = "claims"


class Claims:
    """Claims of this process in a folder; as a context it gives them all up at the end.

    Args:
        folder: shared by all processes; made if there is none.

    Raises:
        ValueError: it cannot be written.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / CLAIMS).open("ab")
        except OSError as error:
            raise ValueError(f"out={str(folder)!r} cannot be written: {error}") from error

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Claims a name while the context lasts; False where another process has it.

        Raises:
            ValueError: the folder's file system has no locks.
        """
        if fcntl is None:
            yield True
            return
        # Two names may share a byte by chance: then one waits for the other, and nothing is lost.
        byte = zlib.crc32(name.encode())
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            yield False
            return
        except OSError as error:
            raise ValueError(
                f"out={str(self._folder)!r}: its file system has no locks: {error}"
            ) from error
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
