"""Galleries: the maps of many networks side by side, for the figures sr, dn and dr.

Where a folder of weights is given, all official networks of the task in it are shown, and no
others. Without one the bundled networks are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures.panels import gallery
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study, load

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make(study: Study, task: str, names: Sequence[str]) -> dict[str, Any]:
    """Makes the maps.

    Args:
        study: where.
        task: "SR", "DN" or "DR".
        names: architectures that are shown where there are no official networks of the task.

    Returns:
        {"rows": [{"scene", "maps": [{"network", "map", numbers}]}]}.
    """
    found = study.official(task) or study.subjects(names, study.preset.most)
    cells: dict[str, list[dict[str, Any]]] = {place.name: [] for place in study.shown(task)}
    for subject in found.values():  # a network's scenes in turn, so that it is compiled once
        for place in study.shown(task):
            key = study.map(subject, task, place)
            luma = " (luma)" if load(subject).channels == 1 else ""
            cell = {"network": f"{subject.label}{luma}", "map": key, **numbers(study, key)}
            cells[place.name].append(cell)
    return {"rows": [{"scene": name, "maps": maps} for name, maps in cells.items()]}


def numbers(study: Study, key: str) -> dict[str, Any]:
    """What is printed of a map: PSNR and range in dB, shares in %."""
    effect_map = study.store.map(key)
    counts, span = effect_map.counts, effect_map.range
    total = sum(counts)
    return {
        "psnr": effect_map.baseline,
        "low": span.min,
        "high": span.max,
        "positive": 100 * counts.positive / total,
        "negative": 100 * counts.negative / total,
        "certain": 100 * sum(certain(effect_map)) / total,
    }


def certain(effect_map: cem.EffectMap) -> tuple[int, int]:
    """How many blocks help, and how many harm, by effects whose 95 % interval does not hold 0.

    Args:
        effect_map: the map.
    """
    low, high = effect_map.interval()
    large = ~effect_map.inside_roi & (np.abs(effect_map.effect) >= effect_map.tolerance)
    return int((large & (low > 0)).sum()), int((large & (high < 0)).sum())


def show(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Draws them, a row for each scene."""
    return gallery(
        [
            (row["scene"], [(cell["network"], store.map(cell["map"])) for cell in row["maps"]])
            for row in results["rows"]
        ],
        colour_map,
    )


def say(results: dict[str, Any]) -> str:
    """The ranges and shares of the first scene, in words."""
    row = results["rows"][0]
    parts = [
        f"{cell['network']} {cell['psnr']:.2f} dB, [{cell['low']:+.2f}, {cell['high']:+.2f}] dB, "
        f"{cell['positive']:.0f} % help, {cell['negative']:.0f} % harm"
        for cell in row["maps"]
    ]
    return f"{row['scene']}: " + "; ".join(parts) + "."
