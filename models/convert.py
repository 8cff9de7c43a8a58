"""One generic rule between torch state dicts and NNX states."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from .entry import Misfit
from .layers import Constant, Counter, Told
from .words import listed

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
    return value.transpose((3, 2, 0, 1) if value.ndim == 4 else (1, 0))


def _from_torch_layout(leaf: str, value: np.ndarray) -> np.ndarray:
    if leaf != "kernel":
        return value
    return value.transpose((2, 3, 1, 0) if value.ndim == 4 else (1, 0))


def torch_shapes(state: nnx.State, constants: bool = False) -> dict[str, tuple[int, ...]]:
    """Shapes in torch layout by torch key.

    Args:
        state: a network's, which may be abstract.
        constants: those of the entries that have a defined value, in place of all others.
    """
    shapes = {}
    for path, variable in nnx.to_flat_state(state):
        if isinstance(variable, Constant) is constants and not isinstance(variable, Told):
            stand_in = np.broadcast_to(np.float32(0), variable.shape)
            shapes[torch_key(path)] = _to_torch_layout(str(path[-1]), stand_in).shape
    return shapes


def to_torch(state: nnx.State) -> dict[str, np.ndarray]:
    """A network's state as numpy arrays in torch layout under torch keys."""
    found = {}
    for path, variable in nnx.to_flat_state(state):
        if isinstance(variable, Told):
            continue
        value = _to_torch_layout(str(path[-1]), np.asarray(variable[...]))
        value = value.astype(np.int64) if isinstance(variable, Counter) else value
        found[torch_key(path)] = np.ascontiguousarray(value).reshape(value.shape)
    return found


def without_derived(
    name: str, architecture: Any, config: Mapping[str, Any], state_dict: Mapping[str, Any]
) -> dict[str, Any]:
    """A torch state dict without what follows from the rest: tables, masks, second names.

    Args:
        name: the network's name, for the message.
        architecture: the network's class.
        config: its constructor arguments.
        state_dict: arrays in torch layout under torch keys.

    Raises:
        ValueError: a table or a second name is there with another value; of many, the first are
            named.
    """
    rest, wrong = dict(state_dict), []
    if hasattr(architecture, "tables"):
        for key, value in architecture.tables(**config).items():
            if key in rest and not np.array_equal(rest.pop(key), value):
                wrong.append(key)
    if hasattr(architecture, "aliases"):
        for later, first in architecture.aliases(**config).items():
            if later in rest and not np.array_equal(rest.pop(later), state_dict.get(first, ())):
                wrong.append(later)
    if wrong:
        others = f"other values than {name}'s: {listed(wrong)}"
        raise ValueError(f"state_dict does not fit {name}: {others}")
    return rest


def with_derived(
    architecture: Any, config: Mapping[str, Any], state_dict: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """A state dict with the tables, masks and second names that torch's own code lists too.

    Args:
        architecture: the network's class.
        config: its constructor arguments.
        state_dict: what the network itself stores, in torch layout under torch keys.
    """
    whole = dict(state_dict)
    if hasattr(architecture, "tables"):
        whole.update(architecture.tables(**config))
    if hasattr(architecture, "aliases"):
        aliases = architecture.aliases(**config)
        whole.update({later: whole[first] for later, first in aliases.items()})
    return whole


def fill(
    name: str,
    state: nnx.State,
    state_dict: Mapping[str, Any],
    constants: Callable[[], nnx.State],
) -> nnx.State:
    """Puts a torch state dict into a network's abstract state.

    Args:
        name: the network's name, for the message.
        state: shapes, as `nnx.eval_shape` leaves them.
        state_dict: arrays in torch layout under torch keys.
        constants: gives the defined values of the entries that a state dict may lack.

    Returns:
        The state with float32 arrays.

    Raises:
        Misfit: keys are missing or misshapen; of many, the first are named.
        ValueError: other keys stand beside those that fit, or weights are whole numbers.
    """
    wanted = {torch_key(path): (path, leaf) for path, leaf in nnx.to_flat_state(state)}
    told = {key for key, (_, leaf) in wanted.items() if isinstance(leaf, Told)}
    optional = told | {key for key, (_, leaf) in wanted.items() if isinstance(leaf, Constant)}
    missing = [key for key in wanted if key not in state_dict and key not in optional]
    unexpected = [key for key in state_dict if key not in wanted or key in told]
    values, misshapen = {}, []
    for key, (path, leaf) in wanted.items():
        if key not in state_dict:
            continue
        kind = np.asarray(state_dict[key]).dtype
        if kind.kind in "iub" and not isinstance(leaf, Constant):
            raise ValueError(
                f"state_dict does not fit {name}: {key} is of type {kind}, as quantised weights "
                "are; expected floating-point numbers"
            )
        value = np.asarray(state_dict[key], np.float32)
        fits = value.ndim == len(leaf.shape)
        value = _from_torch_layout(str(path[-1]), value) if fits else value
        if value.shape == tuple(leaf.shape):
            values[key] = value
        else:
            misshapen.append(f"{key} {np.shape(state_dict[key])}")
    problems = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    if any(problems.values()):
        listing = "; ".join(f"{what}: {listed(keys)}" for what, keys in problems.items() if keys)
        if missing or misshapen:
            raise Misfit(f"state_dict does not fit {name}: {listing}")
        raise ValueError(f"state_dict does not fit {name}: {listing}; leave out what is no weight")
    if len(values) < len(wanted):
        defined = {
            torch_key(p): np.asarray(leaf[...]) for p, leaf in nnx.to_flat_state(constants())
        }
        values = {key: values[key] if key in values else defined[key] for key in wanted}
    leaves = [
        (path, leaf.replace(jnp.asarray(values[key]))) for key, (path, leaf) in wanted.items()
    ]
    return nnx.from_flat_state(leaves)
