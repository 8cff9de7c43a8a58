"""Training mode that shows in a function alone: statistics that were learnt and are not used."""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cem_jax import cone as cones
from cem_jax.network.network import Network

_COLLECTIONS = ("params", "batch_stats")
"""What Linen puts before the path of a layer."""


def check_mode(network: Network, shape: tuple[int, ...]) -> None:
    """Refuses a network that normalises by the statistics of its image in place of those it learnt.

    A network that draws random numbers, as dropout does in training mode, is warned of.

    Args:
        network: the network.
        shape: of an image that it takes, [n, h, w, c].

    Raises:
        ValueError: the message names the layers.
    """
    found, _ = jax.tree_util.tree_flatten_with_path(network.params, is_leaf=_is_variable)
    paths = [tuple(_text(key) for key in path) for path, _ in found]
    learnt = [isinstance(leaf, nnx.BatchStat) or "batch_stats" in path
              for path, (_, leaf) in zip(paths, found, strict=True)]  # fmt: skip
    drawn = [isinstance(leaf, nnx.RngKey) for _, leaf in found]
    if not any(learnt) and not any(drawn):
        return
    used = _used(network, shape)
    layers: dict[tuple[str, ...], list[bool]] = {}
    for path, is_learnt, is_used in zip(paths, learnt, used, strict=True):
        if not is_learnt:
            layers.setdefault(_layer(path), []).append(is_used)
    idle = [
        ".".join(_layer(path))
        for path, is_learnt, is_used in zip(paths, learnt, used, strict=True)
        if is_learnt and not is_used and any(layers.get(_layer(path), (True,)))
    ]
    if idle:
        raise ValueError(
            f"network={network.name}: the statistics that {_listed(idle)} learnt are not used, "
            "as in training mode; evaluate it with them: module.eval() before nnx.split, or "
            "use_running_average=True"
        )
    noisy = [".".join(path) for path, d, u in zip(paths, drawn, used, strict=True) if d and u]
    if noisy:
        warnings.warn(
            f"network={network.name}: it draws random numbers by {_listed(noisy)}, as dropout "
            "does in training mode; every image gets the same ones",
            stacklevel=2,
        )


def _listed(names: Sequence[str]) -> str:
    """The first names, each once."""
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - 3} more" if len(different) > 3 else ""
    return ", ".join(different[:3]) + more


def _is_variable(value: Any) -> bool:
    return isinstance(value, nnx.Variable)


def _text(key: Any) -> str:
    """A step of a path into a tree."""
    return str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key))))


def _layer(path: tuple[str, ...]) -> tuple[str, ...]:
    """The layer that a parameter or a statistic belongs to."""
    inner = path[1:] if path[0] in _COLLECTIONS else path
    return inner[:-1]


def _used(network: Network, shape: tuple[int, ...]) -> list[bool]:
    """Of each parameter, whether the output may depend on it."""

    def like(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(np.shape(leaf), jnp.result_type(leaf))

    image = jax.ShapeDtypeStruct(shape, np.float32)
    params = jax.tree.map(like, network.params)
    return cones.used_arguments(network.apply, params, image)[:-1]
