"""Every network by name: what it is, and how it is built from a state dict."""

import dataclasses
import difflib
import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from . import (
    adnet,
    bsrn,
    carn,
    compact,
    craft,
    csnln,
    dctlsa,
    ddbpn,
    dncnn,
    drln,
    drrn,
    drunet,
    edsr,
    espcn,
    ffdnet,
    fsrcnn,
    hat,
    hinet,
    hitsr,
    imdn,
    ircnn,
    lapsrn,
    mirnetv2,
    mprnet,
    msrn,
    pan,
    prenet,
    rcan,
    restormer,
    rfdn,
    ridnet,
    rlfn,
    rnan,
    rrdbnet,
    sadnet,
    safmn,
    san,
    scunet,
    span,
    srcnn,
    srdensenet,
    srresnet,
    swinir,
    xrestormer,
)
from .convert import fill, with_derived, without_derived
from .convert import to_torch as stored
from .entry import Entry
from .layers import Buffer, Constant

_MODULES = (
    adnet,
    bsrn,
    carn,
    compact,
    craft,
    csnln,
    dctlsa,
    ddbpn,
    dncnn,
    drln,
    drrn,
    drunet,
    edsr,
    espcn,
    ffdnet,
    fsrcnn,
    hat,
    hinet,
    hitsr,
    imdn,
    ircnn,
    lapsrn,
    mirnetv2,
    mprnet,
    msrn,
    pan,
    prenet,
    rcan,
    restormer,
    rfdn,
    ridnet,
    rlfn,
    rnan,
    rrdbnet,
    sadnet,
    safmn,
    san,
    scunet,
    span,
    srcnn,
    srdensenet,
    srresnet,
    swinir,
    xrestormer,
)
_FACTORS = ("factor", "factors", "scale_factor", "upscaling_factor", "upscale", "scale")
"""What the papers' code calls the argument for the output pixels per input pixel."""
_ENTRIES: dict[str, Entry] = {entry.name: entry for m in _MODULES for entry in m.ENTRIES}


@dataclasses.dataclass(frozen=True)
class Description:
    """Facts about a network.

    Args:
        name: its public name.
        tasks: "SR", "DN", "DR".
        scale: output pixels per input pixel.
        parameters: number of values that a checkpoint holds, mean shifts included; buffers such
            as the statistics of batch normalisation are not.
        size_multiple: sides of the input that the architecture needs; others are padded.
        size_minimum: shortest side that the architecture takes; shorter ones are padded.
        receptive_radius: farthest input pixel that reaches an output pixel; None if global.
        global_operations: operations that look at the whole image.
        official_files: names of the checkpoint files that its authors publish.
        published_at: where they publish them.
        bundled: whether weights come with the package.
        licence: note on the weights' licence.
    """

    name: str
    tasks: tuple[str, ...]
    scale: int
    parameters: int
    size_multiple: int
    size_minimum: int
    receptive_radius: int | None
    global_operations: tuple[str, ...]
    official_files: tuple[str, ...]
    published_at: str
    bundled: bool
    licence: str


def names() -> tuple[str, ...]:
    """The names of all networks.

    Returns:
        They, sorted.
    """
    return tuple(sorted(_ENTRIES))


def find(name: str) -> Entry:
    """The entry of a name.

    Args:
        name: one of `names()`.

    Returns:
        What the registry holds of it.

    Raises:
        ValueError: there is none; the nearest names are given.
    """
    if name in _ENTRIES:
        return _ENTRIES[name]
    by_lower = {known.lower(): known for known in _ENTRIES}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=3, cutoff=0.4)
    hint = ", ".join(by_lower[key] for key in near) or ", ".join(names())
    raise ValueError(f"name={name!r} is not a known network; nearest: {hint}")


@functools.cache
def describe(name: str) -> Description:
    """Facts about a network.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: the name is unknown.
    """
    entry = find(name)
    _, state = abstract(entry.architecture, entry.config)
    counted = nnx.All(nnx.Any(nnx.Param, Constant), nnx.Not(Buffer))
    state = nnx.filter_state(state, counted)
    shared = {f.name: getattr(entry, f.name) for f in dataclasses.fields(Description)
              if hasattr(entry, f.name)}  # fmt: skip
    return Description(
        **shared,
        parameters=sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(state)),
        receptive_radius=entry.architecture.receptive_radius(**entry.config),
    )


class _ShapesOnly:
    """Stands for `nnx.Rngs` where no value matters: `Rngs` is slow to trace in deep networks."""

    def __init__(self) -> None:
        self._key = jax.random.key(0)

    def params(self) -> jax.Array:
        return self._key


@functools.lru_cache(maxsize=128)
def _abstract(architecture: Any, config: tuple[tuple[str, Any], ...]) -> tuple[Any, nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: architecture(**dict(config), rngs=_ShapesOnly())))


def abstract(architecture: Any, config: Mapping[str, Any]) -> tuple[Any, nnx.State]:
    """A network's static definition, and its state with shapes in place of arrays.

    Nothing is allocated.

    Args:
        architecture: the network's class.
        config: its constructor arguments.
    """
    return _abstract(architecture, tuple(config.items()))


@dataclasses.dataclass(frozen=True)
class Built:
    """A network filled with weights.

    Args:
        graph: its static definition.
        state: its arrays.
        scale: output pixels per input pixel, for the arguments found in the weights.
        receptive_radius: in input pixels, for the arguments found in the weights.
        config: these arguments.
    """

    graph: Any
    state: Any
    scale: int
    receptive_radius: int | None
    config: Mapping[str, Any]


def build(name: str, state_dict: Mapping[str, Any]) -> Built:
    """Builds a network from a torch state dict.

    The constructor's arguments are read off the tensors' shapes.

    Args:
        name: one of `names()`.
        state_dict: arrays in torch layout under torch keys.

    Raises:
        ValueError: the name is unknown, or keys are missing, unexpected or misshapen; all are
            listed.
    """
    entry = find(name)
    if hasattr(entry.architecture, "translated"):
        state_dict = entry.architecture.translated(state_dict)
    shapes = {key: tuple(np.shape(value)) for key, value in state_dict.items()}
    try:
        config = {**entry.config, **entry.architecture.config(shapes)}
    except (KeyError, ValueError, IndexError):
        config = dict(entry.config)  # the listing of keys below tells what does not fit
    constants = jax.jit(
        lambda: nnx.state(entry.architecture(**config, rngs=_ShapesOnly()), nnx.Not(nnx.Param))
    )
    graph, state = abstract(entry.architecture, config)
    own = without_derived(name, entry.architecture, config, state_dict)
    state = fill(name, state, own, constants)
    scale = next((config[name] for name in _FACTORS if name in config), entry.scale)
    return Built(graph, state, scale, entry.architecture.receptive_radius(**config), config)


def to_torch(name: str, state: Any, config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The torch state dict that the official code loads strictly: the inverse of `build`.

    Args:
        name: one of `names()`.
        state: a network's arrays.
        config: its constructor arguments.

    Returns:
        Arrays in torch layout under torch keys, tables and second names included.

    Raises:
        ValueError: the name is unknown.
    """
    return with_derived(find(name).architecture, config, stored(state))


def bundled_weights(name: str) -> Path | None:
    """The file of weights that comes with the package.

    Args:
        name: one of `names()`.

    Returns:
        Its path, or None.

    Raises:
        ValueError: the name is unknown.
    """
    if not find(name).bundled:
        return None
    return (
        Path(str(resources.files(__name__.rpartition(".")[0]))) / "weights" / f"{name}.safetensors"
    )
