"""A job: maps of many networks, scenes and regions, made by any number of processes.

Processes share nothing but the folder. Each locks a map, makes it on its own devices, and goes on
to the next that nobody has locked; it ends when every map is done. So slow maps hold nobody up,
processes may join and leave at any time, and a map whose process died is taken over.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from cem_jax.arguments import whole_number
from cem_jax.effects.effect import causal_effect_maps
from cem_jax.grid import ROI
from cem_jax.map.summary import summarise
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, as_outcome, psnr
from cem_jax.plain_text import told
from cem_jax.plans.names import as_plan
from cem_jax.plans.plan import Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.rows import as_json
from cem_jax.scene.scene import Scene
from cem_jax.store.atomic import write_atomically
from cem_jax.store.lock import LOCKS, Locks

INDEX = "maps.json"

_NOT_IN_NAMES = '/\\:*?"<>|'
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
_LONGEST_LABEL = 200
"""Of the 255 bytes that a name may have."""
_WAIT = 1.0
"""Seconds until a process that found every map locked looks again."""


@dataclasses.dataclass(frozen=True)
class MapOf:
    """One map of a job.

    Args:
        network: label of the network.
        scene: label of the scene.
        roi: region of interest, in output pixels.
    """

    network: str
    scene: str
    roi: ROI

    def __str__(self) -> str:
        return f"{self.network}/{self.scene}/{self.roi.label}"


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be made; `read_job` takes it from a file.

    Args:
        networks: how each network is loaded, by label.
        scenes: how each scene is made, by label.
        maps: what is wanted. Those of one network and scene stand together, so that what is
            loaded and compiled for one serves the next.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets, or its name as in "adaptive:64"; None takes the
            paper's `CoarseToFine()`.
        outcomes: scores of (restored region, true region), or their names; the first one steers the
            plan.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.

    Raises:
        ValueError: no maps, one that is asked for twice or names what is not there, or a label
            that cannot be a folder's name.
    """

    networks: Mapping[str, Callable[[], Network]]
    scenes: Mapping[str, Callable[[], Scene]]
    maps: Sequence[MapOf]
    pool: PatchPool | None = None
    block: int = 8
    plan: Plan | str | None = None
    outcomes: Sequence[Outcome | str] = (psnr,)
    seed: int = 0
    rounded: bool = False

    def __post_init__(self) -> None:
        for label in (*self.networks, *self.scenes):
            check_label(label)
        object.__setattr__(self, "block", whole_number("block", self.block, 1))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        if self.plan is not None:
            object.__setattr__(self, "plan", as_plan(self.plan))
        object.__setattr__(self, "outcomes", tuple(map(as_outcome, self.outcomes)))
        if not self.maps:
            raise ValueError("maps: there is none to make")
        seen = set()
        for one in self.maps:
            if one.network not in self.networks or one.scene not in self.scenes:
                raise ValueError(f"maps holds {one}: no such network or scene")
            if one in seen:
                raise ValueError(f"maps holds {one} twice")
            seen.add(one)


def check_label(label: str) -> None:
    """Refuses what cannot be a folder's name on every system, or is a file of the job's own.

    Raises:
        ValueError: the message names it.
    """
    if not isinstance(label, str):
        raise ValueError(f"label {label!r}: expected a text")
    if not label.isprintable() or label.strip(" ") != label or set(label) & set(_NOT_IN_NAMES):
        raise ValueError(
            f"label {label!r}: expected a folder's name, without {' '.join(_NOT_IN_NAMES)} and "
            "without a space at its end"
        )
    if not label or label.startswith(".") or label.endswith("."):
        raise ValueError(f"label {label!r}: expected a name without a dot at either end")
    if len(label.encode()) > _LONGEST_LABEL:
        raise ValueError(f"label {label[:20]!r}...: expected at most {_LONGEST_LABEL} bytes")
    if label.lower() in (INDEX, LOCKS):
        raise ValueError(f"label {label!r}: a file of this name lies in every job's folder")
    if label.lower().partition(".")[0] in _DEVICES:
        raise ValueError(f"label {label!r}: no folder can have this name on Windows")


@dataclasses.dataclass(frozen=True)
class MapResult:
    """What became of one map of a job.

    Args:
        asked: which map.
        rows: its numbers for each outcome, see `summarise`; empty if it could not be made.
        problem: why it could not be made; empty if it was.
        found: whether it had been made before.
    """

    asked: MapOf
    rows: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    found: bool = False


def run_job(
    job: Job,
    out: str | Path,
    *,
    progress: bool = True,
    each: Callable[[MapResult], None] | None = None,
) -> list[MapResult]:
    """Makes all maps of a job, together with whoever runs it in the same folder.

    Every map gets a folder OUT/NETWORK/SCENE/REGION that resumes, as `directory` of
    `causal_effect_map` does; OUT/maps.json lists them all with their numbers at the end.

    Args:
        job: what is to be made.
        out: folder of the results, shared by all processes.
        progress: show each map's progress on a terminal.
        each: called with every map's result as soon as it is there.

    Returns:
        What became of each map, in the job's order. A map that fails does not stop the others.

    Raises:
        ValueError: the folder cannot be written.
        OSError: its disk is full; what was computed is kept.
    """
    folder = Path(out)
    load = functools.lru_cache(1)(lambda label: job.networks[label]())
    make = functools.lru_cache(1)(lambda label: _made(job.scenes[label], label))

    def result(one: MapOf) -> MapResult:
        directory = folder / str(one)
        found = (directory / "map.npz").exists()
        try:
            network, scene = load(one.network), make(one.scene)
        except (Exception, SystemExit) as error:  # whatever somebody else's loader raises
            return MapResult(one, problem=told(error))
        try:
            maps = causal_effect_maps(
                network, scene, one.roi, job.outcomes, pool=job.pool,
                block=job.block, plan=job.plan, seed=job.seed, rounded=job.rounded,
                directory=directory, progress=progress, devices=jax.local_devices(),
            )  # fmt: skip
        except OSError:  # the disk, which all maps share
            raise
        except Exception as error:  # whatever somebody else's network or outcome raises
            return MapResult(one, problem=told(error))
        rows = tuple({"outcome": name, **summarise(map_)} for name, map_ in maps.items())
        return MapResult(one, rows, found=found)

    results: dict[MapOf, MapResult] = {}
    with Locks(folder) as locks:
        # Processes that know of each other begin apart: each network is compiled by fewer.
        first = jax.process_index() * len(job.maps) // jax.process_count()
        left = [*job.maps[first:], *job.maps[:first]]
        while left:
            for one in left:
                with locks.locked(str(one)) as mine:
                    if not mine:
                        continue
                    results[one] = result(one)
                if each is not None:
                    each(results[one])
            before, left = len(left), [one for one in left if one not in results]
            if len(left) == before:
                time.sleep(_WAIT)
    ordered = [results[one] for one in job.maps]
    _write_index(folder / INDEX, ordered)
    return ordered


def _made(make: Callable[[], Scene], label: str) -> Scene:
    """A scene under the name that it has in the job."""
    scene = make()
    if not isinstance(scene, Scene):
        raise ValueError(f"scene {label!r}: its loader gave {scene!r}; expected a cem_jax.Scene")
    return dataclasses.replace(scene, name=label)


def _write_index(path: Path, results: Sequence[MapResult]) -> None:
    """All maps with their numbers, as JSON; NaN becomes null."""

    def entry(result: MapResult, row: Mapping[str, Any]) -> dict[str, Any]:
        roi = dataclasses.astuple(result.asked.roi)
        place = {"directory": str(result.asked), "scene": result.asked.scene, "roi": roi}
        return {**place, **row, "network": result.asked.network}

    rows = [
        entry(result, row)
        for result in results
        for row in result.rows or ({"problem": result.problem},)
    ]
    write_atomically(path, as_json(rows).encode())
