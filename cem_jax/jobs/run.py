"""A job as a whole: shared through its folder, or given out by an engine."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from cem_jax.arguments import positive_number, whole_number
from cem_jax.jobs.asked import INDEX, MapOf, MapResult
from cem_jax.jobs.engine import given_out
from cem_jax.jobs.job import Job
from cem_jax.jobs.records import record_job, recorded_ends
from cem_jax.jobs.work import Loaders, make_maps
from cem_jax.plain_text import quoted
from cem_jax.rows import as_json
from cem_jax.store.atomic import write_atomically
from cem_jax.store.claims import claims_in
from cem_jax.store.objects import AnyPath, as_place


def run_job(
    job: Job,
    out: str | AnyPath,
    *,
    only: Sequence[MapOf] | None = None,
    executor: concurrent.futures.Executor | None = None,
    maps_per_task: int | None = None,
    seconds: float | None = None,
    progress: bool = True,
    each: Callable[[MapResult], None] | None = None,
) -> list[MapResult]:
    """Makes all maps of a job, together with whoever runs it in the same folder.

    Every map gets a folder OUT/NETWORK/SCENE/REGION that resumes, as `directory` of
    `causal_effect_map` does; OUT/maps.json lists them all with their numbers at the end.

    Args:
        job: what is to be made.
        out: folder of the results, shared by all processes; `s3://` and `gs://` are folders too.
        only: maps of the job that are made now, such as `job_status(out).failed`; None makes all.
        executor: who makes the maps: any `concurrent.futures.Executor`, such as
            `dask.distributed.Client(...).get_executor(pure=False)`, or one of `submitit`. Its
            workers load networks and scenes themselves; maps of workers that are lost are given
            again. None makes them in this process.
        maps_per_task: how many maps of a network a worker gets at a time; None gives the regions of
            one scene, at most 16.
        seconds: after so many seconds no map is begun, and those in work stop; the same call
            continues. None has no end.
        progress: show each map's progress on a terminal, where this process makes them.
        each: called with every map's result as soon as it is there.

    Returns:
        What became of each map, in the job's order. A map that fails does not stop the others.

    Raises:
        ValueError: the folder cannot be written, or the job cannot be given to other processes.
        OSError: its disk is full; what was computed is kept.
        RuntimeError: the executor takes no more tasks.
    """
    folder = as_place(out, "out")
    until = None if seconds is None else time.time() + positive_number("seconds", seconds)
    if maps_per_task is not None:
        whole_number("maps_per_task", maps_per_task, 1)
    asked = job
    if only is not None:
        if not set(only) <= set(job.maps):
            raise ValueError(f"only={quoted(only)}: expected maps of the job")
        if not only:
            return []
        asked = dataclasses.replace(job, maps=[one for one in job.maps if one in set(only)])
    results: dict[MapOf, MapResult] = {}
    with claims_in(folder) as claims:
        record_job(folder, job)
        if executor is not None:
            found = given_out(asked, folder, executor, maps_per_task, until)
        else:
            # Processes that know of each other begin apart: each network is compiled by fewer.
            first = jax.process_index() * len(asked.parts) // jax.process_count()
            found = make_maps(
                asked, folder, claims, Loaders.of(asked), first=first, progress=progress,
                until=until,
            )  # fmt: skip
        for result in found:
            results[result.asked] = result
            if each is not None:
                each(result)
    ordered = [results[one] for one in asked.maps]
    others = [one for one in job.maps if one not in results]
    write_index(folder / INDEX, [*ordered, *recorded_ends(folder, others)])
    return ordered


def write_index(path: AnyPath, results: Sequence[MapResult]) -> None:
    """All maps with their numbers, as JSON; NaN becomes null.

    Args:
        path: the file.
        results: of the maps.

    Raises:
        OSError: it cannot be written.
    """

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
