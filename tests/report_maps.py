"""Maps made up for the report: every kind of block, without a network."""

import dataclasses
from typing import Any

import numpy as np

import cem_jax as cem
from cem_jax.map.extremes import Extremes, extreme_draws
from cem_jax.plans.drawing import RandomDraws
from cem_jax.plans.estimate import decided_by_intervals

BLOCK = 8


def made_map(
    network: str = "net",
    shape: tuple[int, int] = (14, 18),
    draws: int = 20,
    seed: int = 0,
    roi: cem.ROI | None = None,
    reach: float = 5.0,
    few: float = 4.0,
    noise: int = 0,
    image: np.ndarray | None = None,
    **changes: Any,
) -> cem.EffectMap:
    """A map with blocks that help, harm, are uncertain, are small, and cannot reach the region.

    Args:
        network: its name.
        shape: rows and columns of blocks.
        draws: for each block.
        seed: of all that is random.
        roi: the region; None takes one of 16 x 16 pixels.
        reach: farthest block with an effect, in blocks from the region's centre.
        few: distance beyond which blocks have three draws.
        noise: grey levels by which every pixel of every restored region changes at random.
        image: the input, uint8 [h, w, 3], instead of a bundled one; it says rows and columns.
        changes: fields of the map to be replaced.
    """
    rng = np.random.default_rng(seed)
    roi = cem.ROI(48, 64, 16, 16) if roi is None else roi
    if image is not None:
        shape = (-(-image.shape[0] // BLOCK), -(-image.shape[1] // BLOCK))
    rows, columns = shape
    row, column = np.mgrid[:rows, :columns]
    inside = (row * BLOCK < roi.y + roi.height) & (row * BLOCK + BLOCK > roi.y)
    inside &= (column * BLOCK < roi.x + roi.width) & (column * BLOCK + BLOCK > roi.x)
    centre = (roi.y + roi.height / 2) / BLOCK - 0.5, (roi.x + roi.width / 2) / BLOCK - 0.5
    distance = np.hypot(row - centre[0], column - centre[1])
    true = 0.5 * np.exp(-distance / 3) * np.sin(row + seed + column / 2)
    active = ((distance < reach) & ~inside).reshape(-1)
    baseline = 27.25
    fall = true[..., None] + (0.01 + 1.5 * np.abs(true[..., None])) * rng.normal(
        size=(*shape, draws)
    )
    values = (baseline - fall).reshape(-1, draws).astype(np.float32)
    values[~active] = np.nan
    values[(distance > few).reshape(-1), 3:] = np.nan
    tolerance = 0.01
    means = RandomDraws().means(baseline - values, np.isfinite(values))
    estimate = decided_by_intervals(means, tolerance)
    cells, chosen = extreme_draws(values, active & (np.abs(estimate.effect) >= tolerance))

    if image is None:
        image = cem.example_image("facade")[: rows * BLOCK, : columns * BLOCK]
    restored = image[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
    regions = np.repeat(restored[None, None].astype(int), 2, axis=1).repeat(len(cells), axis=0)
    for which, (top, left) in enumerate([(0, 0), (4, 8)]):
        part = regions[:, which, top : top + 6, left : left + 5]
        part += rng.integers(-90, 90, part.shape)
    regions += rng.integers(-noise, noise + 1, regions.shape)
    pool = cem.PatchPool.default().patches
    blank = np.where(inside, np.nan, 0.0)
    found = cem.EffectMap(
        effect=estimate.effect.reshape(shape) + blank,
        standard_error=estimate.standard_error.reshape(shape) + blank,
        samples=estimate.samples.reshape(shape),
        undecided=estimate.undecided.reshape(shape),
        inside_roi=inside,
        values=values.reshape(*shape, draws),
        baseline=baseline,
        tolerance=tolerance,
        roi=roi,
        block=BLOCK,
        scale=1,
        task="DN",
        degraded=image,
        provenance={
            "network": network,
            "plan": {"plan": "fixed", "n": draws, "tolerance": None},
            "seed": seed,
            "seconds": 1.0,
        },
        extremes=Extremes(
            cells,
            chosen,
            pool[rng.integers(len(pool), size=(len(cells), 2))],
            np.clip(regions, 0, 255).astype(np.uint8),
            restored,
            255 - restored,
        ),
    )
    return dataclasses.replace(found, **changes)


def largest_maps() -> list[cem.EffectMap]:
    """Four networks, 32 x 32 blocks with 50 draws, all of them with an effect and pictures."""
    roi = cem.ROI(96, 88, 32, 32)
    names = ("first", "second", "third", "fourth")
    return [
        made_map(name, (32, 32), 50, seed, roi, reach=100.0, few=100.0, noise=1)
        for seed, name in enumerate(names)
    ]
