"""What can be named in a network: its modules and its operations, and patterns of names."""

import dataclasses
import fnmatch
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.cone.counts import multiply_adds, of_whole
from cem_jax.cone.graph import Equation
from cem_jax.held.apply import leaving
from cem_jax.held.on_scene import on_scene
from cem_jax.held.probe import Probe, computes, probe
from cem_jax.held.traced import Traced
from cem_jax.network.network import Apply, Network
from cem_jax.plain_text import quoted
from cem_jax.scene.scene import Scene

GLOBAL = "global"
"""Stands for all global operations."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of a network, or one of its modules, as `freeze` knows it.

    Args:
        name: the module's path, as in "body.3.attn"; for an operation followed by its kind, as in
            "body.3.attn:reduce_sum", and by "#2", "#3" where there are several.
        kind: "module", or the primitive of JAX.
        shape: of what it gives; of a module what leaves it last.
        reach: how far a changed input pixel moves what it gives, in input pixels, the global
            operations before it held; None for global ones, and where there is no such distance.
        share: of the network's multiply-adds, between 0 and 1.
        is_global: whether it brings the whole image together, or one of its operations does; None
            where that is not found, since the network takes no larger images.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    reach: int | None
    share: float
    is_global: bool | None


def operations(network: Network, scene: Scene) -> tuple[Operation, ...]:
    """The modules and operations of a network that `freeze` can hold, in the order of evaluation.

    Operations that only move numbers (reshape, slice, pad) are left out. Paths are those of NNX
    modules, of torch modules, and of `jax.named_scope` in functions.

    Args:
        network: the network.
        scene: whose input it is to see; only the shape counts.

    Returns:
        Each module before what it consists of.

    Raises:
        ValueError: the network cannot take the input.

    Examples:
        >>> import cem_jax as cem
        >>> import jax
        >>> def brightened(x):
        ...     with jax.named_scope("pool"):
        ...         mean = x.mean((1, 2), keepdims=True)
        ...     return 0.9 * x + 0.1 * mean
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda")[:64, :64])
        >>> for found in cem.operations(cem.wrap(brightened), scene):
        ...     print(found.name, found.shape, found.is_global)
        pool (1, 1, 1, 3) True
        pool:reduce_sum (1, 3) True
        pool:div (1, 1, 1, 3) False
        mul (1, 64, 64, 3) False
        mul#2 (1, 1, 1, 3) False
        add (1, 64, 64, 3) False
    """
    network = on_scene(network, scene)
    return _listed(traced_on(network, scene), known_probe(network, scene))


def modules(traced: Traced) -> tuple[str, ...]:
    """Paths of the modules whose operations can be held, each before what it consists of.

    Args:
        traced: a network on an image.
    """
    free = [eq for eq in traced.graph.equations if traced.free(eq)]
    return tuple(dict.fromkeys(path for eq in free for path in _around(eq.scope)))


def traced_on(network: Network, scene: Scene) -> Traced:
    """The network on the scene's input."""
    return Traced.make(network, *scene.degraded.shape)


def probed(network: Network, scene: Scene) -> Probe:
    """What is global in the network."""
    leaves, tree = jax.tree.flatten(network.params)
    like = tuple(jax.ShapeDtypeStruct(np.shape(a), jnp.result_type(a)) for a in leaves)
    shape = scene.degraded.shape
    return _probed(network.name, network.apply, tree, like, network.anchor, shape)


def known_probe(network: Network, scene: Scene) -> Probe | None:
    """What is global in the network; None where it takes no larger images than the scene's."""
    try:
        return probed(network, scene)
    except ValueError:
        return None


@functools.lru_cache(maxsize=32)
def _probed(
    name: str, apply: Apply, tree: Any, like: tuple[Any, ...], anchor: int | None,
    shape: tuple[int, int, int],
) -> Probe:  # fmt: skip
    """Found once for all networks of these shapes; no parameters are kept."""
    return probe(Network(name, apply, jax.tree.unflatten(tree, like), anchor=anchor), *shape)


def _around(path: str) -> list[str]:
    """The modules that a path lies in, from the outermost to itself."""
    parts = path.split(".") if path else []
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _listed(traced: Traced, found: Probe | None) -> tuple[Operation, ...]:
    graph = traced.graph
    whole = max(of_whole(graph), 1.0)
    named = [eq for eq in graph.equations if traced.free(eq)]
    own: dict[str, list[Equation]] = {}
    for eq in named:
        for path in _around(eq.scope):
            own.setdefault(path, []).append(eq)
    rows: list[Operation] = []
    told: set[str] = set()
    for eq in named:
        for path in _around(eq.scope):
            if path not in told:
                told.add(path)
                rows.append(_module(path, own[path], traced, found, whole))
        if computes(eq):
            name = traced.name(eq)
            share = float(multiply_adds(eq, np.asarray(eq.out_shapes[0], np.int64))) / whole
            reach, is_global = _told(found, name, [name])
            rows.append(Operation(name, eq.name, eq.out_shapes[0], reach, share, is_global))
    return tuple(rows)


def _module(
    path: str, inside: Sequence[Equation], traced: Traced, found: Probe | None, whole: float
) -> Operation:
    last = leaving(traced.graph, {eq.outputs[0] for eq in inside}) or [inside[-1].outputs[0]]
    by_output = {eq.outputs[0]: eq for eq in inside}
    end = by_output[last[-1]]
    share = (
        sum(float(multiply_adds(eq, np.asarray(eq.out_shapes[0], np.int64))) for eq in inside)
        / whole
    )
    reach, is_global = _told(found, traced.name(end), [traced.name(eq) for eq in inside])
    return Operation(path, "module", end.out_shapes[0], reach, share, is_global)


def _told(found: Probe | None, last: str, names: Sequence[str]) -> tuple[int | None, bool | None]:
    """The reach of an operation, and whether one of several is global; None is not known."""
    if found is None:
        return None, None
    return found.reach.get(last), not set(names).isdisjoint(found.held)


def selected(
    traced: Traced, network: Network, scene: Scene, at: Any, argument: str = "at"
) -> tuple[str, ...]:
    """The names of the operations that `at` means.

    Args:
        traced: the network on the scene.
        network: the same.
        scene: the same.
        at: "global", or a name or pattern of a module or an operation, or several of these.
        argument: what the user knows `at` by.

    Returns:
        In order; empty for "global" where nothing is global.

    Raises:
        ValueError: a pattern that means nothing.
    """
    patterns = [at] if isinstance(at, str) else at
    if not isinstance(patterns, Sequence) or not patterns or not all(
        isinstance(one, str) and one for one in patterns
    ):  # fmt: skip
        raise ValueError(
            f"{argument}={quoted(at)}: expected 'global', or names as cem.operations lists them"
        )
    wanted: set[str] = set()
    for pattern in patterns:
        if pattern == GLOBAL:
            known = set(traced.names.values())
            held = probed(network, scene).held
            if not known.issuperset(held):
                missing = ", ".join(sorted(set(held) - known)[:3])
                raise ValueError(
                    f"network={network.name}: on the image's own size it has no {missing}, which "
                    "is global on larger ones; name the operations"
                )
            wanted.update(held)
            continue
        matching = {
            traced.name(eq) for eq in traced.graph.equations
            if traced.free(eq) and _means(pattern, eq.scope, traced.name(eq))
        }  # fmt: skip
        if not matching:
            some = ", ".join(modules(traced)[:5]) or "no modules; its operations are named by kind"
            raise ValueError(
                f"{argument}={quoted(pattern)}: network {network.name} has none of that name that "
                f"depends on the image{' and is not yet held' if traced.gone else ''}; it has "
                f"{some} ... (cem.operations lists all)"
            )
        wanted |= matching
    return tuple(name for name in traced.names.values() if name in wanted)


def _means(pattern: str, scope: str, name: str) -> bool:
    """Whether a pattern means an operation; "*" stands for any text within a part of a path."""
    path, colon, kind = pattern.rpartition(":")
    if colon:
        own = name.rpartition(":")[2]
        return _same(path, scope) and (
            fnmatch.fnmatchcase(own, kind) or fnmatch.fnmatchcase(own.partition("#")[0], kind)
        )
    return name == pattern or any(_same(pattern, around) for around in _around(scope))


def _same(pattern: str, path: str) -> bool:
    own, wanted = path.split("."), pattern.split(".")
    return len(own) == len(wanted) and all(map(fnmatch.fnmatchcase, own, wanted))
