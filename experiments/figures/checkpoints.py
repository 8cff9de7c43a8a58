"""The official networks of a folder of checkpoints, each recognised from its file."""

import functools
import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.subjects import Subject

FACTOR = 4
"""By which the scenes of super-resolution are reduced; networks of other factors are left out."""
_SUFFIXES = (".pth", ".pt", ".safetensors")
_RECORD = "recognised"
_ARGUMENTS: dict[str, tuple[tuple[str, Any], ...]] = {"ADNet": (("order", "bgr"),)}
"""What the authors' files need to be told: ADNet's were trained on blue, green, red."""


def official(
    task: str, weights: Path, store: Store, tell: Callable[[str], None] = lambda line: None
) -> list[Subject]:
    """The networks of a task that lie in a folder.

    A file is known by its published name where it fits the network of that name, and else by its
    tensors, which is kept in the store: recognising takes seconds to minutes.

    Args:
        task: "SR" (by 4, or enlarged beforehand), "DN" or "DR".
        weights: the folder, searched at any depth.
        store: where it is kept what the files are.
        tell: receives a line for each file that is no network of the zoo.

    Returns:
        They, those that see little first, those of one channel last.
    """
    found, seen = [], set()
    for path in sorted(path for path in weights.rglob("*") if path.suffix in _SUFFIXES):
        name, digest = _name(path, store, tell)
        if name is None or digest in seen or not _fits(name, task):
            continue
        seen.add(digest)
        found.append(Subject(name, path, _ARGUMENTS.get(name, ())))
    names = [subject.name for subject in found]
    several = {name for name in names if names.count(name) > 1}
    called = [
        Subject(one.name, one.weights, one.arguments, f"{one.name} {one.weights.stem}")
        if one.name in several and one.weights is not None
        else one
        for one in found
    ]
    return sorted(called, key=_order)


def _fits(name: str, task: str) -> bool:
    """Whether a network is of a task, and of its factor; those of this package are not official."""
    facts = cem.models.describe(name)
    fitting = task in facts.tasks and (task != "SR" or facts.scale in (1, FACTOR))
    return fitting and not facts.bundled


@functools.lru_cache(maxsize=256)
def channels(subject: Subject) -> int:
    """How many channels a network takes; colour where it does not say."""
    return subject.load().channels or 3


def _order(subject: Subject) -> tuple[int, float, str]:
    radius = cem.models.describe(subject.name).receptive_radius
    return -channels(subject), float("inf") if radius is None else radius, subject.label


def _name(path: Path, store: Store, tell: Callable[[str], None]) -> tuple[str | None, str]:
    """Under which name of the zoo a file is loaded, None if under none; and the file's digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    key = f"{importlib.metadata.version('cem-jax')} {digest}"
    known = store.read(_RECORD) or {}
    if key not in known:
        known[key] = _recognised(path)
        store.write(_RECORD, known)
    name, problem = known[key]
    if name is None:
        tell(f"{path.name}: {problem}")
    return name, digest


def _recognised(path: Path) -> tuple[str | None, str]:
    """The name of a file's network, or None and why there is none."""
    for name in _by_file_name(path.name):
        try:
            cem.load(name, path)
        except ValueError:
            continue
        return name, ""
    try:
        state_dict = cem.models.read_state_dict(path)
        try:
            return cem.models.choose(state_dict), ""
        except ValueError:
            return cem.models.choose(state_dict, scale=FACTOR), ""
    except ValueError as problem:
        return None, str(problem)


def _by_file_name(file: str) -> Iterator[str]:
    """Names whose authors publish such a file, those that enlarge by 4 first."""
    facts = map(cem.models.describe, cem.models.names())
    fitting = [one for one in facts if file in one.official_files]
    yield from (one.name for one in sorted(fitting, key=lambda one: one.scale != FACTOR))
