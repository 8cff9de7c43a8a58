"""Maps by the scene that they share, and what scenes and maps are called."""

import collections
import math
from collections.abc import Sequence

import numpy as np

from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import shortened, visible
from cem_jax.plans.names import plan_text

_TOLD = ("parameters", "plan", "pool", "seed", "rounded")
"""Facts that tell maps of one network apart."""


ImageKey = tuple[tuple[int, ...], bytes]
"""What tells an image from others: its shape and its pixels."""


def image_key(image: np.ndarray) -> ImageKey:
    """What tells an image uint8 [h, w, c] from others."""
    return image.shape, image.tobytes()


def by_scene(maps: Sequence[EffectMap]) -> list[list[EffectMap]]:
    """Maps of the same input, region, blocks and outcome, in the order of their first ones."""
    scenes = collections.defaultdict(list)
    for one in maps:
        place = (one.roi, one.block, one.scale, one.task, one.outcome, one.unit)
        scenes[place, image_key(one.degraded)].append(one)
    return list(scenes.values())


def photograph_name(effect_map: EffectMap) -> str:
    """What a map's photograph is called, and what was done to it."""
    name = str(effect_map.provenance.get("scene_name") or "")
    return ", ".join(visible(part) for part in (name, effect_map.task) if part)


def scene_name(effect_map: EffectMap, most: int | None = None) -> str:
    """The scene's own name, its task, region and outcome in a few words.

    Args:
        effect_map: the map.
        most: characters of each name; None leaves them whole.
    """
    roi, name = effect_map.roi, effect_map.provenance.get("scene_name")
    region = f"region {roi.height}\u00a0\u00d7\u00a0{roi.width} at y {roi.y}, x {roi.x}"
    outcome = "" if effect_map.outcome == "psnr" else effect_map.outcome
    parts = (str(name or ""), effect_map.task, region, outcome)
    told = [part if part == region else visible(part) for part in parts if part]
    return ", ".join(told if most is None else [shortened(part, most) for part in told])


def network_names(maps: Sequence[EffectMap]) -> list[str]:
    """What each map of a scene is called: its network, and what tells it from the others."""
    names = [visible(str(one.provenance.get("network", "network"))) for one in maps]
    result = []
    for one, name in zip(maps, names, strict=True):
        same = [m.provenance for m, other in zip(maps, names, strict=True) if other == name]
        told = [k for k in _TOLD if len({str(facts.get(k)) for facts in same}) > 1]
        facts = [visible(f"{key} {_shown(one, key)}") for key in told]
        result.append(", ".join([name, *facts]))
    return result


def _shown(effect_map: EffectMap, key: str) -> str:
    fact = effect_map.provenance.get(key)
    return plan_text(fact) if key == "plan" else str(fact)


def digits(maps: Sequence[EffectMap]) -> int:
    """Decimals in which a scene's numbers are told: those of its largest effect, three at least."""
    largest = max(np.nanmax(np.abs(one.effect), initial=one.tolerance) for one in maps)
    return 3 if largest == 0 else min(max(3, 2 - math.floor(math.log10(largest))), 8)
