"""State dicts from files: numpy arrays in torch layout under torch keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .orbax_file import read_orbax
from .torch_file import read_torch_file

_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model")
"""Keys under which training codes put the state dict, the preferred one first."""
_PREFIX = "module."
"""What torch's data parallelism puts before every key."""


def _choose(saved: Mapping[Any, Any], part: str | None) -> Mapping[Any, Any]:
    """The state dict within what was saved."""
    parts = {str(key): value for key, value in saved.items() if isinstance(value, Mapping)}
    listed = ", ".join(repr(key) for key in list(parts)[:30]) or "none"
    if part is not None:
        if part not in parts:
            raise ValueError(f"part={part!r} is not in it; its parts: {listed}")
        return parts[part]
    for key in _WRAPPERS:
        if key in parts:
            return parts[key]
    if parts:
        raise ValueError(f"it holds no state dict, but parts; choose one by part=: {listed}")
    return saved


def _array(value: Any) -> Any:
    """Half precision (bfloat16 counts as a void type in numpy) as float32."""
    if isinstance(value, np.ndarray) and value.dtype.name in ("float16", "bfloat16"):
        return value.astype(np.float32)
    return value


def _read(path: Path, part: str | None) -> Mapping[Any, Any]:
    if path.is_dir():
        return _choose(read_orbax(path), part)
    if not path.is_file():
        raise ValueError("it is not a file, nor an orbax directory")
    if path.suffix == ".safetensors":
        try:
            return _choose(load_file(path), part)
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"it is damaged, or holds an unknown type ({error})") from error
    if path.suffix in (".pth", ".pt"):
        return read_torch_file(path, lambda saved: _choose(saved, part))
    raise ValueError("expected .pth, .pt, .safetensors or an orbax directory")


def read_state_dict(path: str | Path, part: str | None = None) -> dict[str, np.ndarray]:
    """Reads a checkpoint.

    Args:
        path: a `.pth`, `.pt` or `.safetensors` file or an orbax directory; a state dict, bare or
            under `params_ema`, `params` or `state_dict` (in this order of preference), with or
            without the prefix `module.`.
        part: the key under which the state dict stands, where the file holds several.

    Returns:
        Arrays by torch key; half precision comes as float32.

    Raises:
        ValueError: the file does not exist, is damaged, or holds something else.
    """
    path = Path(path)
    try:
        saved = _read(path, part)
        found = {str(key).removeprefix(_PREFIX): _array(value) for key, value in saved.items()}
        odd = [str(key)[:80] for key, value in saved.items() if not isinstance(value, np.ndarray)]
        if odd or not saved:
            raise ValueError(f"it holds no state dict (other entries: {odd[:5]})")
        if len(found) < len(saved):
            raise ValueError(f"it has keys both with and without {_PREFIX!r}")
    except ValueError as error:
        raise ValueError(f"weights={str(path)!r} cannot be read: {error}") from error
    return found
