"""The side of a block: coarse blocks have large effects, fine ones show where they come from.

Claim: signs and places agree between sides, sizes do not: an effect is that of its block (Hu et
al., the ablation of the patch size). All pools hold patches of the same photographs.

    cem-jax figures patch-size

Numbers: docs/results/patch-size.json (preset compact, 797 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

import cem_jax as cem
from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.panels import gallery
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("SRResNet", "RCAN", "SwinIR", "EDSR")
"""Of which the first three that are there are shown."""
SIDES = (32, 8, 4)
_MIDDLE = 8


def _coarsened(effect_map: cem.EffectMap, times: int) -> Float[np.ndarray, "rows columns"]:
    """Sums of effects over squares of blocks, [rows, columns]; NaN where the region is touched."""
    rows, columns = (side // times for side in effect_map.effect.shape)
    squares = effect_map.effect[: rows * times, : columns * times]
    return squares.reshape(rows, times, columns, times).sum(axis=(1, 3))


def _agreement(fine: cem.EffectMap, coarse: cem.EffectMap) -> float | None:
    """Correlation of a map with a finer one, summed over its blocks."""
    summed = _coarsened(fine, coarse.block // fine.block)
    both = np.isfinite(summed) & np.isfinite(coarse.effect)
    if both.sum() < 3 or not summed[both].std() or not coarse.effect[both].std():
        return None
    return float(np.corrcoef(summed[both], coarse.effect[both])[0, 1])


def compute(study: Study) -> dict[str, Any]:
    """Maps of one scene with blocks of three sides."""
    place = study.counted[0]
    networks = []
    for subject in study.subjects(NETWORKS, 3).values():
        keys = {side: study.map(subject, "SR", place, block=side, pool="others") for side in SIDES}
        maps = {side: study.store.map(key) for side, key in keys.items()}
        cells = [
            {"side": side, "map": key, **galleries.numbers(study, key)}
            for side, key in keys.items()
        ]
        agreement = {
            "32 with 8": _agreement(maps[_MIDDLE], maps[32]),
            "8 with 4": _agreement(maps[4], maps[_MIDDLE]),
        }
        networks.append({"network": subject.label, "cells": cells, "agreement": agreement})
    return {"scene": place.name, "networks": networks}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each network."""
    rows = []
    for network in results["networks"]:
        maps = [(f"{c['side']} x {c['side']}", store.map(c["map"])) for c in network["cells"]]
        rows.append((network["network"], maps))
    return gallery(rows, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for network in results["networks"]:
        ranges = ", ".join(
            f"{cell['side']}: [{cell['low']:+.2f}, {cell['high']:+.2f}] dB"
            for cell in network["cells"]
        )
        parts.append(f"{network['network']} {ranges}")
    return f"{results['scene']}: " + "; ".join(parts) + "."
