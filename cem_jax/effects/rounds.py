"""Rounds of draws: plans say which should exist next, and a sweep evaluates them.

Several regions may share a sweep. Each has a plan of its own, which sees no draws but those that it
asked for, so that a region's draws are the same in whatever company.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from cem_jax.effects.progress import show_progress
from cem_jax.effects.request import Request
from cem_jax.store.processes import own_share, together
from cem_jax.store.resume import keep_outcomes
from cem_jax.store.store import Log, read_outcomes
from cem_jax.sweep.sweep import Sweep


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What the rounds gave.

    Args:
        values: each region's outcomes [cells, capacity, k], NaN where its plan asked for none.
        baseline: outcomes without an intervention, [r, k].
        restored: what was scored, without an intervention, uint8 [h, w, c].
        resumed: how many draws of the first region had been kept before.
        seconds: that all of it took, in this run and those before.
        note: what was computed for an intervention, in words.
        devices: how many devices computed, and of which kind.
    """

    values: Sequence[np.ndarray]
    baseline: np.ndarray
    restored: np.ndarray
    resumed: int
    seconds: float
    note: str
    devices: str


@contextlib.contextmanager
def opened(request: Request, folder: Path | None) -> Iterator[Log | None]:
    """The sweep's log, before any work: who cannot keep it need not begin."""
    if folder is None:
        yield None
    else:
        with Log(folder, jax.process_index() if request.shared else 0) as log:
            yield log


def draw(
    request: Request,
    sweep: Sweep,
    active: Sequence[np.ndarray],
    folder: Path | None,
    log: Log | None,
    progress: bool,
    begun: float,
) -> Drawn:
    """Draws until every region's plan has what it wants.

    Args:
        request: what is asked for.
        sweep: of the regions.
        active: for each region the blocks that can reach it and are not its own, bool [cells].
        folder: where outcomes of earlier runs are kept, or None.
        log: receives the new ones.
        progress: show rate, time left and the first region's map so far on a terminal.
        begun: `time.perf_counter()` when the work began.

    Raises:
        ValueError: an outcome is not finite; the message names the block.
        OSError: the disk is full; what was computed is kept.
    """
    name, each = request.network.name, len(request.scores)
    one = np.zeros(1, np.int64)
    flat, restored = sweep.baseline(request.work(sweep, one, one))
    if not np.isfinite(flat).all():
        raise ValueError(f"network={name}: the region's outcome is {flat.tolist()}")
    baseline = flat.reshape(len(active), each)
    plans = [request.steering(float(own[0])) for own in baseline]
    known = np.full((active[0].size, request.plan.capacity, flat.size), np.nan, np.float32)
    spent = 0.0 if folder is None else read_outcomes(folder, known)
    known = together(known) if request.shared else known
    resumed = int(np.isfinite(known[..., 0]).sum())
    asked = np.zeros((len(active), *known.shape[:2]), bool)

    def seen(region: int, outcome: int = 0) -> np.ndarray:
        return np.where(asked[region], known[..., region * each + outcome], np.nan)

    with contextlib.ExitStack() as stack:
        shape = request.grid.shape
        bar = stack.enter_context(show_progress(name, shape)) if progress else None
        while True:
            new = [
                plan.wanted(seen(region), float(baseline[region, 0]), cells) & ~asked[region]
                for region, (plan, cells) in enumerate(zip(plans, active, strict=True))
            ]
            if not np.any(new):
                break
            cells, draws = np.nonzero(np.any(new, axis=0) & np.isnan(known[..., 0]))
            asked |= np.stack(new)
            if request.shared:
                cells, draws = own_share(cells, draws)
            chunks = sweep.evaluate(request.work(sweep, cells, draws)) if len(cells) else iter(())
            for part, found in keep_outcomes(chunks, log, cells, draws):
                if not np.isfinite(found).all():
                    row, column = divmod(int(cells[part][0]), request.grid.columns)
                    raise ValueError(
                        f"network={name}: an outcome is not finite after an intervention "
                        f"at block ({row}, {column})"
                    )
                known[cells[part], draws[part]] = found
                if bar is not None:
                    bar.advance(len(part), len(cells), seen(0), float(baseline[0, 0]))
            known = together(known) if request.shared else known
    values = [
        np.stack([seen(region, outcome) for outcome in range(each)], axis=-1)
        for region in range(len(active))
    ]
    return Drawn(
        values, baseline, restored, resumed, time.perf_counter() - begun + spent, sweep.note,
        f"{sweep.mesh.size} {jax.default_backend()}",
    )  # fmt: skip
