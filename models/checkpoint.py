"""State dicts from files: numpy arrays in torch layout under torch keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .torch_file import read_torch_file

_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model")
"""Keys under which training codes put the state dict, the preferred one first."""


def _unwrap(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in _WRAPPERS:
        if isinstance(saved.get(key), Mapping):
            return saved[key]
    return saved


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a checkpoint.

    Args:
        path: a `.pth`, `.pt` or `.safetensors` file; a state dict, bare or under `params_ema`,
            `params` or `state_dict`, with or without the prefix `module.`.

    Returns:
        Arrays by torch key.

    Raises:
        ValueError: the file does not exist, is damaged, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"weights={str(path)!r} is not a file")
    if path.suffix == ".safetensors":
        try:
            saved: Mapping[str, Any] = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"weights={str(path)!r} cannot be read: {error}") from error
    elif path.suffix in (".pth", ".pt"):
        saved = _unwrap(read_torch_file(path))
    else:
        raise ValueError(f"weights={str(path)!r}: expected .pth, .pt or .safetensors")
    odd = [key for key, value in saved.items() if not isinstance(value, np.ndarray)]
    if odd or not saved:
        raise ValueError(f"weights={str(path)!r} holds no state dict (entries: {odd[:5]})")
    return {key.removeprefix("module."): value for key, value in saved.items()}
