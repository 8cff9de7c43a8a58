"""Records of arrays as `.npz` files: the arrays by name, and one JSON text with the rest."""

import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cem_jax.arguments import as_json_value
from cem_jax.store.atomic import write_file
from cem_jax.store.npz import read_npz, record_of

_VERSION = 1


def write_record(found: Any, names: Sequence[str], path: str | Path) -> None:
    """Writes a record.

    Args:
        found: the record, a dataclass.
        names: of its arrays.
        path: the file.

    Raises:
        ValueError: the file cannot be written.
    """
    fields = [field.name for field in dataclasses.fields(found)]
    rest = {name: getattr(found, name) for name in fields if name not in names}
    arrays = {name: getattr(found, name) for name in names}
    text = json.dumps(rest | {"format_version": _VERSION}, default=as_json_value)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, record=text, **arrays)
    write_file(path, buffer.getvalue())


def read_record(
    path: str | Path, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the rest of what `write_record` wrote.

    Args:
        path: the file.
        names: of the arrays.

    Raises:
        ValueError: the file is missing, damaged, of another record, or of a newer format.
        KeyError: an array, or a part of the rest, is not there.
    """
    file = read_npz(Path(path), (*names, "record"))
    arrays, rest = {name: file[name] for name in names}, record_of(file)
    if rest.pop("format_version") != _VERSION:
        raise ValueError("its format is newer than this version")
    return arrays, rest
