"""Networks of the zoo from weights and files, and back; files alone are recognised."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cem_jax import models
from cem_jax.arguments import as_text
from cem_jax.models.checkpoint import TORCH_FILES
from cem_jax.models.entry import Misfit
from cem_jax.models.layout import without_root
from cem_jax.models.recognition import hint
from cem_jax.models.words import listed
from cem_jax.network.module import Module
from cem_jax.network.network import Network, Padded, file_source, of_any_size
from cem_jax.network.spandrel import from_spandrel
from cem_jax.plain_text import quoted, reason
from cem_jax.store.objects import AnyPath, as_place, local_copy


def from_torch(name: str, state_dict: Mapping[str, Any], **arguments: Any) -> Network:
    """A network of the zoo with weights from a torch state dict.

    Args:
        name: one of `models.names()`.
        state_dict: arrays in torch layout under torch keys; what training codes put before every
            key (`module.`, `netG.`) is taken away, and older layouts of a network are read.
        **arguments: what the weights do not tell, see `models.describe(name).arguments`:
            `res_scale`, `range`, `scale`, `iterations`, `noise_level`.

    Raises:
        ValueError: the name or an argument is unknown, or keys are missing, unexpected or
            misshapen; of many, the first are named.
    """
    entry = models.find(name)
    try:
        built = _built(name, state_dict, arguments)
    except Misfit as error:
        said = hint(name, state_dict)
        raise ValueError(f"{error}; {said}" if said else str(error)) from error
    facts = (built.receptive_radius, built.anchor)
    module = Module(built.graph, tuple(built.config.items()), name, facts)
    apply = of_any_size(module, built.scale, built.size_multiple, entry.size_minimum)
    told = "noise_level" in arguments
    return Network(
        name, apply, built.state, built.scale, built.receptive_radius, built.anchor,
        built.channels, built.config["noise_level"] if told else None,
    )  # fmt: skip


def _built(name: str, state_dict: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
    """A network of the zoo with its weights, also where they stand under one more attribute."""
    try:
        return models.build(name, state_dict, **arguments)
    except Misfit as error:
        bare = without_root(state_dict)
        if bare is None:
            raise
        try:
            return _built(name, bare, arguments)
        except ValueError:
            raise error from None


def has_known_facts(network: Network) -> bool:
    """Whether radius and anchor are those of the zoo's registry, which its tests hold true."""
    apply = network.apply.apply if isinstance(network.apply, Padded) else network.apply
    facts = (network.receptive_radius, network.anchor)
    return isinstance(apply, Module) and apply.facts == facts


def to_torch(network: Network) -> dict[str, np.ndarray]:
    """The torch state dict of a network of the zoo, as its official code loads it strictly.

    Args:
        network: from `load` or `from_torch`.

    Returns:
        Arrays in torch layout under torch keys, tables and second names included.

    Raises:
        ValueError: the network is not one of the zoo.
    """
    apply = getattr(network, "apply", None)
    apply = apply.apply if isinstance(apply, Padded) else apply
    if not isinstance(apply, Module) or apply.config is None or apply.zoo is None:
        named = getattr(network, "name", type(network).__name__)
        raise ValueError(f"network={named}: expected one from cem.load or cem.from_torch")
    return models.to_torch(apply.zoo, network.params, dict(apply.config))


_FILES = (*TORCH_FILES, ".safetensors")


def load(
    name: str | AnyPath,
    weights: str | AnyPath | None = None,
    *,
    part: str | None = None,
    label: str | None = None,
    **arguments: Any,
) -> Network:
    """A network of the zoo with its weights.

    Args:
        name: one of `models.names()`; or a file or directory as in `weights`, whose network is
            recognised by its tensors: one of the zoo's, else one that spandrel knows, if
            `cem-jax[torch]` is installed.
        weights: a `.pth`, `.pt`, `.ckpt`, `.pth.tar`, `.bin` or `.safetensors` file or an orbax
            directory; None takes the bundled weights.
        part: the key of the state dict that is wanted, where the file holds several, or what stands
            before the dot of its keys.
        label: what the network is called in tables and records; by default by its name and that of
            the file.
        **arguments: what the weights do not tell, see `models.describe(name).arguments`:
            `res_scale`, `range`, `scale`, `iterations`, `noise_level`.

    Raises:
        ValueError: the name or an argument is unknown, the file is unreadable or does not fit, is
            not recognised or fits several networks, or no weights are bundled (the message says
            which official file fits and where it is published).

    Examples:
        >>> import cem_jax as cem
        >>> cem.load("DnCNN-compact")
        Network(name='DnCNN-compact', scale=1, receptive_radius=12, anchor=1)
        >>> facts = cem.models.describe("DnCNN")
        >>> facts.official_files, facts.published_at
        (('dncnn_color_blind.pth',), 'github.com/cszn/KAIR')
    """
    if weights is None and _is_path(name):
        file = _local("name", name)
        state_dict = models.read_state_dict(file, part)
        try:
            found = models.choose(state_dict, **arguments)
        except ValueError as error:
            if models.recognise(state_dict):
                raise ValueError(f"name={quoted(str(name))}: {error}") from error
            network = _beyond_the_zoo(name, state_dict, error)
            if arguments:
                raise ValueError(
                    f"{listed(arguments)}: {network.name} is built by spandrel, which is "
                    "told nothing; cem.wrap_torch takes the authors' own module"
                ) from None
            return _named(network, label or as_place(name).stem, file)
        network = from_torch(found, state_dict, **arguments)
        return _named(network, label or f"{found} {as_place(name).stem}", file)
    name = as_text("name", name)
    path = models.bundled_weights(name) if weights is None else _local("weights", weights)
    if path is None:
        facts = models.describe(name)
        files = " or ".join(facts.official_files) or "no official file is known"
        raise ValueError(
            f"weights=None: {name} has no bundled weights; pass the path of {files}"
            + (f" (published at {facts.published_at})" if facts.published_at else "")
        )
    network = from_torch(name, models.read_state_dict(path, part), **arguments)
    if weights is None:
        return _named(network, label or name, path)
    return _named(network, label or f"{name} {as_place(weights).stem}", path)


def _local(argument: str, path: str | AnyPath) -> Path:
    """A file of weights on this machine.

    Raises:
        ValueError: there is no such object, or its store does not answer.
    """
    try:
        return local_copy(as_place(path, argument))
    except OSError as error:
        raise ValueError(
            f"{argument}={quoted(str(path))} cannot be read: {reason(error)}"
        ) from error


def _is_path(name: str | AnyPath) -> bool:
    """Whether a first argument of `load` means a file."""
    if isinstance(name, AnyPath):
        return True
    if not isinstance(name, str):
        raise ValueError(f"name={quoted(name)}: expected a name of cem.models.names(), or a path")
    if name in models.names():
        return False
    return name.lower().endswith(_FILES) or "/" in name or Path(name).is_dir()


def _beyond_the_zoo(
    name: str | AnyPath, state_dict: Mapping[str, Any], refused: Exception
) -> Network:
    """A network that spandrel recognises, where it is installed."""
    try:
        return from_spandrel(state_dict)
    except (ImportError, ValueError) as error:
        raise ValueError(f"name={quoted(str(name))}: {refused} ({error})") from error


def _named(network: Network, name: str, file: Path) -> Network:
    return dataclasses.replace(network, name=name, source=file_source(file))
