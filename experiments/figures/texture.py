"""Texture of the region: outside context is to help plain regions and to harm structured ones.

Claim: where the region's own input holds little texture, outside context helps; where it holds
clear structure, outside context harms (users of CEM, the journal version of HAT). Of every
photograph the region of most and that of least structure; the effects of all blocks farther than a
block from the region are summed, and noise adds nothing to a sum on average. Intervals take scenes
and networks as units. The maps are those of `official`.

    cem-jax figures texture

Numbers: docs/results/texture.json (preset compact, 4470 s on 1 cpu).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures.crossed import over_both
from cem_jax.experiments.figures.measures import distance
from cem_jax.experiments.figures.official import REGIONS, parts
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.statistics import written
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEYOND = 8
"""Output pixels from the region at which its surroundings end and outside context begins."""
UNITS = {"plain": "+dB", "structured": "+dB", "difference": "+dB", "harmful_share": "+%"}


def structure(effect_map: cem.EffectMap) -> float:
    """Mean size of the gradient of grey levels of the region's own input, in [0, 1] a pixel."""
    roi, scale = effect_map.roi, effect_map.scale
    rows = slice(roi.y // scale, -(-(roi.y + roi.height) // scale))
    columns = slice(roi.x // scale, -(-(roi.x + roi.width) // scale))
    grey = effect_map.degraded[rows, columns].mean(axis=2) / 255
    return float(np.hypot(*np.gradient(grey)).mean())


def outside(effect_map: cem.EffectMap) -> dict[str, float | None]:
    """What the blocks beyond the region's surroundings do.

    Returns:
        "summed": the sum of their effects, in dB; "harmful_share": of those that take part, the
        share that harms, in %, None where none takes part.
    """
    far = ~effect_map.inside_roi & (distance(effect_map) > BEYOND)
    effect = np.nan_to_num(effect_map.effect[far])
    harm, part = (
        (effect <= -effect_map.tolerance).sum(),
        (abs(effect) >= effect_map.tolerance).sum(),
    )
    share = 100 * float(harm / part) if part else None
    return {"summed": float(effect.sum()), "harmful_share": share}


def compute(study: Study) -> dict[str, Any]:
    """Summed effects of outside context, of every network at every place."""
    plan, places = cem.Fixed(study.preset.chosen_draws), study.places(REGIONS)

    def rows(subject: Subject) -> list[dict[str, Any]]:
        keys = study.counted_maps(subject, "SR", plan, each=REGIONS)
        return [
            _row(study.store.map(key), key, place.name, number % REGIONS)
            for number, (key, place) in enumerate(zip(keys, places, strict=True))
        ]

    networks, are_official = parts(study, "texture", rows)
    scenes = {place.name for place in places}
    return {"official": are_official, "scenes": len(scenes), "networks": networks}


def _row(effect_map: cem.EffectMap, key: str, scene: str, rank: int) -> dict[str, Any]:
    place = {"scene": scene, "rank": rank, "map": key}
    return {**place, "structure": structure(effect_map), **outside(effect_map)}


def _at(network: dict[str, Any], rank: int, number: str) -> dict[str, float]:
    """A number of one kind of region, by scene; NaN where it is not known."""
    return {
        row["scene"]: float("nan") if row[number] is None else row[number]
        for row in network["rows"]
        if row["rank"] == rank
    }


def numbers(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Means and intervals of all that is claimed, by the names of the claims."""
    most, least = 0, REGIONS - 1

    def crossed(number: str, of_most: float, of_least: float) -> dict[str, Any]:
        values: dict[str, dict[str, Sequence[float]]] = {}
        for network in results["networks"]:
            one, other = _at(network, most, number), _at(network, least, number)
            values[network["network"]] = {
                scene: [
                    (of_most * one[scene] if of_most else 0.0)
                    + (of_least * other[scene] if of_least else 0.0)
                ]
                for scene in one
            }
        return over_both(values)

    return {
        "plain": crossed("summed", 0, 1),
        "structured": crossed("summed", -1, 0),
        "difference": crossed("summed", -1, 1),
        "harmful_share": crossed("harmful_share", 1, -1),
    }


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Summed effects against the structure of the region's own input, and their means."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.6), layout="constrained")
    left.set_yscale("symlog", linthresh=0.1)  # before the points, for margins on its scale
    left.margins(y=0.15)  # the legend's
    for rank, (colour, label) in enumerate(
        (("#b2182b", "most structure"), ("#888888", "middling"), ("#2166ac", "least structure"))
    ):
        rows = [r for one in results["networks"] for r in one["rows"] if r["rank"] == rank]
        x, y = ([row[number] for row in rows] for number in ("structure", "summed"))
        left.scatter(x, y, s=5, color=colour, label=label, linewidths=0)
    left.axhline(0, color="black", linewidth=0.5)
    left.set(
        xlabel="mean gradient of the region's input", ylabel="summed effect of outside blocks (dB)",
        title="(a) every region of every network",
    )  # fmt: skip
    left.legend(frameon=False)
    found = {name: one for name, one in numbers(results).items() if UNITS[name] == "+dB"}
    told = {
        "plain": "outside helps\nleast structure", "structured": "outside harms\nmost structure",
        "difference": "it helps least\nmore than most",
    }  # fmt: skip
    for x, one in enumerate(found.values()):
        right.plot(x, one["mean"], "o", color="black", markersize=3)
        if one["low"] is not None:
            right.plot((x, x), (one["low"], one["high"]), color="black")
    right.axhline(0, color="black", linewidth=0.5)
    right.set_xlim(-0.5, len(found) - 0.5)
    right.set_xticks(range(len(found)), [told[name] for name in found])
    right.set(ylabel="summed effect (dB)", title="(b) claims: above 0 supports them")
    return figure


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    kind = "official" if results["official"] else "bundled (no official ones were there)"
    told = [
        f"{name.replace('_', ' ')} {written(found, UNITS[name])}"
        for name, found in numbers(results).items()
    ]
    return (
        f"{len(results['networks'])} {kind} networks, {results['scenes']} scenes: "
        + "; ".join(told)
        + "."
    )
