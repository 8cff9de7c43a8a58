"""Plans compared on recorded outcomes: evaluations, errors, decisions, coverage.

    python benchmarks/plans.py [--repeats 30]

Each plan is played again and again, with other seeds, on three recorded maps whose true effects are
known (tests/recorded.py): no network runs. Figures are for the whole map.

- error: root-mean-square error of the effect over the blocks that can reach the region;
- stated: the root-mean-square standard error;
- bias: root mean square, over these blocks, of the mean error over the repeats (which has chance
  in it: error / sqrt(repeats));
- wrong: blocks whose estimate is on another side of the tolerance than the truth; of these,
  decided: not marked undecided;
- t intervals alone: `Adaptive` without what keeps it from being fooled (benchmarks/deceptive.py);
- covered: share of 95 % intervals that hold the truth, over the blocks that some patch moves by
  0.0001 dB, and at worst, for a single block.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import cem_jax as cem
from cem_jax.plans.estimate import interval
from cem_jax.plans.plan import Drawn, with_tolerance

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from deceptive import TAlone
from recorded import TASKS, play, recorded_pool, whole_map

PLANS = {
    "CoarseToFine(3, 50)": cem.CoarseToFine(3, 50),
    "CoarseToFine(3, 75)": cem.CoarseToFine(3, 75),
    "Fixed(50)": cem.Fixed(50),
    "Adaptive()": cem.Adaptive(),
    "Adaptive(equivalent=30)": cem.Adaptive(equivalent=30),
    "Adaptive(equivalent=50)": cem.Adaptive(equivalent=50),
    "Adaptive(most=16, confidence=0.9)": cem.Adaptive(most=16, confidence=0.9),
    "Adaptive(most=64)": cem.Adaptive(most=64),
    "t intervals alone": TAlone(),
    "Stratified(8)": cem.Stratified(8),
    "Stratified(16)": cem.Stratified(16),
    "Stratified(32)": cem.Stratified(32),
    "Quadrature(8)": cem.Quadrature(8),
    "Quadrature(16)": cem.Quadrature(16),
    "Quadrature(32)": cem.Quadrature(32),
}


def sides(effect: np.ndarray, tolerance: float) -> np.ndarray:
    """Positive, negative or zero at the tolerance: 1, -1, 0."""
    return np.where(np.abs(effect) < tolerance, 0, np.sign(effect))


def compare(task: str, plan: cem.Plan, repeats: int, pool: cem.PatchPool) -> dict[str, float]:
    """A plan's figures on a recorded map.

    Args:
        task: which map.
        plan: the plan.
        repeats: seeds; a plan without chance is played once.
        pool: the recorded patches.
    """
    plan = with_tolerance(plan, 0.01)
    change = whole_map(task)
    truth, moved = change.mean(axis=1), np.abs(change).max(axis=1) > 1e-4
    if isinstance(plan, cem.Quadrature):
        repeats = 1
    played = [play(plan, change, pool, seed) for seed in range(repeats)]
    effect, error, samples, undecided = (
        np.stack([getattr(one.estimate, name) for one in played])
        for name in ("effect", "standard_error", "samples", "undecided")
    )
    drawn = np.mean([one.drawn for one in played], axis=0)
    degrees = plan.drawing.degrees(samples) if isinstance(plan, Drawn) else samples - 1.0
    low, high = interval(effect, error, degrees, 0.95)
    covered = ((low <= truth) & (truth <= high)).mean(axis=0)[moved]
    wrong = sides(effect, plan.tolerance) != sides(truth, plan.tolerance)

    known = np.isfinite(error).all()
    return {
        "evaluations": float(drawn.sum()),
        "error": float(np.square(effect - truth).mean() ** 0.5),
        "stated": float(np.square(error).mean() ** 0.5),
        "bias": float(np.square((effect - truth).mean(axis=0)).mean() ** 0.5),
        "wrong": float(wrong.mean(axis=0).sum()),
        "decided": float((wrong & ~undecided).mean(axis=0).sum()),
        "undecided": float(undecided.mean(axis=0).sum()),
        "covered": float(covered.mean()) if known else float("nan"),
        "at worst": float(covered.min()) if known else float("nan"),
        "rounds": float(np.mean([one.rounds for one in played])),
    }


def main() -> None:
    """Prints a table for each recorded map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    repeats, pool = parser.parse_args().repeats, recorded_pool()
    for task in TASKS:
        print(f"\n{task}: {len(whole_map(task))} blocks, {repeats} repeats, errors in dB\n")
        found = {name: compare(task, plan, repeats, pool) for name, plan in PLANS.items()}
        keys = list(next(iter(found.values())))
        print(f"| plan | {' | '.join(keys)} |\n| --- |{' --- |' * len(keys)}")
        paper = found["CoarseToFine(3, 50)"]["evaluations"]
        for name, row in found.items():
            evaluations, *others = row.values()
            cells = [f"{evaluations:.0f} ({evaluations / paper:.0%})"]
            cells += [f"{value:.4f}" if value < 0.02 else f"{value:.2f}" for value in others]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
