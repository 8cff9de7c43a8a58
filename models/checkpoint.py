"""State dicts from files: numpy arrays in torch layout under torch keys."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .layout import arrays, without_prefixes
from .orbax_file import read_orbax
from .torch_file import read_torch_file
from .words import listed, quoted

_WRAPPERS = (
    "params_ema", "params", "state_dict", "model_state_dict", "model_state", "model", "network",
    "net", "generator", "netG", "net_g", "module", "model_ema", "ema", "ema_state_dict", "g_ema",
    "weights", "shadow",
)  # fmt: skip
"""Keys under which training codes put the state dict, the preferred one first."""

_AVERAGES = re.compile("(^|_)(ema|swa|shadow|averaged?)(_|$)")
"""In names of parts that hold averages of the weights over training."""

TORCH_FILES = (".pth", ".pt", ".ckpt", ".tar", ".bin")
"""Endings of files that `torch.save` writes: also Lightning's, `.pth.tar` and Hugging Face's."""

_ELSEWHERE = {
    ".onnx": "an ONNX file is a whole network: cem.wrap_onnx(path) or --module PATH takes it",
    ".npz": "cem.from_torch(name, dict(numpy.load(path))) takes arrays by torch key",
    ".py": "a file of Python is a network's code: --module FILE.py:FUNCTION takes it",
}  # fmt: skip
"""What takes files that hold something else."""

_DEEPEST = 8
"""Such keys within one another."""


def _parts(saved: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    return {str(key): value for key, value in saved.items() if isinstance(value, Mapping)}


def _choose(saved: Mapping[Any, Any], part: str | None) -> Mapping[Any, Any]:
    """The state dict within what was saved."""
    if part is not None:
        saved = _part(saved, part)
    for _ in range(_DEEPEST):
        parts = _parts(saved)
        if not parts:
            return saved
        wrapper = next((key for key in _WRAPPERS if key in parts), None)
        if wrapper is None:
            names = listed(map(repr, parts), 30)
            raise ValueError(f"it holds no state dict, but parts; choose one by part=: {names}")
        averages = [key for key in parts if key != wrapper and _AVERAGES.search(key.lower())]
        if averages and not _AVERAGES.search(wrapper):
            both = listed(map(repr, [wrapper, *averages]))
            raise ValueError(f"it holds weights and their averages; choose one by part=: {both}")
        saved = parts[wrapper]
    raise ValueError(f"its parts hold one another more than {_DEEPEST} times")


def _part(saved: Mapping[Any, Any], part: str) -> Mapping[Any, Any]:
    """One of several state dicts: under a key of its own, or before the dot of all its keys."""
    parts = _parts(saved)
    if part in parts:
        return parts[part]
    keys = {key: str(key).partition(".") for key in saved}
    own = {rest: saved[key] for key, (first, dot, rest) in keys.items() if dot and first == part}
    if own:
        return own
    names = listed(
        map(repr, parts or dict.fromkeys(first for first, dot, _ in keys.values() if dot)), 30
    )
    raise ValueError(f"part={quoted(part)} is not in it; its parts: {names or 'none'}")


def _read(path: Path, part: str | None) -> Mapping[Any, Any]:
    if path.is_dir():
        return _choose(read_orbax(path), part)
    if not path.is_file():
        raise ValueError("it is not a file, nor an orbax directory")
    ending = path.suffix.lower()
    if ending == ".safetensors":
        try:
            return _choose(load_file(path), part)
        except (SafetensorError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"it is damaged, or holds an unknown type ({error})") from error
    if ending in TORCH_FILES:
        return read_torch_file(path, lambda saved: _choose(saved, part))
    expected = f"expected {listed(TORCH_FILES)}, .safetensors or an orbax directory"
    elsewhere = _ELSEWHERE.get(ending)
    raise ValueError(f"{expected}; {elsewhere}" if elsewhere else expected)


def read_state_dict(path: str | Path, part: str | None = None) -> dict[str, np.ndarray]:
    """Reads a checkpoint.

    Args:
        path: a `.pth`, `.pt`, `.ckpt`, `.pth.tar`, `.bin` or `.safetensors` file or an orbax
            directory; a state dict, bare or under `params_ema`, `params`, `state_dict` and the
            like (in this order of preference); what training codes put before every key
            (`module.`, `netG.`) is taken away.
        part: the key under which the state dict stands, where the file holds several, or what
            stands before the dot of its keys.

    Returns:
        Arrays by torch key; half precision comes as float32.

    Raises:
        ValueError: the file does not exist, is damaged, or holds something else; or averages of the
            weights beside them, and no part is chosen.
    """
    path = Path(path)
    try:
        return without_prefixes(arrays(_read(path, part)))
    except ValueError as error:
        raise ValueError(f"weights={str(path)!r} cannot be read: {error}") from error
