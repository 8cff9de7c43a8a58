"""Files and folders of a command's options, looked at before anything slow is imported.

Places in object stores are looked at later: to ask a store is slow.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from cem_jax.plain_text import reason, visible
from cem_jax.store.objects import as_place

Given = str | Path | None


def _wrong(option: str, path: object, why: str) -> ValueError:
    return ValueError(f"{option} {visible(str(path))}: {why}".lstrip())


def _mode(option: str, path: Given) -> int | None:
    """Of what kind a place is; None where nobody has looked.

    Raises:
        ValueError: there is nothing, or it cannot be read.
    """
    if path is None:
        return None
    place = as_place(path, option or "path")
    if not isinstance(place, Path):
        return None
    try:
        found = place.stat()
    except OSError as error:
        raise _wrong(option, path, reason(error)) from error
    if not os.access(place, os.R_OK):
        raise _wrong(option, path, "it cannot be read: Permission denied")
    return found.st_mode


def check_place(option: str, path: Given) -> None:
    """Refuses what is neither a file nor a folder.

    Args:
        option: that names it, for the message; empty for an argument.
        path: what was given; None is nothing to look at.

    Raises:
        ValueError: there is no such place, or it cannot be read.
    """
    mode = _mode(option, path)
    if mode is not None and not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise _wrong(option, path, "expected a file or a folder")


def check_places(option: str, paths: Iterable[str | Path]) -> None:
    """`check_place` of several."""
    for path in paths:
        check_place(option, path)


def check_file(option: str, path: Given) -> None:
    """Refuses what is no file.

    Args:
        option: that names it, for the message; empty for an argument.
        path: what was given; None is nothing to look at.

    Raises:
        ValueError: there is no such file, or it cannot be read.
    """
    mode = _mode(option, path)
    if mode is not None and not stat.S_ISREG(mode):
        raise _wrong(option, path, "expected a file")


def check_folder(option: str, path: str | Path) -> None:
    """Refuses a folder of results that cannot be made or written.

    Args:
        option: that names it, for the message.
        path: what was given; nothing need be there.

    Raises:
        ValueError: something else is there, or above it.
    """
    place = as_place(path, option)
    if not isinstance(place, Path):
        return
    for one in (place, *place.absolute().parents):
        try:
            mode = one.stat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _wrong(option, path, reason(error)) from error
        if not stat.S_ISDIR(mode):
            above = "" if one is place else f": {visible(str(one))} is none"
            raise _wrong(option, path, f"expected a folder{above}")
        if not os.access(one, os.W_OK | os.X_OK):
            raise _wrong(option, path, "it cannot be written: Permission denied")
        return


def check_new_file(option: str, path: Given) -> None:
    """Refuses a file that cannot be written because of the place that it has.

    Args:
        option: that names it, for the message.
        path: what was given; None is nothing to look at.

    Raises:
        ValueError: a folder is there, or there is no folder that it would be in.
    """
    if path is None:
        return
    place = as_place(path, option)
    if not isinstance(place, Path):
        return
    if place.is_dir():
        raise _wrong(option, path, "expected a file, found a folder")
    folder = Path(os.path.realpath(place)).parent
    if not folder.is_dir():
        raise _wrong(option, path, f"there is no folder {visible(str(folder))}")
