"""What the page knows of a scene and its maps, as JSON values and packed arrays."""

import dataclasses
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from cem_jax.map.difference import Difference, difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.extremes import Extremes
from cem_jax.plain_text import visible
from cem_jax.plans.corrected import Corrected
from cem_jax.scene.image import in_colour
from cem_jax.view.layer import layer_of, part_that_matters
from cem_jax.view.report.pack import pack, picture
from cem_jax.view.scenes import digits, network_names, scene_name

LONGEST = 1024
"""Longest side of an input's picture, in pixels; larger inputs are shown reduced."""
_LONGEST_DETAIL = 2048
"""Longest side of the picture of the part that matters of such an input."""


def strongest_first(effect_map: EffectMap, room: int) -> tuple[Extremes | None, int]:
    """The extremes of the strongest blocks whose pictures fit.

    Args:
        effect_map: the map.
        room: for their compressed regions, in bytes.

    Returns:
        The extremes, strongest block first, and how many blocks were left out.
    """
    behind = effect_map.extremes
    if behind is None:
        return None, 0
    order = np.argsort(-np.abs(effect_map.effect.reshape(-1)[behind.cells]), kind="stable")
    change = behind.regions - behind.restored
    sizes = np.cumsum([len(zlib.compress(change[i].tobytes(), 1)) for i in order])
    kept = order[sizes <= room]
    parts = {key: getattr(behind, key)[kept] for key in ("cells", "draws", "patches", "regions")}
    return dataclasses.replace(behind, **parts), len(order) - len(kept)


def scene_values(maps: Sequence[EffectMap], room: int, longest: int = LONGEST) -> dict[str, Any]:
    """Everything that the page shows of one scene.

    Args:
        maps: of the scene, one for each network.
        room: for the compressed regions of each map, in bytes.
        longest: side of the picture of the whole input, in pixels.
    """
    first = maps[0]
    height, width = first.degraded.shape[:2]
    behind = [strongest_first(one, room) for one in maps]
    drawn = [extremes.patches for extremes, _ in behind if extremes is not None]
    patches, numbers = np.zeros((0, 0, 0, 3), np.uint8), np.zeros(0, np.intp)
    if drawn:
        together = np.concatenate([patch.reshape(-1, *patch.shape[2:]) for patch in drawn])
        patches, numbers = np.unique(together, axis=0, return_inverse=True)
    clean = next((extremes.clean for extremes, _ in behind if extremes is not None), None)
    values = []
    for one, name, (extremes, left_out) in zip(maps, network_names(maps), behind, strict=True):
        entry = map_values(one) | {"name": name, "behind": None}
        if extremes is not None:
            own, numbers = np.split(numbers.reshape(-1), [2 * len(extremes.cells)])
            entry["behind"] = _extreme_values(one, extremes, own) | {"leftOut": left_out}
        values.append(entry)
    both = _difference(maps)
    if both is not None:
        values.append(_difference_values(both))
    near = _near(maps)
    return {
        "name": scene_name(first),
        "near": near,
        "detail": _detail(first, near, longest),
        "task": first.task,
        "outcome": first.outcome,
        "unit": first.unit,
        "digits": digits(maps),
        "rows": first.effect.shape[0],
        "columns": first.effect.shape[1],
        "block": first.block,
        "scale": first.scale,
        "height": height,
        "width": width,
        "roi": dataclasses.asdict(first.roi),
        "inside": pack(first.inside_roi.astype(np.uint8)),
        "patches": pack(in_colour(patches)),
        "patchSide": patches.shape[1],
        "clean": None if clean is None else pack(in_colour(clean)),
        "maps": values,
    }


def _near(maps: Sequence[EffectMap]) -> dict[str, float]:
    """The part that is worth a zoom, in blocks.

    That of the blocks with draws, and one around; where these are half of the image or more, that
    of the blocks with an effect.
    """
    layers = [layer_of(one) for one in maps]
    whole, side = layers[0].whole, layers[0].side
    reached = [
        dataclasses.replace(
            one, effect=np.where(one.inside, np.nan, np.where(one.reached, 1.0, 0.0))
        )
        for one in layers
    ]
    part = part_that_matters(reached)
    if 2 * part.height * part.width >= whole.height * whole.width:
        part = part_that_matters(layers)
    return {
        "top": part.top / side, "left": part.left / side, "high": part.height / side,
        "wide": part.width / side,
    }  # fmt: skip


def _detail(effect_map: EffectMap, near: dict[str, float], longest: int) -> dict[str, Any] | None:
    """The part that is worth a zoom at full resolution, where the whole is shown reduced."""
    height, width = effect_map.degraded.shape[:2]
    if max(height, width) <= longest:
        return None
    top, left = (int(near[end] * effect_map.block) for end in ("top", "left"))
    bottom = min(top + int(np.ceil(near["high"] * effect_map.block)), height)
    right = min(left + int(np.ceil(near["wide"] * effect_map.block)), width)
    part = effect_map.degraded[top:bottom, left:right]
    place = {"top": top, "left": left, "height": part.shape[0], "width": part.shape[1]}
    return place | {"picture": picture(part, _LONGEST_DETAIL)}


def _difference(maps: Sequence[EffectMap]) -> Difference | None:
    """The difference of a scene's two maps, where they share their draws."""
    if len(maps) != 2:
        return None
    try:
        return difference(*maps)
    except ValueError:
        return None


def _difference_values(found: Difference) -> dict[str, Any]:
    """What the page shows of a difference: numbers, and no draws of its own."""
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
        "baseline": None,
        "tolerance": found.tolerance,
        "facts": None,
        "behind": None,
        "difference": True,
        "name": "First \u2212 second",
    }


def map_values(effect_map: EffectMap) -> dict[str, Any]:
    """Numbers of a map; the draws as 16-bit shares of each block's largest change."""
    low, high = effect_map.interval()
    values = _draws(effect_map)
    drawn = np.isfinite(values)
    change = np.where(drawn, effect_map.baseline - values.astype(np.float64), 0.0)
    largest = np.abs(change).max(axis=2, initial=0.0)
    unit = np.where(largest == 0, 1.0, largest) / 32767
    shares = np.rint(change / unit[..., None])[drawn]
    floats = {
        "effect": effect_map.effect,
        "low": low,
        "high": high,
        "error": effect_map.standard_error,
        "signProbability": effect_map.sign_probability,
        "changeUnit": unit,
    }
    facts = {"baseline": effect_map.baseline, "tolerance": effect_map.tolerance}
    return {
        **{name: pack(array.astype(np.float32)) for name, array in floats.items()},
        "samples": pack(effect_map.samples.astype(np.int32)),
        "drawn": pack(drawn.sum(axis=2).astype(np.int32)),
        "changes": pack(shares.astype(np.int16)),
        **facts,
        "facts": [[visible(key), _as_text(value)] for key, value in effect_map.provenance.items()],
    }


def _draws(effect_map: EffectMap) -> np.ndarray:
    """Outcomes of a map, each draw once, [rows, columns, draws]."""
    plan = effect_map.plan
    return plan.best(effect_map.values) if isinstance(plan, Corrected) else effect_map.values


def _as_text(value: Any) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value))


def _extreme_values(
    effect_map: EffectMap, extremes: Extremes, patches: np.ndarray
) -> dict[str, Any]:
    """Extremes of a map; regions as changes of the restored one, modulo 256, which pack well."""
    values = _draws(effect_map)
    drawn = np.isfinite(values).reshape(-1, values.shape[2])
    places = np.cumsum(drawn, axis=1) - 1  # the page holds no gaps between the draws
    return {
        "cells": pack(extremes.cells.astype(np.int32)),
        "draws": pack(places[extremes.cells[:, None], extremes.draws].astype(np.int32)),
        "patches": pack(patches.astype(np.int32)),
        "restored": pack(in_colour(extremes.restored)),
        "changes": pack(in_colour(extremes.regions - extremes.restored)),
    }
