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
    """What a plan made of a recorded map: its estimate, draws of each block, rounds."""

    estimate: Estimate
    drawn: np.ndarray
    rounds: int


def blocks_of_the_map(task: str) -> np.ndarray:
    """How many blocks of the whole map each recorded one stands for, float [blocks]."""
    stands = np.ones(len(recorded_change(task)))
    # Beyond the two rings around the region, super-resolution has 512 blocks in reach.
    stands[48:] = 512 / max(len(stands) - 48, 1)
    return stands


def play(plan: cem.Plan, change: np.ndarray, pool: cem.PatchPool, seed: int) -> Played:
    """Runs a plan as a sweep does; a draw takes the recorded outcome of its patch.

    A plan with a seed of its own gets `seed`.
    """
    if hasattr(plan, "seed"):
        plan = dataclasses.replace(plan, seed=seed)  # type: ignore[type-var]
    shape = (len(change), plan.capacity)
    chosen = plan.patches(pool)
    if chosen is None:
        chosen = np.random.default_rng(seed).integers(len(pool), size=shape)
    outcomes = -np.take_along_axis(change, np.broadcast_to(chosen, shape), axis=1)
    values, rounds = np.full(shape, np.nan, np.float32), 0
    while True:
        wanted = plan.wanted(values, 0.0, np.ones(len(change), bool)) & np.isnan(values)
        if not wanted.any():
            break
        values[wanted] = outcomes[wanted]
        rounds += 1
    return Played(plan.estimate(values, 0.0, pool), np.isfinite(values).sum(axis=1), rounds)
