"""Files that exist whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath, ObjectPath, as_place

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NAMED = 40
"""Characters of a file's name that its draft's name begins with: names end at 255 bytes."""


def write_atomically(path: AnyPath, data: bytes) -> None:
    """Writes a file so that it exists whole or not at all.

    A file that is there is replaced and keeps its mode; of a link, the file that it leads to.
    Objects of a store are so by themselves.

    Args:
        path: the file.
        data: what it shall hold.

    Raises:
        OSError: it cannot be written, or something else than a file is there.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(data)
        return
    target = Path(os.path.realpath(path))
    there = _file_at(target)
    draft = target.with_name(f".{target.name[:_NAMED]}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if there is not None:
            with contextlib.suppress(OSError, AttributeError):  # only an administrator can
                os.chown(draft, there.st_uid, there.st_gid)
            draft.chmod(stat.S_IMODE(there.st_mode))
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def write_file(path: str | AnyPath, data: bytes) -> None:
    """Writes what a user asked for, as `write_atomically` does.

    Args:
        path: the file, in a folder that exists.
        data: what it shall hold.

    Raises:
        ValueError: the file cannot be written; the message names it.
    """
    try:
        write_atomically(as_place(path), data)
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"path={quoted(str(path))} cannot be written: {reason}") from error


def _file_at(path: Path) -> os.stat_result | None:
    """What is there, if it is a file that may be written."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"expected a file, found {kind}", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return found
