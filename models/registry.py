"""Every network by name: what it is, and how it is built from a state dict."""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
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
    srvgg,
    swinir,
    xrestormer,
)
from .argument import Argument, ArgumentFacts, keywords
from .convert import fill, with_derived, without_derived
from .convert import to_torch as stored
from .entry import Entry, OtherVariant
from .facts import Description, describe
from .layers import Buffer, Constant
from .layout import arrays, without_prefixes

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
    srvgg,
    swinir,
    xrestormer,
)
_FACTORS = ("factor", "factors", "scale_factor", "upscaling_factor", "upscale", "scale")
"""What the papers' code calls the argument for the output pixels per input pixel."""
CHANNELS = (
    "num_channels", "in_nc", "in_chans", "num_in_ch", "inp_channels", "in_chn", "input_channel",
    "n_colors", "in_channels", "channels", "colours",
)  # fmt: skip
"""What the papers' code calls the argument for the channels of the image."""
_ENTRIES: dict[str, Entry] = {entry.name: entry for m in _MODULES for entry in m.ENTRIES}


def entries() -> tuple[Entry, ...]:
    """The entries of all networks, sorted by name."""
    return tuple(_ENTRIES[name] for name in sorted(_ENTRIES))


def find(name: str) -> Entry:
    """The entry of a name.

    Args:
        name: one of `names()`.

    Returns:
        What the registry holds of it.

    Raises:
        ValueError: there is none; the nearest names are given.
    """
    if isinstance(name, str) and name in _ENTRIES:
        return _ENTRIES[name]
    return _ENTRIES[describe(name).name]


def arguments(architecture: Any) -> tuple[Argument, ...]:
    """What an architecture's shapes leave open."""
    return getattr(architecture, "arguments", ())


def check_arguments(name: str, told: Mapping[str, Any]) -> None:
    """Refuses what a network cannot be told, before its weights are read.

    Args:
        name: one of `names()`.
        told: values by name, as `cem.load` takes them.

    Raises:
        ValueError: the name or an argument is unknown, or a value is not accepted.
    """
    keywords(name, arguments(find(name).architecture), told)


def default(entry: Entry, keyword: str) -> Any:
    """A constructor argument as a named network has it."""
    parameters = inspect.signature(entry.architecture.__init__).parameters
    return entry.config[keyword] if keyword in entry.config else parameters[keyword].default


def described(entry: Entry) -> Description:
    """The facts about a network, from its architecture; `describe` has them from a file.

    Args:
        entry: what the registry holds of it.
    """
    _, state = abstract(entry.architecture, entry.config)
    counted = nnx.All(nnx.Any(nnx.Param, Constant), nnx.Not(Buffer))
    state = nnx.filter_state(state, counted)
    shared = {f.name: getattr(entry, f.name) for f in dataclasses.fields(Description)
              if hasattr(entry, f.name)}  # fmt: skip
    told = tuple(
        ArgumentFacts(one.name, one.meaning, default(entry, one.keyword), one.accepted)
        for one in arguments(entry.architecture)
    )
    return Description(
        **shared,
        arguments=told,
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
    return _abstract(architecture, tuple(sorted(config.items())))


@dataclasses.dataclass(frozen=True)
class Built:
    """A network filled with weights.

    Args:
        graph: its static definition.
        state: its arrays.
        scale: output pixels per input pixel, for the arguments found in the weights.
        receptive_radius: in input pixels, for the arguments found in the weights.
        config: these arguments.
        channels: channels of the image.
        size_multiple: sides of the input that it needs; others are padded.
        anchor: period of its own grid in input pixels; None if it has no crops.
    """

    graph: Any
    state: Any
    scale: int
    receptive_radius: int | None
    config: Mapping[str, Any]
    channels: int
    size_multiple: int
    anchor: int | None


def weights_of(architecture: Any, state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A state dict under the architecture's own keys, whatever training code wrote it.

    Args:
        architecture: the network's class.
        state_dict: arrays in torch layout under torch keys.

    Raises:
        ValueError: it holds something else than arrays of numbers.
    """
    found = without_prefixes(arrays(state_dict))
    return architecture.translated(found) if hasattr(architecture, "translated") else found


def config_of(entry: Entry, weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Constructor arguments: those of a name, then what the weights tell.

    Args:
        entry: the name's.
        weights: from `weights_of`.

    Raises:
        OtherVariant: they are of a variant that the architecture does not compute.
        KeyError, ValueError, IndexError: they are of something else.
    """
    architecture = entry.architecture
    found = architecture.config({key: value.shape for key, value in weights.items()})
    if hasattr(architecture, "found"):
        found = {**found, **architecture.found(weights)}
    return {**entry.config, **found}


def _of(names: tuple[str, ...], architecture: Any, config: Mapping[str, Any], other: int) -> int:
    """A whole number among constructor arguments, whatever the architecture calls it."""
    parameters = inspect.signature(architecture.__init__).parameters
    for name in names:
        if name in config or name in parameters:
            return config[name] if name in config else parameters[name].default
    return other


def build(name: str, state_dict: Mapping[str, Any], **told: Any) -> Built:
    """Builds a network from a torch state dict.

    The constructor's arguments are read off the tensors' shapes, and off their values where these
    tell them.

    Args:
        name: one of `names()`.
        state_dict: arrays in torch layout under torch keys; what training codes put before every
            key and other known layouts of the network are read too.
        **told: what shapes leave open, see `describe(name).arguments`.

    Raises:
        ValueError: the name or an argument is unknown, or keys are missing, unexpected or
            misshapen; of many, the first are named.
    """
    entry = find(name)
    architecture = entry.architecture
    given = keywords(name, arguments(architecture), told)
    try:
        weights = weights_of(architecture, state_dict)
    except ValueError as error:
        raise ValueError(f"state_dict: {error}") from error
    try:
        config = config_of(entry, weights)
    except OtherVariant as error:
        raise ValueError(
            f"state_dict is of another variant of {name}: {error}; "
            "cem.wrap_torch takes the authors' own module"
        ) from error
    except (KeyError, ValueError, IndexError):
        config = dict(entry.config)  # the listing of keys below tells what does not fit
    config |= given
    constants = jax.jit(
        lambda: nnx.state(architecture(**config, rngs=_ShapesOnly()), nnx.Not(nnx.Param))
    )
    graph, state = abstract(architecture, config)
    state = fill(name, state, without_derived(name, architecture, config, weights), constants)
    if hasattr(architecture, "needed") and (why := architecture.needed(given, **config)):
        raise ValueError(f"{name}: {why}")
    if hasattr(architecture, "factor"):
        scale = architecture.factor(**config)
    else:
        scale = _of(_FACTORS, architecture, config, entry.scale)
    multiple, anchor = entry.size_multiple, entry.anchor
    if hasattr(architecture, "period"):
        period = architecture.period(**config)
        multiple = period if multiple > 1 else 1
        anchor = None if anchor is None else period
    return Built(
        graph,
        state,
        scale,
        architecture.receptive_radius(**config),
        config,
        _of(CHANNELS, architecture, config, 3),
        multiple,
        None if anchor is None else max(multiple, anchor),
    )


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
