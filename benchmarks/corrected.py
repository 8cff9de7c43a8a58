"""`Corrected` on real networks: bias, coverage, and what it saves at equal standard error.

    python benchmarks/corrected.py [--networks NAME...] [--weights DIR] [--blocks 12] [--draws 40]
                                   [--share 0.02] [--repeats 200] [--size SIZE]

For blocks from all over the map, every draw is computed by two windows and on the whole image.
Plans are then played on these outcomes: each repeat takes other draws for corrections. *bias* is
the mean over blocks of the size of the repeats' mean error, *chance* what it would be of an
unbiased plan; *covered* and *at worst* how often 95 % intervals hold the mean of the exact draws,
on average over the blocks and for the worst of them, where only the corrections' share of the error
counts. *gain* is how many times as many whole forwards a second would have to be made for the same
standard error as the windows and the corrections take.
"""

import argparse
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

NETWORKS = (
    "RCAN-compact",
    "RCAN_DN-compact",
    "IMDN",
    "RFDN",
    "Restormer_DN-compact",
    "RNAN-compact",
)


def outcomes(sweep, scene, pool, cells, draws):
    """Outcomes [cells, draws] and the seconds that they took."""
    each, number = np.repeat(cells, draws), np.tile(np.arange(draws), len(cells))
    asked = sweep.from_pool(scene.intervene, pool.patches, 0, each, number, None)
    found = np.zeros(len(each), np.float32)
    begun = time.perf_counter()
    for part, values in sweep.evaluate(asked):
        found[part] = values[:, 0]
    return found.reshape(len(cells), draws), time.perf_counter() - begun


def row(name: str, args: argparse.Namespace) -> dict[str, object]:
    """What is measured of one network."""
    network = subjects.network(name, args.weights)
    size = args.size or (256 if network.scale > 1 else 128)
    scene, roi, pool = (
        subjects.scene(network.scale, size),
        subjects.roi(size),
        cem.PatchPool.default(),
    )
    roi = cem.ROI(roi.y // 8 * 8, roi.x // 8 * 8, 32, 32)
    grid = Grid.make(*scene.degraded.shape[:2], 8, scene.scale)
    outside = ~grid.near(roi.in_input(scene.scale), 0)
    layout = Layout.make(
        network, scene, (roi,), grid, outside, clip, (psnr,), draws=(3, args.draws)
    )
    both = corrected_sweep(layout, args.draws)
    if both.close is both.exact:
        return {"network": name, "computed": both.layout.note}
    cells = rates.spread(np.flatnonzero(layout.reach & outside), args.blocks)
    for sweep in (both.close, both.exact):
        outcomes(sweep, scene, pool, cells[:2], 2)  # compiles
    close, windows = outcomes(both.close, scene, pool, cells, args.draws)
    exact, whole = outcomes(both.exact, scene, pool, cells, args.draws)
    each, forward = windows / close.size, whole / exact.size
    truth, errors, held, variance = -exact.mean(axis=1, dtype=np.float64), [], [], []
    for seed in range(args.repeats):
        plan = cem.Corrected(cem.Fixed(args.draws), share=args.share, tolerance=0.01, seed=seed)
        chosen = plan.chosen(len(cells))
        values = np.concatenate([close, np.where(chosen, exact, np.nan)], axis=1)
        found = plan.estimate(values, 0.0, pool)
        own = cem.Fixed(args.draws, tolerance=0.01).estimate(exact, 0.0, pool).standard_error
        # The draws are the same in every repeat: what varies is which of them are corrected.
        part = np.sqrt(np.maximum(found.standard_error**2 - own**2, 0))
        errors.append(found.effect - truth)
        held.append(np.abs(errors[-1]) <= 1.96 * part)
        variance.append(found.standard_error**2)
    error = np.stack(errors)
    spread = error.std(axis=0, ddof=1) / np.sqrt(args.repeats)
    ratio = float(np.nanmean(variance)) / float(np.square(own).mean())
    return {
        "network": name,
        "windows ms": 1e3 * each,
        "whole ms": 1e3 * forward,
        "correction dB": float(np.sqrt(np.mean(np.square(exact - close, dtype=np.float64)))),
        "bias": float(np.abs(error.mean(axis=0)).mean()),
        "chance": float(0.8 * spread.mean()),
        "bias of windows": float(np.abs(-close.mean(axis=1) - truth).mean()),
        "covered": float(np.mean(held)),
        "at worst": float(np.mean(held, axis=0).min()),
        "gain": forward / (each + args.share * forward) / ratio,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--weights", type=Path, help="folder of official checkpoints")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--size", type=int, help="of the clean image; else 256 for SR, 128 for DN")
    args = parser.parse_args()
    cem.use_all_cores()
    for name in args.networks:
        found = row(name, args)
        lines = [{key: text(value) for key, value in found.items()}]
        print(cem.markdown_table(lines), flush=True)


if __name__ == "__main__":
    main()
