"""A job given out by an engine that exists: any executor, whose workers build from descriptions.

A task holds how a network and scenes are loaded, never what they are. A worker that is lost loses
what it was at: the same task is given again, and finds what had been kept.
"""

import atexit
import concurrent.futures
import dataclasses
import functools
import importlib.util
import math
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from cem_jax.jobs.asked import MapOf, MapResult
from cem_jax.jobs.job import Job
from cem_jax.jobs.records import record_end
from cem_jax.jobs.table import row_of
from cem_jax.jobs.work import Loaders, made_scene, make_maps
from cem_jax.map.effect_map import EffectMap
from cem_jax.network.network import Network
from cem_jax.plain_text import quoted, told, visible
from cem_jax.scene.scene import Scene
from cem_jax.store.claims import Leases, claims_in
from cem_jax.store.lock import Locks
from cem_jax.store.objects import AnyPath, absolute, as_place

_LARGEST = 2**18
"""Bytes of a description; images, weights and pools are larger."""
_LOST, _LOST_AT_MOST = 5, 25
"""How often a task's worker is lost until the task itself may be to blame, and until it is."""
_CHANCE = 1e-2
"""Probability that a job gives up any task for losses that come from elsewhere."""
_WAITING = 64
"""Tasks at a time of engines that are no executors of the standard library."""


@dataclasses.dataclass(frozen=True)
class Task:
    """Maps of one network that a worker makes, by descriptions.

    Args:
        maps: which.
        network: how it is loaded, pickled.
        scenes: how each is made, pickled, by label.
        rest: what else the job says, pickled.
        out: folder of the results.
        until: seconds since the epoch when the time is up.
    """

    maps: tuple[MapOf, ...]
    network: bytes
    scenes: tuple[tuple[str, bytes], ...]
    rest: bytes
    out: str
    until: float | None


def tasks_of(
    job: Job, folder: AnyPath, maps_per_task: int | None, until: float | None
) -> list[Task]:
    """A job as tasks.

    Args:
        job: the job.
        folder: of the results.
        maps_per_task: maps of one network that make a task; None takes the job's parts.
        until: seconds since the epoch when the time is up.

    Raises:
        ValueError: something of it cannot be described to another process, or is no description.
    """
    options = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    for own in ("networks", "scenes", "maps"):
        del options[own]
    rest = _pickled("job", options)
    network = functools.cache(lambda name: _pickled(f"network {quoted(name)}", job.networks[name]))
    scene = functools.cache(lambda name: _pickled(f"scene {quoted(name)}", job.scenes[name]))
    return [
        Task(
            maps, network(maps[0].network),
            tuple((label, scene(label)) for label in dict.fromkeys(one.scene for one in maps)),
            rest, str(absolute(folder)), until,
        )
        for maps in _grouped(job, maps_per_task)
    ]  # fmt: skip


def _grouped(job: Job, most: int | None) -> list[tuple[MapOf, ...]]:
    """Maps by task: parts of the job that follow each other and have one network."""
    groups: list[tuple[MapOf, ...]] = []
    for part in job.parts:
        last = groups[-1] if groups else ()
        alike = last and last[0].network == part[0].network
        if most is not None and alike and len(last) + len(part) <= most:
            groups[-1] = last + part
        else:
            groups.append(part)
    return groups


def _pickled(what: str, value: Any) -> bytes:
    """A description as bytes.

    Raises:
        ValueError: it is none.
    """
    by_value = importlib.util.find_spec("cloudpickle") is not None
    try:
        data = pickle.dumps(value)
        # What a script itself defines, other processes find nowhere but under cloudpickle.
        known = not (by_value and b"__main__" in data)
    except Exception as error:  # pickle raises what it likes
        if not by_value:
            raise ValueError(
                f"executor: {what} cannot be described to another process "
                f"({visible(str(error))[:200]}); expected functions of a module, or cloudpickle"
            ) from error
        data, known = b"", False
    if not known:
        import cloudpickle  # pyright: ignore[reportMissingImports]

        try:
            data = cloudpickle.dumps(value)
        except Exception as error:
            raise ValueError(
                f"executor: {what} cannot be described to another process: {told(error)}"
            ) from error
    if len(data) > _LARGEST:
        raise ValueError(
            f"executor: {what} holds {len(data)} bytes; expected a function that loads it, of at "
            f"most {_LARGEST}"
        )
    return data


@functools.lru_cache(maxsize=1)
def _network(data: bytes) -> Network:
    return pickle.loads(data)()


@functools.lru_cache(maxsize=2)
def _scene(data: bytes, label: str) -> Scene:
    return made_scene(pickle.loads(data), label)


@functools.lru_cache(maxsize=1)
def _options(data: bytes) -> dict[str, Any]:
    options = pickle.loads(data)
    pool = options["pool"]
    return options | {"pool": pool() if callable(pool) else pool}


@functools.lru_cache(maxsize=8)
def _claims(out: str) -> Locks | Leases:
    """Claims of this process: POSIX locks end when any handle of the file is closed."""
    claims = claims_in(as_place(out))
    atexit.register(claims.__exit__, None, None, None)
    return claims


def perform(task: Task) -> tuple[list[MapResult], OSError | None]:
    """Makes a task's maps; runs in a worker.

    Args:
        task: the task.

    Returns:
        The results, and what the disk or the store said where that ended the work.
    """
    scenes = dict(task.scenes)
    own = {label: functools.partial(_scene, data, label) for label, data in scenes.items()}
    network = task.maps[0].network
    job = Job({network: functools.partial(_network, task.network)}, own, task.maps,
              **_options(task.rest))  # fmt: skip
    loaders = Loaders(lambda _: _network(task.network), lambda label: own[label]())
    results: list[MapResult] = []
    try:
        folder = as_place(task.out)
        results += make_maps(job, folder, _claims(task.out), loaders, until=task.until)
    except OSError as error:
        return results, OSError(error.errno, error.strerror or str(error), error.filename)
    return results, None


def given_out(
    job: Job,
    folder: AnyPath,
    executor: Any,
    maps_per_task: int | None,
    until: float | None,
) -> Iterator[MapResult]:
    """Has a job's maps made by an executor's workers; what lost workers were at is given again.

    Args:
        job: what is to be made.
        folder: of the results.
        executor: whose workers make it.
        maps_per_task: see `tasks_of`.
        until: seconds since the epoch when the time is up.

    Returns:
        Gives the maps' results as they are there.

    Raises:
        ValueError: the job cannot be described, or the executor is none.
        OSError: the disk is full or the store is gone; what was computed is kept.
        RuntimeError: the executor takes no more tasks.
    """
    tasks = tasks_of(job, folder, maps_per_task, until)
    submit = _submitting(executor)
    lost, ended = dict.fromkeys(tasks, 0), []
    pending = {_submitted(submit, task): task for task in tasks}
    try:
        while pending:
            done, _ = concurrent.futures.wait(
                pending, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                task = pending.pop(future)
                try:
                    results, stopped = future.result()
                except (Exception, concurrent.futures.CancelledError) as error:
                    lost[task] += 1
                    if _may_be_chance(lost[task], [lost[one] for one in ended], len(tasks)):
                        pending[_submitted(submit, task)] = task
                    else:
                        yield from _given_up(folder, task, error, lost[task])
                    continue
                ended.append(task)
                yield from results
                if stopped is not None:
                    raise stopped
    finally:
        for future in pending:
            future.cancel()


def _may_be_chance(own: int, others: Sequence[int], tasks: int) -> bool:
    """Whether a task's lost workers are no more than those of tasks that came to their end explain.

    Where machines are taken away all the time, some task of many is unlucky often. By what the
    others tell of the rate (its posterior after a flat prior), so many losses in a row must be
    improbable for all tasks together until one is given up.

    Args:
        own: how often the task's worker was lost.
        others: the same for each task that came to its end.
        tasks: how many the job has.
    """
    if own < _LOST:
        return True
    if own >= _LOST_AT_MOST or not others:
        return False
    losses, ends = sum(others) + 1, len(others) + 1
    in_a_row = math.prod((losses + n) / (losses + ends + n) for n in range(own))
    return tasks * in_a_row > _CHANCE


def _submitting(executor: Any) -> Any:
    """How a task is given to an executor, for a future of the standard library."""
    if isinstance(executor, concurrent.futures.Executor):
        return executor.submit
    if not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor={quoted(executor)}: expected a concurrent.futures.Executor")
    threads = concurrent.futures.ThreadPoolExecutor(_WAITING)
    return lambda function, task: threads.submit(lambda: executor.submit(function, task).result())


def _submitted(submit: Any, task: Task) -> concurrent.futures.Future:
    try:
        return submit(perform, task)
    except concurrent.futures.BrokenExecutor as error:
        raise RuntimeError(
            f"executor: it takes no more tasks ({told(error)}); the same call continues"
        ) from error


def _given_up(folder: AnyPath, task: Task, error: BaseException, times: int) -> Iterator[MapResult]:
    """The results of a task that no worker survives; some of its maps may be finished."""
    for one in task.maps:
        place = folder / str(one) / "map.npz"
        if place.exists():
            found = EffectMap.load(place)
            rows = (row_of(found, found.outcome),)
            yield MapResult(one, rows, found=True)
        else:
            result = MapResult(one, problem=f"its worker was lost {times} times: {told(error)}")
            record_end(folder, result, 0.0)
            yield result
