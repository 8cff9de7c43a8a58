"""Rounds of draws: plans say which should exist next, and a sweep evaluates them.

Several regions may share a sweep. Each has a plan of its own, which sees no draws but those that it
asked for, so that a region's draws do not depend on the others.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from cem_jax.effects.progress import State
from cem_jax.effects.request import Request, Sweeps
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import visible
from cem_jax.store.processes import exchange, own_share
from cem_jax.store.resume import keep_outcomes
from cem_jax.store.store import Log, ObjectLog, read_outcomes


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes:
    """What the rounds gave.

    Args:
        values: each region's outcomes [cells, capacity, k], NaN where its plan asked for none.
        baseline: outcomes without an intervention, [r, k].
        restored: what was scored, without an intervention, uint8 [h, w, c].
        resumed: how many draws of the first region had been kept before.
        seconds: that all of it took, in this run and those before.
        devices: how many devices computed, and of which kind.
    """

    values: Sequence[Float32[np.ndarray, "cells capacity k"]]
    baseline: Float32[np.ndarray, "r k"]
    restored: UInt8[np.ndarray, "h w c"]
    resumed: int
    seconds: float
    devices: str


def draw(
    request: Request,
    sweep: Sweeps,
    active: Sequence[Bool[np.ndarray, " cells"]],
    log: Log | ObjectLog | None,
    begun: float,
    so_far: Callable[[Outcomes], EffectMap] | None = None,
) -> Outcomes:
    """Draws until every region's plan has what it wants.

    Args:
        request: what is asked for.
        sweep: of the regions.
        active: for each region the blocks that can reach it and are not its own, bool [cells].
        log: holds the outcomes of earlier runs and receives the new ones, or None.
        begun: `time.perf_counter()` when the work began.
        so_far: makes the map of the first region from what was drawn, for those who follow.

    Raises:
        ValueError: an outcome is not finite; the message names the block.
        OSError: the disk is full; what was computed is kept.
    """
    baseline, restored = _baseline(request, sweep, active)
    known = np.full((active[0].size, request.plan.capacity, baseline.size), np.nan, np.float32)
    spent = 0.0 if log is None else read_outcomes(log.folder, known)
    known = exchange(known) if request.compute.shared else known
    resumed = int(np.isfinite(known[..., 0]).sum())

    def outcomes(values: Sequence[np.ndarray]) -> Outcomes:
        return Outcomes(
            values, baseline, restored, resumed, time.perf_counter() - begun + spent,
            f"{sweep.mesh.size} {jax.default_backend()}",
        )  # fmt: skip

    make = None if so_far is None else lambda values: so_far(outcomes(values))
    with request.compute.progress.follow(visible(request.network.name)) as show:
        return outcomes(_rounds(request, sweep, active, baseline, known, log, show, make))


def _baseline(
    request: Request, sweep: Sweeps, active: Sequence[Bool[np.ndarray, " cells"]]
) -> tuple[Float32[np.ndarray, "regions k"], UInt8[np.ndarray, "h w c"]]:
    """Outcomes without an intervention, [r, k], and what is scored; the network is checked by it.

    Raises:
        ValueError: an outcome is not finite, or what the network is said to be does not hold.
    """
    one = np.zeros(1, np.int64)
    flat, restored = sweep.baseline(request.interventions(sweep, one, one))
    if not np.isfinite(flat).all():
        raise ValueError(
            f"network={request.network.name}: the region's outcome is not finite: {flat.tolist()}"
        )
    first = np.flatnonzero(np.any(active, axis=0))[:1]
    other = request.interventions(sweep, first, np.zeros_like(first)) if len(first) else None
    sweep.check(flat, restored, other)
    return flat.reshape(len(active), len(request.scores)), restored


def _rounds(
    request: Request,
    sweep: Sweeps,
    active: Sequence[Bool[np.ndarray, " cells"]],
    baseline: Float32[np.ndarray, "r k"],
    known: Float32[np.ndarray, "cells capacity r*k"],
    log: Log | ObjectLog | None,
    show: Callable[[State], None],
    make: Callable[[Sequence[np.ndarray]], EffectMap] | None,
) -> list[Float32[np.ndarray, "cells capacity k"]]:
    """The outcomes [cells, capacity, k] of every region that its plan asked for."""
    shared, each = request.compute.shared, len(request.scores)
    asked = np.zeros((len(active), *known.shape[:2]), bool)

    def seen(region: int, outcome: int = 0) -> Float32[np.ndarray, "cells capacity"]:
        return np.where(asked[region], known[..., region * each + outcome], np.nan)

    def effects() -> Float[np.ndarray, "rows columns"]:
        values = seen(0)
        count = np.isfinite(values).sum(axis=1)
        mean = baseline[0, 0] - np.nansum(values, axis=1) / np.maximum(count, 1)
        return np.where(count > 0, mean, np.nan).reshape(request.grid.shape)

    def values() -> list[np.ndarray]:
        return [
            np.stack([seen(region, outcome) for outcome in range(each)], axis=-1)
            for region in range(len(active))
        ]

    so_far = None if make is None else lambda: make(values())
    plans = [request.steering(float(own[0])) for own in baseline]
    stage = 0
    while True:
        new = [
            plan.wanted(seen(region), float(baseline[region, 0]), cells) & ~asked[region]
            for region, (plan, cells) in enumerate(zip(plans, active, strict=True))
        ]
        if not np.any(new):
            break
        cells, draws = np.nonzero(np.any(new, axis=0) & np.isnan(known[..., 0]))
        asked |= np.stack(new)
        if shared:
            cells, draws = own_share(cells, draws)
        if len(cells):
            stage, begun, done = stage + 1, time.monotonic(), 0
            chunks = sweep.evaluate(request.interventions(sweep, cells, draws))
            # Closed, so that what is not written yet is written before the log is given free.
            with contextlib.closing(keep_outcomes(chunks, log, cells, draws)) as kept:
                for part, found in kept:
                    _check_finite(request, cells[part], found)
                    known[cells[part], draws[part]] = found
                    done += len(part)
                    seconds = time.monotonic() - begun
                    why = request.network.note if request.network.on_host else ""
                    show(State(stage, done, len(cells), seconds, effects, so_far, why))
        known = exchange(known) if shared else known
    return values()


def _check_finite(
    request: Request, cells: Int[np.ndarray, " n"], found: Float32[np.ndarray, "n outcomes"]
) -> None:
    """Refuses outcomes [n, k] that are not finite, and names the block."""
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        row, column = divmod(int(cells[bad][0]), request.grid.columns)
        raise ValueError(
            f"network={request.network.name}: an outcome is not finite after an intervention "
            f"at block ({row}, {column})"
        )
