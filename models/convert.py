"""One generic rule between torch state dicts and NNX states."""

import math
from typing import Any

import jax
import numpy as np
from flax import nnx

_LEAF = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
"""Names that differ: ours -> torch's. All others are the same on both sides."""


def torch_key(path: tuple[Any, ...]) -> str:
    """The torch key of an NNX state path: `body.0.conv1.kernel` -> `body.0.conv1.weight`."""
    *modules, leaf = (str(part) for part in path)
    return ".".join([*modules, _LEAF.get(leaf, leaf)])


def _to_torch_layout(leaf: str, value: np.ndarray) -> np.ndarray:
    """HWIO -> OIHW for convolutions, [in, out] -> [out, in] for linear layers."""
    if leaf != "kernel":
        return value
    axes = (3, 2, 0, 1) if value.ndim == 4 else (1, 0)
    return np.ascontiguousarray(value.transpose(axes))


def _from_torch_layout(leaf: str, value: np.ndarray) -> np.ndarray:
    if leaf != "kernel":
        return value
    return value.transpose((2, 3, 1, 0) if value.ndim == 4 else (1, 0))


def to_torch(state: nnx.State) -> dict[str, np.ndarray]:
    """A network's state as numpy arrays in torch layout under torch keys."""
    return {
        torch_key(path): _to_torch_layout(str(path[-1]), np.asarray(variable[...]))
        for path, variable in nnx.to_flat_state(state)
    }
