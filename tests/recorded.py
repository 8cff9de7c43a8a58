"""Outcomes that the engine computed once, and plans that are played on them.

`fixtures/recorded_outcomes.npz` (written by `fixtures/record_outcomes.py`) holds for three maps of
compact networks, at some of their blocks, how far every patch of a pool of 1000 lowers the PSNR
of the region. These patches are the whole population: true effects are means over them.
"""

import dataclasses
from pathlib import Path

import numpy as np

import cem_jax as cem
from cem_jax.plans.estimate import Estimate
from cem_jax.plans.names import plan_record
from cem_jax.plans.plan import with_tolerance
from cem_jax.pool.strata import patches_at

FIXTURE = Path(__file__).parent / "fixtures" / "recorded_outcomes.npz"
TASKS = ("DN", "SR", "DR")


def recorded_pool() -> cem.PatchPool:
    """The patches of the recording, in its order."""
    return cem.PatchPool(cem.PatchPool.default().patches[::10], "every 10th")


def recorded_change(task: str) -> np.ndarray:
    """PSNR lost by each patch at each block, float64 [blocks, 1000] in dB."""
    with np.load(FIXTURE) as file:
        return file[f"{task}_change"].astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Played:
    """What a plan made of a recorded map: its estimate, outcomes of each block, rounds."""

    estimate: Estimate
    values: np.ndarray
    rounds: int

    @property
    def drawn(self) -> np.ndarray:
        """Draws of each block."""
        return np.isfinite(self.values).sum(axis=1)


def whole_map(task: str) -> np.ndarray:
    """The recording as a map of all blocks that reach the region, float64 [blocks, 1000] in dB.

    Beyond the two rings around the region, super-resolution has 512 blocks in reach; the recorded
    ones among them are repeated.
    """
    change = recorded_change(task)
    if task != "SR":
        return change
    beyond = len(change) - 48
    return change[np.concatenate([np.arange(48), 48 + np.arange(512) % beyond])]


def play(plan: cem.Plan, change: np.ndarray, pool: cem.PatchPool, seed: int) -> Played:
    """Runs a plan as a sweep does; a draw takes the recorded outcome of its patch.

    A plan with a seed of its own gets `seed`; one without a tolerance that of PSNR, 0.01 dB.
    """
    if hasattr(plan, "seed"):
        plan = dataclasses.replace(plan, seed=seed)  # type: ignore[type-var]
    shape = (len(change), plan.capacity)
    plan, table = with_tolerance(plan, 0.01), plan.patches(pool)
    if table is None:
        chosen = np.random.default_rng(seed).integers(len(pool), size=shape)
    else:
        chosen = patches_at(table, *np.indices(shape))
    outcomes = -np.take_along_axis(change, chosen, axis=1)
    values, rounds = np.full(shape, np.nan, np.float32), 0
    while True:
        wanted = plan.wanted(values, 0.0, np.ones(len(change), bool)) & np.isnan(values)
        if not wanted.any():
            break
        values[wanted] = outcomes[wanted]
        rounds += 1
    return Played(plan.estimate(values, 0.0, pool), values, rounds)


def played_map(plan: cem.Plan, change: np.ndarray, pool: cem.PatchPool, seed: int) -> cem.EffectMap:
    """What a plan makes of recorded outcomes, as a map of one row and a region outside of it."""
    if hasattr(plan, "seed"):
        plan = dataclasses.replace(plan, seed=seed)  # type: ignore[type-var]
    found = play(plan, change, pool, seed)
    estimate, shape = found.estimate, (1, len(change))
    return cem.EffectMap(
        effect=estimate.effect.reshape(shape),
        standard_error=estimate.standard_error.reshape(shape),
        samples=estimate.samples.reshape(shape),
        undecided=estimate.undecided.reshape(shape),
        inside_roi=np.zeros(shape, bool),
        values=found.values.reshape(*shape, -1),
        baseline=0.0,
        tolerance=0.01,
        roi=cem.ROI(8, 0, 8, 8),
        block=8,
        scale=1,
        task="custom",
        degraded=np.zeros((16, 8 * len(change), 3), np.uint8),
        provenance={"plan": plan_record(plan), "network": "recorded", "seconds": 0.0},
    )
