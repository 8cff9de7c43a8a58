"""Orbax directories of state dicts: the one module that knows orbax's interface."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

_COMPRESSION = 64
"""Bytes that a stored byte may become: weights hardly shrink, but arrays of zeros do."""
_SLACK = 2**26
"""Bytes that any directory may become, however small it is."""


def _as_numpy(leaf: Any) -> Any:
    """What tells orbax to restore an array in numpy, without memory of its own."""
    if not hasattr(leaf, "shape"):
        return leaf
    return np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)


def read_orbax(path: Path) -> Mapping[str, Any]:
    """The tree of an orbax directory, its arrays in numpy whatever devices wrote it.

    Args:
        path: a directory that orbax wrote.

    Raises:
        ValueError: it is no such directory, is damaged, or claims far more than it holds.
    """
    from orbax.checkpoint import v1 as ocp  # takes half a second, and few need it

    try:
        form = ocp.metadata(str(path.resolve())).metadata
        wanted = jax.tree.map(_as_numpy, form)
        claimed = sum(
            math.prod(leaf.shape) * leaf.dtype.itemsize
            for leaf in jax.tree.leaves(wanted)
            if isinstance(leaf, np.ndarray)
        )
        held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if claimed > _COMPRESSION * held + _SLACK:
            raise ValueError(f"its arrays claim {claimed} bytes, and it holds {held}")
        saved = ocp.load(str(path.resolve()), wanted)
    except ValueError:
        raise
    except Exception as error:  # orbax has no common class of errors
        text = " ".join(str(error).split())[:300]
        raise ValueError(f"orbax says: {text}") from error
    if not isinstance(saved, Mapping):
        raise ValueError(f"it holds a {type(saved).__name__}, not a state dict")
    return saved


def write_orbax(path: Path, state_dict: Mapping[str, np.ndarray]) -> None:
    """Writes a state dict as an orbax directory; a half-written one is never left under its name.

    Args:
        path: a directory that does not exist.
        state_dict: arrays in torch layout under torch keys.

    Raises:
        ValueError: the directory exists, or an array has no elements, which orbax cannot store.
    """
    from orbax.checkpoint import v1 as ocp

    if path.exists():
        raise ValueError(f"path={str(path)!r} exists")
    empty = [key for key, value in state_dict.items() if not value.size]
    if empty:
        raise ValueError(f"state_dict has arrays without elements: {empty}")
    ocp.save(str(path.resolve()), dict(state_dict))
