"""What the page knows of the inside of networks: effects by path, layers, interactions of pairs."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cem_jax.inside.mediated_maps import MediatedMaps
from cem_jax.inside.path_effects import PathEffects
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import visible
from cem_jax.view.report.pack import pack
from cem_jax.view.report.values import map_values

if TYPE_CHECKING:
    from cem_jax.inside.interactions import Interactions
    from cem_jax.inside.layers import Layers

_SAME = ("network", "parameters", "images", "roi", "block", "rounded")
"""Facts by which layers and interactions know the map that they belong to."""


def unfolded(
    maps: Sequence[EffectMap | MediatedMaps],
) -> tuple[list[EffectMap], dict[int, MediatedMaps]]:
    """The maps that are shown, and which of them, by their number, are split by a mediator."""
    shown = [one.total if isinstance(one, MediatedMaps) else one for one in maps]
    return shown, {n: one for n, one in enumerate(maps) if isinstance(one, MediatedMaps)}


def belonging(
    maps: Sequence[EffectMap], inside: Sequence["Layers | Interactions"]
) -> dict[int, list["Layers | Interactions"]]:
    """Layers and interactions by the number of the map that they are of.

    Raises:
        ValueError: there is no map of that network, region and outcome.
    """
    found: dict[int, list[Layers | Interactions]] = {}
    for one in inside:
        told = json.loads(json.dumps(dict(one.provenance)))
        for number, effect_map in enumerate(maps):
            facts = json.loads(json.dumps(dict(effect_map.provenance)))
            same = all(facts.get(key) == told.get(key) for key in _SAME)
            if same and effect_map.outcome in told.get("outcomes", ()):
                found.setdefault(number, []).append(one)
                break
        else:
            raise ValueError(
                f"inside holds {type(one).__name__.lower()} of network {told.get('network')!r}: "
                "expected those of a map's network, input, region and outcome"
            )
    return found


def inside_values(
    mediated: MediatedMaps | None, others: Sequence["Layers | Interactions"]
) -> dict[str, Any]:
    """What the page shows of the inside of one map's network, as JSON values."""
    values: dict[str, Any] = {"paths": None, "layers": [], "pairs": []}
    if mediated is not None:
        direct = map_values(mediated.direct)
        values["through"] = [visible(name) for name in mediated.through]
        values["share"] = dict(mediated.share()._asdict())
        values["paths"] = {"direct": direct, "indirect": _path_values(mediated.indirect)}
    for one in others:
        if hasattr(one, "passes"):
            values["layers"].append(_layer_values(one))
        else:
            values["pairs"].append(_pair_values(one))
    return values


def _path_values(found: PathEffects) -> dict[str, Any]:
    """Effects along a path: numbers, and no draws of their own."""
    low, high = found.interval()
    floats = {
        "effect": found.effect, "low": low, "high": high, "error": found.standard_error,
        "signProbability": found.sign_probability, "changeUnit": np.zeros(found.effect.shape),
    }  # fmt: skip
    return {
        **{name: pack(array.astype(np.float32)) for name, array in floats.items()},
        "samples": pack(found.samples.astype(np.int32)),
        "drawn": pack(np.zeros(found.effect.shape, np.int32)),
        "changes": pack(np.zeros(0, np.int16)),
    }


def _layer_values(found: Any) -> dict[str, Any]:
    low, high = found.interval()
    rows = zip(found.layers, found.mean, low, high, strict=True)
    return {
        "effect": float(found.effect.mean()),
        "blocks": len(found.blocks),
        "rows": [[visible(name), *map(float, numbers)] for name, *numbers in rows],
    }


def _pair_values(found: Any) -> list[list[float]]:
    """Row and column of both blocks, the interaction and the ends of its interval, for each."""
    low, high = found.interval()
    return [
        [*map(int, one), *map(int, other), float(found.effect[i, j]), float(low[i, j]),
         float(high[i, j])]
        for i, one in enumerate(found.blocks)
        for j, other in enumerate(found.others)
        if np.isfinite(found.effect[i, j])
    ]  # fmt: skip


def scenes_inside(
    scenes: Sequence[Sequence[EffectMap]],
    maps: Sequence[EffectMap],
    mediated: Mapping[int, MediatedMaps],
    others: Mapping[int, Sequence["Layers | Interactions"]],
) -> list[dict[int, dict[str, Any]]]:
    """By scene and number of the map in it, what is known of the inside of its network."""
    number = {id(one): n for n, one in enumerate(maps)}
    return [
        {
            place: inside_values(mediated.get(number[id(one)]), others.get(number[id(one)], ()))
            for place, one in enumerate(scene)
            if number[id(one)] in mediated or number[id(one)] in others
        }
        for scene in scenes
    ]
