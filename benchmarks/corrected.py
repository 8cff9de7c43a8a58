"""`Corrected` on networks that see the whole image: bias, coverage, and what it saves.

    python benchmarks/corrected.py [--networks NAME...] [--weights DIR] [--blocks 24] [--draws 16]
                                   [--size SIZE] [--repeats 100] [--copies 8] [--save FILE]
                                   [--read FILE]

For blocks from all over the map, every draw is computed by two windows and on the whole image. Maps
of 40 draws a block are then played on these outcomes, taken with replacement, each recorded block
standing for some of a map; every repeat takes other draws, and other ones for corrections.

- windows ms, whole ms: of one intervention, in seconds of processors, which a busy machine changes
  little; compiling is left out.
- remains: mean square of what two windows miss, over the variance of the draws.
- corrected: share of the draws that were computed exactly too.
- bias, chance: mean over blocks of the size of the repeats' mean error in dB, and what it would be
  of a plan without bias; bias of windows: the same without corrections.
- covered, at worst: how often 95 % intervals hold the truth, on average over the blocks and for the
  worst of them; exact draws: the same of t intervals of as many whole forwards.
- excess: squared standard error, mean over the map, over that of as many whole forwards.
- gain: how many times as long whole forwards take to the same squared standard error.
- limit: that gain if corrections cost nothing and were never needed.

*breaking* is a network on which windows are worth nothing (`tests/corrected_outcomes.py`).
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rates
import subjects
from sweep import text

import cem_jax as cem
from cem_jax.grid import Grid
from cem_jax.outcome import clip, psnr
from cem_jax.sweep.corrected import corrected_sweep
from cem_jax.sweep.layout import Layout

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from corrected_outcomes import Recorded, breaking, play

NETWORKS = (
    "RCAN-compact",
    "RCAN_DN-compact",
    "IMDN",
    "RFDN",
    "Restormer_DN-compact",
    "RNAN-compact",
    "breaking",
)

_DRAWS = 40
_COST = ("windows ms", "whole ms")


class _NotWorthItError(Exception):
    """All of a network's draws are computed exactly."""


def outcomes(sweep, scene, pool, cells, draws):
    """Outcomes [cells, draws], and the seconds of processors that each took."""
    each, number = np.repeat(cells, draws), np.tile(np.arange(draws), len(cells))
    asked = sweep.from_pool(scene.intervene, pool.patches, 0, each, number, None)
    found, begun = np.zeros(len(each), np.float32), time.process_time()
    for part, values in sweep.evaluate(asked):
        found[part] = values[:, 0]
    return found.reshape(len(cells), draws), (time.process_time() - begun) / len(each)


def record(name: str, args: argparse.Namespace) -> tuple[Recorded, dict[str, float]]:
    """Outcomes in both ways, and what they took."""
    network = breaking() if name == "breaking" else subjects.network(name, args.weights)
    size = args.size or (256 if network.scale > 1 else 128)
    pool, scene, roi = (
        cem.PatchPool.default(), subjects.scene(network.scale, size), subjects.roi(size),
    )  # fmt: skip
    roi = cem.ROI(roi.y // 8 * 8, roi.x // 8 * 8, 32, 32)
    grid = Grid.make(*scene.degraded.shape[:2], 8, scene.scale)
    outside = ~grid.near(roi.in_input(scene.scale), 0)
    layout = Layout.make(
        network, scene, (roi,), grid, outside, clip, (psnr,), draws=(3, args.draws)
    )
    both = corrected_sweep(layout, args.draws)
    if both.close is both.exact:
        raise _NotWorthItError(f"{name}: two windows are not worth it: {both.layout.note}")
    cells = rates.spread(np.flatnonzero(layout.reach & outside), args.blocks)
    outcomes(both.close, scene, pool, cells, 1)  # compiles
    outcomes(both.exact, scene, pool, cells[:2], 2)
    close, each = outcomes(both.close, scene, pool, cells, args.draws)
    exact, whole = outcomes(both.exact, scene, pool, cells, args.draws)
    one = both.exact.from_pool(scene.intervene, pool.patches, 0, cells[:1], np.zeros(1, int), None)
    baseline = float(both.exact.baseline(one)[0][0])
    cost = dict(zip(_COST, (1e3 * each, 1e3 * whole), strict=True))
    return Recorded(close, exact, baseline), cost


def row(found: Recorded, cost: dict[str, float], args: argparse.Namespace) -> dict[str, object]:
    """What is measured of one network."""
    close, exact = found.close.astype(np.float64), found.exact.astype(np.float64)
    played = play(Recorded(close, exact, found.baseline), _DRAWS, args.repeats, args.copies)
    error = played.error
    spread = error.std(axis=0, ddof=1) / np.sqrt(args.repeats)
    misses = np.square(exact - close).mean()
    told: dict[str, object] = {
        "remains": float(misses / exact.var(axis=1).mean()),
        "corrected": float(played.made.mean()),
        "bias": float(np.abs(error.mean(axis=0)).mean()),
        "chance": float(0.8 * spread.mean()),
        "bias of windows": float(np.abs((exact - close).mean(axis=1)).mean()),
        "covered": float(played.covered.mean()),
        "at worst": float(played.covered.mean(axis=0).min()),
        "exact draws": played.covered_exactly,
        "excess": played.ratio,
    }
    if cost:
        share = cost["windows ms"] / cost["whole ms"]
        told["gain"] = 1 / (share + played.made.mean()) / played.ratio
        told["limit"] = 1 / share
    return told


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--weights", type=Path, help="folder of official checkpoints")
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--size", type=int, help="of the clean image; else 256 for SR, 128 for DN")
    parser.add_argument("--save", type=Path, help="where the outcomes are kept, .npz")
    parser.add_argument("--read", type=Path, help="outcomes that were kept, in place of new ones")
    args = parser.parse_args()
    cem.use_all_cores()
    kept, rows, names = {}, [], args.networks
    if args.read is not None:
        with np.load(args.read) as file:
            names = [name for name in names if f"{name}/close" in file]
    for name in names:
        if args.read is None:
            try:
                found, cost = record(name, args)
            except _NotWorthItError as error:
                print(error, flush=True)
                continue
        else:
            with np.load(args.read) as file:
                parts = (file[f"{name}/close"], file[f"{name}/exact"], file[f"{name}/baseline"])
                found = Recorded(*parts[:2], float(parts[2]))
                cost = dict(zip(_COST, file.get(f"{name}/cost", ()), strict=False))
        kept |= {f"{name}/{key}": value for key, value in vars(found).items()}
        kept |= {f"{name}/cost": list(cost.values())} if cost else {}
        if args.save is not None:
            np.savez_compressed(args.save, **kept)
        rows.append({"network": name} | cost | row(found, cost, args))
        print(cem.markdown_table([{k: text(v) for k, v in rows[-1].items()}]), flush=True)
    print(cem.markdown_table([{k: text(v) for k, v in one.items()} for one in rows]))


if __name__ == "__main__":
    main()
