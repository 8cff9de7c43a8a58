"""What a job will cost, from a pilot of a few calls."""

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from cem_jax.arguments import check_kind
from cem_jax.effects.request import Request, Sweeps
from cem_jax.inside.mediated_sweep import MediatedSweep, Mediator
from cem_jax.jobs.asked import MapOf
from cem_jax.jobs.job import Job
from cem_jax.jobs.work import Loaders
from cem_jax.plain_text import told
from cem_jax.sweep.layout import Layout

_MAPS = 3
"""Maps of a network that are looked at, spread over all of them."""
_CELLS = 12
"""Blocks of the first of them that are swept, spread over all of them."""
_EXTREMES = 2**24
"""Bytes of the pictures that a map keeps, at most."""


@dataclasses.dataclass(frozen=True)
class JobCost:
    """What the maps of one network will cost on this machine.

    Args:
        network: its label.
        maps: how many there are.
        evaluations: least and most, of all maps: what a plan asks for at once, and what it may ask.
        seconds: least and most, of all maps, one after another on this process's devices.
        compilation: seconds that its programs took to compile; a cache on disk saves them next
            time.
        evaluations_per_second: of the pilot, per second.
        memory: bytes, the most that was in use on a device, or by the process where devices do not
            tell; 0 on Windows.
        disk: bytes of all maps, at most.
        problem: why there is no pilot; empty if there is one.
    """

    network: str
    maps: int
    evaluations: tuple[int, int] = (0, 0)
    seconds: tuple[float, float] = (0.0, 0.0)
    compilation: float = 0.0
    evaluations_per_second: float = float("nan")
    memory: int = 0
    disk: int = 0
    problem: str = ""


def estimate_job(job: Job) -> Iterator[JobCost]:
    """What a job will cost: a few maps of each network are planned, and one is begun.

    Args:
        job: the job.

    Returns:
        Gives an estimate for each network.

    Raises:
        ValueError: it is no job.
    """
    check_kind("job", job, Job)
    loaders = Loaders.of(job)
    for network in dict.fromkeys(one.network for one in job.maps):
        maps = [one for one in job.maps if one.network == network]
        try:
            yield _estimate(job, loaders, maps)
        except (Exception, SystemExit) as error:  # whatever somebody else's loader raises
            yield JobCost(network, len(maps), problem=told(error))


def _estimate(job: Job, loaders: Loaders, maps: Sequence[MapOf]) -> JobCost:
    chosen = [maps[n] for n in np.unique(np.linspace(0, len(maps) - 1, _MAPS).astype(int))]
    looks = [_look(job, loaders, one) for one in chosen]
    least, most, disk, work = np.mean([look[2] for look in looks], axis=0) * len(maps)
    request, layout, _ = looks[0]
    sweep: Sweeps = request.sweep(layout)
    if job.through is not None:
        mediator = Mediator.make(request, job.through)
        sweep = MediatedSweep.make(request, layout.rois[0], mediator)
    compilation, each = _pilot(request, layout, sweep)
    # Other maps take as much longer as they compute more.
    own = looks[0][2][3] / max(looks[0][2][0], 1)
    per_evaluation = each * (work / max(least, 1)) / own if own else each
    return JobCost(
        maps[0].network, len(maps), (round(least), round(most)),
        (least * per_evaluation, most * per_evaluation), compilation,
        1 / per_evaluation if per_evaluation else float("nan"), _memory(), round(disk),
    )  # fmt: skip


def _look(
    job: Job, loaders: Loaders, one: MapOf
) -> tuple[Request, Layout, tuple[float, float, float, float]]:
    """A map, planned: its least and most evaluations, bytes, and multiply-adds of the least."""
    request = Request.make(
        loaders.network(one.network), loaders.scene(one.scene), (one.roi,), job.outcomes,
        pool=job.patches, block=job.block, plan=job.plan, seed=job.seed, rounded=job.rounded,
        progress=False, devices=jax.local_devices(),
    )  # fmt: skip
    layout = request.layout((one.roi,))
    active = layout.reach & ~request.inside(one.roi)
    blocks, outcomes = int(active.sum()), len(job.names)
    nothing = np.full((active.size, request.plan.capacity), np.nan, np.float32)
    least = int(request.steering(0.0).wanted(nothing, 0.0, active.reshape(-1)).sum())
    most = blocks * request.plan.capacity
    region = one.roi.height * one.roi.width * request.scene.clean.shape[2]
    pictures = min(2 * blocks * (region + request.pool.patches[0].nbytes), _EXTREMES)
    disk = most * (8 + 8 * outcomes) + request.scene.degraded.size + pictures
    work = layout.cost / max(blocks, 1) * least
    return request, layout, (least, most, disk, work)


def _pilot(request: Request, layout: Layout, sweep: Sweeps) -> tuple[float, float]:
    """Seconds that compilation takes, and an evaluation."""
    cells = np.flatnonzero(layout.reach)
    if not len(cells):
        return 0.0, 0.0
    spread = cells[np.unique(np.linspace(0, len(cells) - 1, _CELLS).astype(int))]
    draws = min(request.plan.capacity, 3)
    asked = request.interventions(
        sweep, np.repeat(spread, draws), np.tile(np.arange(draws), len(spread))
    )
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        for _ in sweep.evaluate(asked):
            pass
        times.append(time.perf_counter() - begun)
    each = times[1] / (len(spread) * draws)
    return max(times[0] - times[1], 0.0), each


def _memory() -> int:
    told = [device.memory_stats() or {} for device in jax.local_devices()]
    found = max(stats.get("peak_bytes_in_use", 0) for stats in told)
    if found:
        return found
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
