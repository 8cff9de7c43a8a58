"""How records keep their arrays: nobody can write into them, neither through them nor beside."""

import dataclasses
from typing import Any

import numpy as np


def keep_read_only(record: Any) -> None:
    """Makes numpy arrays among a frozen dataclass's fields read-only, for its `__post_init__`.

    Args:
        record: whose arrays are copied if somebody else could still write into them.
    """
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            object.__setattr__(record, field.name, _read_only(value))


def _read_only(array: np.ndarray) -> np.ndarray:
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
            return array
        base = base.base
    return array
