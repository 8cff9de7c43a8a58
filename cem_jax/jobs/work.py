"""Maps of a job, made by this process: one after another, each that nobody else is making.

Processes share nothing but the folder. Each claims a map, makes it on its own devices, and goes on
to the next that nobody has claimed, until every map is there. So slow maps hold nobody up,
processes may join and leave at any time, and a map whose process died is taken over.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import jax

from cem_jax.effects.effect import maps_of_regions, share_a_sweep
from cem_jax.effects.progress import Progress, State, as_progress
from cem_jax.grid import ROI
from cem_jax.inside.mediated import mediated_maps
from cem_jax.inside.mediated_maps import PARTS
from cem_jax.jobs.asked import MapOf, MapResult
from cem_jax.jobs.job import Job
from cem_jax.jobs.records import place_of, record_end, recorded_work
from cem_jax.jobs.table import row_of
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import map_paths
from cem_jax.network.network import Network
from cem_jax.plain_text import quoted, told
from cem_jax.scene.scene import Scene
from cem_jax.store.objects import AnyPath

_WAIT = 1.0
"""Seconds until a process that found every map claimed looks again."""
LATE = "the time was up; the same command continues"


class TimeIsUpError(Exception):
    """The time that a job was given is over."""


class Claims(Protocol):
    """How processes that share a folder keep off each other's maps."""

    def locked(self, name: str) -> AbstractContextManager[bool]:
        """Holds a claim while the context lasts; False where another process has it.

        Args:
            name: of the map.
        """
        ...


@dataclasses.dataclass(frozen=True)
class _Noted:
    """Progress that is shown, and told to somebody else too."""

    shown: Progress
    note: Callable[[State], None]

    @contextlib.contextmanager
    def follow(self, name: str) -> Iterator[Callable[[State], None]]:
        with self.shown.follow(name) as show:

            def both(state: State) -> None:
                show(state)
                self.note(state)

            yield both


@dataclasses.dataclass(frozen=True)
class Loaders:
    """How networks and scenes are loaded here, each once for the maps that follow each other.

    Args:
        network: by its label.
        scene: by its label.
    """

    network: Callable[[str], Network]
    scene: Callable[[str], Scene]

    @classmethod
    def of(cls, job: Job) -> "Loaders":
        """The loaders of a job, which remember the last network and the last scene."""
        load = functools.lru_cache(1)(lambda label: job.networks[label]())
        make = functools.lru_cache(1)(lambda label: made_scene(job.scenes[label], label))
        return cls(load, make)


def made_scene(make: Callable[[], Scene], label: str) -> Scene:
    """A scene under the name that it has in the job.

    Raises:
        ValueError: it is none.
    """
    scene = make()
    if not isinstance(scene, Scene):
        given = f"its loader gave {quoted(scene)}; expected a cem_jax.Scene"
        raise ValueError(f"scene {quoted(label)}: {given}")
    return dataclasses.replace(scene, name=label)


def make_maps(
    job: Job,
    folder: AnyPath,
    claims: Claims,
    loaders: Loaders,
    *,
    first: int = 0,
    progress: bool | Progress = False,
    until: float | None = None,
) -> Iterator[MapResult]:
    """Makes the maps of a job that nobody else is making, until all are there.

    Args:
        job: what is to be made.
        folder: of the results.
        claims: of the maps.
        loaders: of networks and scenes.
        first: the part of the job where this process begins.
        progress: how each sweep is followed.
        until: seconds since the epoch when the time is up; what is not done then is kept.

    Returns:
        Gives the maps' results as they are there.

    Raises:
        ValueError: the folder has no locks.
        OSError: the disk is full or the store is gone; what was computed is kept.
    """
    shown = as_progress(progress)
    together = functools.lru_cache(None)(functools.partial(_shares, job, loaders))
    parts = [*job.parts[first:], *job.parts[:first]]
    results: dict[MapOf, MapResult] = {}

    def make(asked: tuple[MapOf, ...]) -> list[MapResult]:
        begun = time.monotonic()
        with recorded_work(folder, asked) as note:

            def timed(state: State) -> None:
                note(state)
                if until is not None and time.time() > until:
                    raise TimeIsUpError

            found = _made(job, folder, loaders, asked, _Noted(shown, timed))
        for one in found:
            if not one.found:
                record_end(folder, one, (time.monotonic() - begun) / len(found))
            elif not place_of(folder, "ended", one.asked).exists():
                record_end(folder, one, float(one.rows[0]["seconds"]))
        return found

    def attempt(part: tuple[MapOf, ...]) -> Iterator[MapResult]:
        for one in part:
            with contextlib.ExitStack() as held:
                if one in results or not held.enter_context(claims.locked(str(one))):
                    continue
                if until is not None and time.time() > until:
                    raise TimeIsUpError
                if len(part) > 1 and together(part):
                    others = [other for other in part if other != one]
                    if all(held.enter_context(claims.locked(str(other))) for other in others):
                        yield from [made for made in make(part) if made.asked not in results]
                    return
                found = make((one,))
            yield from found

    try:
        while len(results) < len(job.maps):
            before = len(results)
            for part in parts:
                for result in attempt(part):
                    results[result.asked] = result
                    yield result
            if len(results) == before:
                if until is not None and time.time() > until:
                    raise TimeIsUpError
                time.sleep(_WAIT)
    except TimeIsUpError:
        yield from (
            MapResult(one, problem=LATE, late=True) for one in job.maps if one not in results
        )


def _options(job: Job) -> dict[str, Any]:
    return {
        "pool": job.patches, "block": job.block, "plan": job.plan, "seed": job.seed,
        "rounded": job.rounded, "devices": jax.local_devices(),
    }  # fmt: skip


def _shares(job: Job, loaders: Loaders, part: tuple[MapOf, ...]) -> bool:
    """Whether the regions of a part are scored by one sweep; what fails is told with its map."""
    if job.through is not None:
        return False
    with contextlib.suppress(Exception, SystemExit):
        network, scene = loaders.network(part[0].network), loaders.scene(part[0].scene)
        rois = [one.roi for one in part]
        return share_a_sweep(network, scene, rois, job.outcomes, **_options(job))
    return False


def _maps_of(
    job: Job, network: Network, scene: Scene, rois: Sequence[ROI], beside: AnyPath,
    progress: Progress,
) -> Mapping[ROI, Mapping[str, EffectMap]]:  # fmt: skip
    """The maps of regions, each with those of its outcomes or of its paths."""
    options: dict[str, Any] = {**_options(job), "progress": progress}
    if job.through is None:
        return maps_of_regions(network, scene, rois, job.outcomes, directory=beside, **options)
    found = {}
    for roi in rois:
        mediated = mediated_maps(
            network, scene, roi, through=job.through, outcome=job.outcomes[0],
            directory=beside / roi.label, **options,
        )  # fmt: skip
        maps = (getattr(mediated, part) for part in PARTS)
        found[roi] = dict(zip(job.names, maps, strict=True))
    return found


def _made(
    job: Job, folder: AnyPath, loaders: Loaders, asked: Sequence[MapOf], progress: Progress
) -> list[MapResult]:
    """Maps of one network and scene, by one sweep if there are several."""
    first = asked[0]
    beside = folder / first.network / first.scene
    there = {
        one for one in asked
        if all(path.exists() for path in map_paths(beside / one.roi.label, job.names).values())
    }  # fmt: skip
    try:
        network, scene = loaders.network(first.network), loaders.scene(first.scene)
    except (Exception, SystemExit) as error:  # whatever somebody else's loader raises
        return [MapResult(one, problem=told(error)) for one in asked]
    try:
        maps = _maps_of(job, network, scene, [one.roi for one in asked], beside, progress)
    except (OSError, TimeIsUpError):  # the disk, which all maps share
        raise
    except Exception as error:  # whatever somebody else's network or outcome raises
        if len(asked) > 1:
            alone = (_made(job, folder, loaders, (one,), progress) for one in asked)
            return [result for found in alone for result in found]
        return [MapResult(first, problem=told(error))]
    return [
        MapResult(
            one,
            tuple(row_of(map_, name) for name, map_ in maps[one.roi].items()),
            found=one in there,
        )
        for one in asked
    ]
