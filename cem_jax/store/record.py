"""The record of a sweep on disk: everything that its outcomes depend on, as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cem_jax.plain_text import quoted, reason
from cem_jax.store.objects import AnyPath, as_place

CONFIGURATION = "sweep.json"
LOG = "outcomes.{}.log"

WRITTEN_BY = "written_by"
"""Key of a record that says which versions made it; not compared."""


def read_record(folder: AnyPath) -> dict[str, Any] | None:
    """What a sweep's directory says that it holds; None if it holds no sweep.

    Raises:
        ValueError: the record cannot be read.
    """
    path = folder / CONFIGURATION
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"directory={quoted(str(folder))} cannot be used: {CONFIGURATION}: {reason(error)}"
        ) from error
    if not isinstance(found, dict):
        raise ValueError(
            f"directory={quoted(str(folder))} cannot be used: {CONFIGURATION} is no record of a "
            "sweep"
        )
    return found


def as_record(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as it is when it is read again."""
    return json.loads(json.dumps(configuration))


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What a record says otherwise than it should, in words; empty if nothing.

    Args:
        found: the record.
        wanted: from `as_record`.
    """
    parts = []
    for key in wanted:
        if key not in found:
            parts.append(f"{key} was not recorded, by another version of this package")
        elif found[key] != wanted[key]:
            parts.append(f"{key} was {quoted(found[key])}, is {quoted(wanted[key])}")
    return "; ".join(parts)


def holds(directory: str | AnyPath, configuration: Mapping[str, Any]) -> bool:
    """Whether a directory holds a sweep of this configuration; False if it holds nothing.

    Args:
        directory: of the sweep.
        configuration: everything that its outcomes depend on, as JSON values.

    Raises:
        ValueError: it cannot be used, or holds something else; the message names what differs.
    """
    folder = as_place(directory)
    found = read_record(folder)
    if found is None:
        _check_empty(folder)
        found = read_record(folder)  # another process may have made it since
    if found is None:
        return False
    different = differences(found, as_record(configuration))
    if different:
        by = found.get(WRITTEN_BY)
        versions = f" (it was begun by {by})" if by else ""
        raise ValueError(
            f"directory={quoted(str(folder))} holds another sweep: {different}{versions}"
        )
    return True


def _check_empty(folder: AnyPath) -> None:
    """Refuses a directory with anything but what the beginning of a sweep may have left."""
    try:
        files = list(folder.iterdir()) if folder.exists() else []
        other = [
            file
            for file in files
            if not file.name.startswith(f".{CONFIGURATION}.")
            and not (
                isinstance(file, Path)
                and file.match(LOG.format("*"))
                and file.is_file()
                and not file.stat().st_size
            )
        ]
    except OSError as error:
        raise ValueError(f"directory={quoted(str(folder))} cannot be used: {error}") from error
    if other and not (folder / CONFIGURATION).exists():
        raise ValueError(f"directory={quoted(str(folder))} is not empty and holds no sweep")
