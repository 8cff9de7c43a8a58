"""Mediated maps, layers and interactions made up for the report, without a network."""

import dataclasses

import numpy as np
from report_maps import made_map

import cem_jax as cem


def made_mediated(network: str = "net", **changes) -> cem.MediatedMaps:
    """Three maps of the same draws: direct effects are a part of the total ones."""
    total = made_map(network, **changes)
    facts = dict(total.provenance) | {"through": ["body.0.attention:reduce_sum"]}

    def part(name: str, share: float) -> cem.EffectMap:
        change = (total.baseline - total.values.astype(np.float64)) * share
        return dataclasses.replace(
            total, effect=share * total.effect, standard_error=share * total.standard_error,
            values=(total.baseline - change).astype(np.float32), provenance=facts | {"part": name},
            extremes=None,
        )  # fmt: skip

    whole = dataclasses.replace(total, provenance=facts | {"part": "total"})
    return cem.MediatedMaps(
        whole, part("direct", 0.25), part("pure_indirect", 0.75), tuple(facts["through"])
    )


def made_layers(effect_map: cem.EffectMap, **changes) -> cem.Layers:
    """Two modules, passed by a half and by none of the effects of two blocks."""
    found = cem.Layers(
        layers=("body.0", "tail<b>"), blocks=np.array([[1, 2], [3, 4]]),
        distance=np.array([8.0, 16.0]), effect=np.array([0.4, 0.2]),
        passes=np.array([[0.2, 0.1], [0.0, 0.0]]), standard_error=np.full((2, 2), 0.01),
        mean=np.array([0.15, 0.0]), mean_error=np.array([0.01, 0.0]), samples=4,
        work=np.array([3.0, 2.0, 1.0]), unit="dB",
        provenance=dict(effect_map.provenance) | {"outcomes": [effect_map.outcome]},
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


def made_interactions(
    effect_map: cem.EffectMap, first: tuple[int, int], second: tuple[int, int]
) -> cem.Interactions:
    """Of one pair of blocks."""
    effect = np.array([[np.nan, 0.125], [0.125, np.nan]])
    return cem.Interactions(
        blocks=np.array([first, second]), others=np.array([first, second]), effect=effect,
        standard_error=0.1 * effect, own=np.full(4, 0.3), own_error=np.full(4, 0.02), samples=4,
        baseline=27.25, unit="dB",
        provenance=dict(effect_map.provenance) | {"outcomes": [effect_map.outcome]},
    )  # fmt: skip
