"""Means over two kinds of units at once: scenes, and networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t

from cem_jax.experiments.figures.statistics import CONFIDENCE


def over_both(values: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    """The mean over networks and scenes, with an interval that takes both as units.

    Regions are averaged within their scene. The variance of the mean is that of networks plus that
    of scenes minus that of the cells, which both contain (Owen, The pigeonhole bootstrap, 2007;
    Cameron, Gelbach and Miller, 2011). It is never taken smaller than either of the first two, and
    the t quantile has one degree of freedom less than there are units of the rarer kind.

    Args:
        values: by network and scene, one for each region; those that are not finite are left out.

    Returns:
        "mean", "low", "high" (None where there are fewer than two scenes or networks), "scenes",
        "networks", "error" and "degrees".
    """
    cells = {
        (network, scene): float(np.mean(finite))
        for network, by_scene in values.items()
        for scene, each in by_scene.items()
        if (finite := [value for value in each if np.isfinite(value)])
    }
    networks, scenes = (sorted({key[side] for key in cells}) for side in (0, 1))
    found: dict[str, Any] = {
        "mean": None, "low": None, "high": None, "scenes": len(scenes), "networks": len(networks),
        "error": None, "degrees": None,
    }  # fmt: skip
    if not cells:
        return found
    mean = float(np.mean(list(cells.values())))
    found["mean"] = mean
    fewest = min(len(scenes), len(networks))
    if fewest < 2:
        return found
    rest = {key: value - mean for key, value in cells.items()}

    def spread(side: int, units: Sequence[str]) -> float:
        sums = [sum(one for key, one in rest.items() if key[side] == unit) for unit in units]
        return len(units) / (len(units) - 1) * float(np.square(sums).sum())

    of_networks, of_scenes = spread(0, networks), spread(1, scenes)
    of_cells = float(np.square(list(rest.values())).sum()) * len(rest) / (len(rest) - 1)
    variance = max(of_networks + of_scenes - of_cells, of_networks, of_scenes) / len(cells) ** 2
    error = variance**0.5
    half = float(t.ppf((1 + CONFIDENCE) / 2, fewest - 1)) * error
    return found | {
        "low": mean - half, "high": mean + half, "error": error, "degrees": fewest - 1,
    }  # fmt: skip
