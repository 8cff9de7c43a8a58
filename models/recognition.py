"""Which network a state dict belongs to."""

import functools
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .checkpoint import read_state_dict
from .convert import torch_shapes, without_derived
from .entry import Entry
from .facts import bundled_weights
from .families import family
from .layout import arrays, without_prefixes, without_root
from .registry import (
    CHANNELS,
    abstract,
    arguments,
    config_of,
    default,
    entries,
    find,
    weights_of,
)
from .words import listed

_OUTPUTS = ("out_nc", "num_out_ch", "out_channels", "output_channel")
"""What the papers' code calls the argument for the channels of the output."""
_ODD_KEYS = 3
"""So many keys that are missing, unexpected or misshapen are single ones."""
_MOST_PARTS = 8
"""Names before the keys of one file, up to which each is tried as a network of its own."""
_OWN = "cem.wrap_torch takes the authors' own module"


@functools.lru_cache(maxsize=1)
def _by_architecture() -> dict[Any, list[Entry]]:
    """The named networks of every architecture."""
    found: dict[Any, list[Entry]] = {}
    for entry in entries():
        found.setdefault(entry.architecture, []).append(entry)
    return found


_EXACT, _BUT_FOR_CHANNELS, _OF_OTHER_SIZES = range(3)
"""How near a state dict is to what is published under a name."""


def _distance(entry: Entry, config: Mapping[str, Any]) -> int:
    """How near arguments that were read off tensors are to those of a name, up to rounding."""
    told = {one.keyword for one in arguments(entry.architecture)}

    def same(keyword: str) -> bool:
        one, other = config[keyword], default(entry, keyword)
        if isinstance(one, float) and isinstance(other, int | float):
            return math.isclose(one, other, rel_tol=0.01)
        return one == other

    other = {keyword for keyword in config if keyword not in told and not same(keyword)}
    if not other:
        return _EXACT
    return _BUT_FOR_CHANNELS if other <= {*CHANNELS, *_OUTPUTS} else _OF_OTHER_SIZES


class _Read(NamedTuple):
    """A state dict read as a network of some name: the network, its arguments, and all shapes."""

    graph: Any
    config: Mapping[str, Any]
    found: Mapping[str, tuple[int, ...]]
    wanted: Mapping[str, tuple[int, ...]]


def _read(entry: Entry, state_dict: Mapping[str, np.ndarray]) -> _Read | None:
    """A state dict as a network of a name; None if its arguments cannot be read off it."""
    architecture = entry.architecture
    try:
        weights = weights_of(architecture, state_dict)
        config = config_of(entry, weights)
        graph, state = abstract(architecture, config)
        own = without_derived(entry.name, architecture, config, weights)
    except (KeyError, ValueError, IndexError, TypeError, ZeroDivisionError):
        return None  # of another architecture, whose tensors it reads for its own
    constants = torch_shapes(state, constants=True)
    shapes = {key: value.shape for key, value in own.items() if key not in constants}
    return _Read(graph, config, shapes, torch_shapes(state))


def _filled(
    entry: Entry, state_dict: Mapping[str, np.ndarray]
) -> tuple[Any, Mapping[str, Any]] | None:
    """The network of a name that a state dict fills to the last tensor, and its arguments.

    None if it fills none.
    """
    read = _read(entry, state_dict)
    return None if read is None or read.found != read.wanted else (read.graph, read.config)


def _is_bundled(entry: Entry, state_dict: Mapping[str, np.ndarray]) -> bool:
    """Whether these are the very weights that come with the package."""
    path = bundled_weights(entry.name)
    if path is None:
        return False
    own = read_state_dict(path)
    return own.keys() == state_dict.keys() and all(
        np.array_equal(own[key], value) for key, value in state_dict.items()
    )


def _groups(state_dict: Mapping[str, Any]) -> list[tuple[int, list[str]]]:
    """The names that fit, those of one network together, and how near the nearest of them is.

    Bundled networks are variants of others, which their weights alone tell.
    """
    weights = without_prefixes(arrays(state_dict))
    groups = []
    for several in _by_architecture().values():
        fitting: dict[Any, list[tuple[int, str]]] = {}
        for entry in several:
            if (network := _filled(entry, weights)) is None:
                continue
            graph, config = network
            if not entry.bundled:
                fitting.setdefault(graph, []).append((_distance(entry, config), entry.name))
            elif _is_bundled(entry, weights):
                return [(_EXACT, [entry.name])]
        for named in fitting.values():
            named.sort(key=lambda one: one[0])
            groups.append((named[0][0], [name for _, name in named]))
    bare = None if groups else without_root(weights)
    return groups if bare is None else _groups(bare)


def recognise(state_dict: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks that a state dict fills, by its keys and shapes.

    Args:
        state_dict: arrays by torch key.

    Returns:
        Their names, those first that are published in these very sizes; none if it fills none.

    Raises:
        ValueError: it holds something else than arrays of numbers.
    """
    groups = sorted(_groups(state_dict), key=lambda group: group[0])
    return tuple(name for _, group in groups for name in group)


def _as_told(name: str, told: Mapping[str, Any]) -> bool:
    """Whether a named network is, without being told, what is told."""
    entry = find(name)
    keywords = {one.name: one.keyword for one in arguments(entry.architecture)}
    return all(key in keywords and default(entry, keywords[key]) == told[key] for key in told)


def choose(state_dict: Mapping[str, Any], **told: Any) -> str:
    """The network that a state dict belongs to.

    Args:
        state_dict: arrays by torch key.
        **told: what the weights do not tell, by which names of different networks are told apart.

    Returns:
        Its name; of several names for one and the same network, the first.

    Raises:
        ValueError: it fits no network of the zoo, or several that differ in what its tensors do
            not tell.
    """
    groups = _groups(state_dict)
    fitting = [group for _, group in groups]
    nearest = min((distance for distance, _ in groups), default=_OF_OTHER_SIZES)
    near = [group for distance, group in groups if distance == nearest < _OF_OTHER_SIZES]
    fitting = near if len(near) == 1 else fitting
    if len(fitting) > 1 and told:
        fitting = [group for group in fitting if _as_told(group[0], told)] or fitting
    if len(fitting) == 1:
        return fitting[0][0]
    if fitting:
        first = [group[0] for group in fitting]
        tells = {one.name for name in first for one in arguments(find(name).architecture)}
        raise ValueError(
            f"its tensors fit {listed(first, 20)}, which are different networks; name one, "
            f"cem.load({first[0]!r}, path)"
            + (f", or tell which by {listed(sorted(tells))}" if tells else "")
        )
    if parts := _fitting_parts(state_dict):
        raise ValueError(f"it holds several networks; choose one by part=: {listed(parts)}")
    known = (not _in_parts(state_dict) and _nearly(state_dict)) or _relative(state_dict)
    raise ValueError(known or f"it fits no network of the zoo; {_OWN}")


def _fitting_parts(state_dict: Mapping[str, Any]) -> list[str]:
    """What stands before the keys of those of several networks that the zoo or families know."""
    parts: dict[str, dict[str, Any]] = {}
    for key, value in state_dict.items():
        first, dot, rest = str(key).partition(".")
        if dot:
            parts.setdefault(first, {})[rest] = value
    if not 1 < len(parts) <= _MOST_PARTS:
        return []
    return [repr(name) for name, own in parts.items() if _groups(own) or _relative(own)]


_PARTS = re.compile(r"\.(weight_g|weight_orig|parametrizations\..*)$")
"""Keys of a weight that is written as what it is computed from."""

_WHOLE = (
    "its weights are written in parts, as weight_norm and spectral_norm do: call on the layers "
    "torch.nn.utils.remove_weight_norm, remove_spectral_norm or "
    "parametrize.remove_parametrizations, and save it again"
)


def _relative(state_dict: Mapping[str, Any]) -> str:
    """The family of a state dict that fits no network, and the way out; empty if unknown."""
    found = family(without_prefixes(state_dict))
    if found:
        return f"it is {found}; {_OWN}"
    return _WHOLE if _in_parts(state_dict) else ""


def _in_parts(state_dict: Mapping[str, Any]) -> bool:
    return any(_PARTS.search(str(key)) for key in state_dict)


def _nearly(state_dict: Mapping[str, Any]) -> str:
    """The network that a state dict fills but for a few keys, and these; empty if there is none."""
    weights = without_prefixes(arrays(state_dict))
    best: list[tuple[int, str, str]] = []
    for several in _by_architecture().values():
        for entry in several:
            if entry.bundled or (read := _read(entry, weights)) is None:
                continue
            parts = {
                "missing": [key for key in read.wanted if key not in read.found],
                "unexpected": [key for key in read.found if key not in read.wanted],
                "misshapen": [
                    f"{key} {shape}"
                    for key, shape in read.found.items()
                    if read.wanted.get(key, shape) != shape
                ],
            }
            count = sum(map(len, parts.values()))
            if count <= min(_ODD_KEYS, len(read.wanted) // 4):
                told = "; ".join(f"{what}: {listed(keys)}" for what, keys in parts.items() if keys)
                best.append((count, entry.name, told))
    if not best:
        return ""
    _, name, told = min(best)
    return f"it would be {name} but for single keys ({told}); {_OWN}"


def hint(name: str, state_dict: Mapping[str, Any]) -> str:
    """What helps where a state dict does not fit a network, in words.

    Args:
        name: the network that was named.
        state_dict: arrays by torch key.

    Returns:
        The networks that it fits instead, or what it is recognised as; empty if nothing is.
    """
    names = recognise(state_dict)
    if names and name not in names:
        return f"it fits {listed(names, 3)}"
    return _relative(state_dict)
