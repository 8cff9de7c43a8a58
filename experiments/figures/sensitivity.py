"""Choices that a map depends on: the pool, the side of a block, and the plan, one at a time.

Claim: maps hardly depend on which natural photographs the patches come from, and effects of blocks
of other sides differ in size and agree in sign (Hu et al., the ablations). Beside the usual choice
(bundled pool, blocks of 8, as many draws for every block) stand two other pools, two other sides
and three other plans. Means over scenes of each network, with 95 % intervals.

    cem-jax figures sensitivity

Numbers: docs/results/sensitivity.json (preset compact, 7015 s on 2 cpu).
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.counted import by_scene
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.statistics import over_scenes, written
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("RFDN", "EDSR", "SRResNet", "SwinIR")
"""Of which the first two that are there are shown."""
_NETWORKS = 2
NUMBERS = {
    "positive": "help (%)", "negative": "harm (%)", "low": "smallest (dB)", "high": "largest (dB)",
    "agreement": "correlation",
}  # fmt: skip
"""Of a map, as they are written; the last with the map of the usual choice."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """How a map is made.

    Args:
        name: of what is chosen.
        pool: of patches.
        block: side of a block, in output pixels.
        plan: draws for each block; None takes the usual one.
    """

    name: str
    pool: str = "default"
    block: int = 8
    plan: cem.Plan | None = None


USUAL = Choice("usual")
CHOICES = (
    USUAL,
    Choice("pool: other photographs", pool="others"),
    Choice("pool: its own photograph", pool="own"),
    Choice("blocks of 4", block=4),
    Choice("blocks of 16", block=16),
    Choice("plan: CoarseToFine", plan=cem.CoarseToFine(3, 12)),
    Choice("plan: Adaptive", plan=cem.Adaptive(tolerance=0.01)),
    Choice("plan: Stratified", plan=cem.Stratified(8)),
)


def agreement(usual: cem.EffectMap, other: cem.EffectMap) -> float | None:
    """Correlation of two maps' effects, those of the finer summed over the coarser one's blocks.

    Args:
        usual: a map.
        other: of the same scene and region.
    """
    fine, coarse = sorted((usual, other), key=lambda one: one.block)
    times = coarse.block // fine.block
    rows, columns = coarse.effect.shape
    effect = np.where(fine.inside_roi, np.nan, fine.effect)[: rows * times, : columns * times]
    summed = effect.reshape(rows, times, columns, times).sum(axis=(1, 3))
    one, two = summed, np.where(coarse.inside_roi, np.nan, coarse.effect)
    both = np.isfinite(one) & np.isfinite(two)
    if both.sum() < 3 or not one[both].std() or not two[both].std():
        return None
    return float(np.corrcoef(one[both], two[both])[0, 1])


def compute(study: Study) -> dict[str, Any]:
    """Maps of the first region of every counted scene, by every choice."""
    plan, places = cem.Fixed(study.preset.draws), study.places(1)
    networks = []
    for subject in study.subjects(NETWORKS, _NETWORKS).values():
        rows: dict[str, list[dict[str, Any]]] = {}
        for place in places:
            usual = None
            for choice in CHOICES:
                asked = {"pool": choice.pool, "block": choice.block, "plan": choice.plan or plan}
                key = study.map(subject, "SR", place, **asked)
                effect_map = study.store.map(key)
                usual = effect_map if usual is None else usual
                row = {"scene": place.name, "map": key, **galleries.numbers(study, key)}
                row["agreement"] = agreement(usual, effect_map)
                row["evaluations"] = effect_map.evaluations
                rows.setdefault(choice.name, []).append(row)
        networks.append({"network": subject.label, "choices": rows})
    return {"scenes": len(places), "draws": study.preset.draws, "networks": networks}


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each number's mean over scenes, with its interval."""
    return {number: over_scenes(by_scene(rows, number)) for number in NUMBERS}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A column for each number, a line for each choice, a colour for each network."""
    names = [choice.name for choice in CHOICES]
    figure, axes = plt.subplots(1, len(NUMBERS), figsize=(WIDTH, 2.6), layout="constrained",
                                sharey=True)  # fmt: skip
    for ax, (number, label) in zip(axes, NUMBERS.items(), strict=True):
        for shift, network in enumerate(results["networks"]):
            colour = ("#2166ac", "#b2182b")[shift % 2]
            for line, name in enumerate(names):
                found = means(network["choices"][name])[number]
                y = line + 0.2 * (2 * shift - 1)
                if found["mean"] is not None:
                    title = network["network"] if line == 0 else None
                    ax.plot(found["mean"], y, "o", color=colour, markersize=2.5, label=title)
                if found["low"] is not None:
                    ax.plot((found["low"], found["high"]), (y, y), color=colour, linewidth=0.8)
        ax.set(xlabel=label)
        ax.locator_params(axis="x", nbins=3)
        ax.grid(axis="y", linewidth=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    several = max(1, len(results["networks"]))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=several,
                  frameon=False)  # fmt: skip
    return figure


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for network in results["networks"]:
        for name, rows in network["choices"].items():
            found = means(rows)
            parts.append(
                f"{network['network']}, {name}: {written(found['positive'], '%', 0)} help, "
                f"{written(found['negative'], '%', 0)} harm, correlation "
                f"{written(found['agreement'])}"
            )
    return f"{results['scenes']} scenes: " + "; ".join(parts) + "."
