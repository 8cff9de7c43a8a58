"""`Adaptive` on the worst outcomes that were thought of: how often a block is decided wrongly.

    python benchmarks/deceptive.py [--repeats 30] [--blocks 48]

Each case (tests/deceptive.py) is a map in which few patches carry the effects, or outcomes have
heavy tails. It is made and played again and again. Figures, of a map's blocks:

- wrong: share that is decided, and decided wrongly; its standard error beside it. `Adaptive` aims
  at 5 % at most;
- undecided: share that is left open;
- draws: of a block;
- t alone: the share decided wrongly by t intervals from two draws on, without the rest.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import cem_jax as cem

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from deceptive import CASES, RARER, Case, TAlone, deceptive_pool
from recorded import play


def sides(effect: np.ndarray) -> np.ndarray:
    """Positive, negative or zero at 0.01 dB: 1, -1, 0."""
    return np.where(np.abs(effect) < 0.01, 0, np.sign(effect))


def judged(plan: cem.Plan, case: Case, blocks: int, repeats: int) -> np.ndarray:
    """Shares decided wrongly and undecided, and draws of a block, [repeats, 3]."""
    pool, found = deceptive_pool(), []
    for seed in range(repeats):
        change = case(np.random.default_rng(seed), blocks, len(pool))
        played = play(plan, change, pool, seed)
        estimate = played.estimate
        wrong = ~estimate.undecided & (sides(estimate.effect) != sides(change.mean(axis=1)))
        found.append((wrong.mean(), estimate.undecided.mean(), played.drawn.mean()))
    return np.array(found)


def main() -> None:
    """Prints a table for the cases within the promise, and one for those beyond."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--blocks", type=int, default=48)
    args = parser.parse_args()
    tables = [
        ("3 % of the patches and more", cem.Adaptive(), CASES),
        ("fewer patches", cem.Adaptive(), RARER),
        ("fewer patches, Adaptive(rare=0.005)", cem.Adaptive(rare=0.005), RARER),
    ]
    for title, plan, cases in tables:
        print(f"\n{title}: {args.blocks} blocks, {args.repeats} repeats\n")
        print("| outcomes | wrong | undecided | draws | t alone |\n| --- | --- | --- | --- | --- |")
        rows = []
        for name, case in cases.items():
            found = judged(plan, case, args.blocks, args.repeats)
            wrong, undecided, draws = found.mean(axis=0)
            error = found[:, 0].std(ddof=1) / args.repeats**0.5
            alone = judged(TAlone(), case, args.blocks, max(args.repeats // 4, 2))[:, 0].mean()
            rows.append((wrong, f"{error:.1%} | {undecided:.0%} | {draws:.1f} | {alone:.0%}", name))
        for wrong, rest, name in sorted(rows, reverse=True):
            print(f"| {name} | {wrong:.1%} +/- {rest} |", flush=True)


if __name__ == "__main__":
    main()
