"""A checkpoint written anew: safetensors for other tools, an orbax directory for JAX."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from .checkpoint import read_state_dict
from .orbax_file import write_orbax
from .registry import build, to_torch


def _holds(path: Path, state_dict: dict[str, np.ndarray]) -> bool:
    """Whether a file is there with exactly these arrays.

    Raises:
        ValueError: something else is there.
    """
    if not path.exists():
        return False
    try:
        there = read_state_dict(path)
    except ValueError:
        there = {}
    same = there.keys() == state_dict.keys() and all(
        np.array_equal(there[key], value) and there[key].dtype == value.dtype
        for key, value in state_dict.items()
    )
    if not same:
        raise ValueError(f"out={str(path.parent)!r}: {path.name} is there with another content")
    return True


def export(
    name: str, weights: str | Path, out: str | Path, part: str | None = None, **told: Any
) -> tuple[Path, Path]:
    """Writes a checkpoint of a network in torch's layout under torch's keys, in two formats.

    Files that already hold the same are kept, so that an interrupted call can be repeated.

    Args:
        name: one of `names()`; the checkpoint must fit it.
        weights: a `.pth`, `.pt` or `.safetensors` file or an orbax directory.
        out: folder for `NAME.safetensors` and the directory `NAME.orbax`; made if needed.
        part: the key of the state dict that is wanted, where the file holds several.
        **told: what the weights do not tell, see `describe(name).arguments`.

    Returns:
        The paths of both.

    Raises:
        ValueError: the checkpoint is unreadable or does not fit, or one of the paths holds
            something else. Then nothing is written.
    """
    built = build(name, read_state_dict(weights, part), **told)
    state_dict = to_torch(name, built.state, built.config)
    folder = Path(out)
    tensors, directory = folder / f"{name}.safetensors", folder / f"{name}.orbax"
    there = [_holds(path, state_dict) for path in (tensors, directory)]
    folder.mkdir(parents=True, exist_ok=True)
    if not there[0]:
        unfinished = folder / f".{name}.{os.getpid()}.safetensors"
        try:
            save_file(state_dict, unfinished)
            unfinished.replace(tensors)
        finally:
            unfinished.unlink(missing_ok=True)
    if not there[1]:
        write_orbax(directory, state_dict)
    return tensors, directory
