"""The pool that patches are drawn from: two pools of different photographs.

Claim: maps hardly depend on which natural photographs the patches come from (Hu et al., the
ablation of the pool, DIV2K against Flickr2K). Here: the bundled pool of training photographs,
against patches of the bundled scenes, the one of the map left out.

    cem-jax figures pool

Numbers: docs/results/pool.json (preset compact, 262 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.panels import gallery
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("SwinIR", "RCAN", "SRResNet", "EDSR")
"""Of which the first three that are there are shown."""
POOLS = {"default": "bundled pool", "others": "other scenes"}


def compute(study: Study) -> dict[str, Any]:
    """Maps of one scene with both pools, and how far they agree."""
    place, networks = study.shown("SR")[0], []
    for subject in study.subjects(NETWORKS, 3).values():
        keys = {pool: study.map(subject, "SR", place, pool=pool) for pool in POOLS}
        first, second = (study.store.map(key) for key in keys.values())
        outside = ~first.inside_roi
        one, other = first.effect[outside], second.effect[outside]
        clear = (np.abs(one) >= 2 * first.standard_error[outside]) & (
            np.abs(one) >= first.tolerance
        )
        networks.append(
            {
                "network": subject.label,
                "correlation": float(np.corrcoef(one, other)[0, 1]),
                "same_sign": float(100 * (np.sign(one) == np.sign(other))[clear].mean()),
                "cells": [
                    {"pool": pool, "map": key, **galleries.numbers(study, key)}
                    for pool, key in keys.items()
                ],
            }
        )
    return {"scene": place.name, "networks": networks}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each network."""
    rows = [
        (
            network["network"],
            [(POOLS[cell["pool"]], store.map(cell["map"])) for cell in network["cells"]],
        )
        for network in results["networks"]
    ]
    return gallery(rows, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = [
        f"{network['network']} "
        + " and ".join(f"[{cell['low']:+.2f}, {cell['high']:+.2f}] dB" for cell in network["cells"])
        + f", correlation {network['correlation']:.2f}"
        for network in results["networks"]
    ]
    return f"{results['scene']}: " + "; ".join(parts) + "."
