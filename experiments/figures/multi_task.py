"""Networks of one task beside networks of several: what training on more tasks does to a map.

Claim: trained on three tasks (mix) or seven (MIO, multiple-in-one), a network relies on what is
near: shares and ranges shrink (Hu et al., finding 3). Means over scenes, with 95 % intervals. Four
of the seven tasks have no network of their own here; their rows show what the MIO networks do, by
one region a scene: there is nothing to compare them with.

    cem-jax figures multi-task

Numbers: docs/results/multi-task.json (preset compact, 8683 s on 2 cpu).
"""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

from cem_jax.experiments.figures import counted
from cem_jax.experiments.figures.panels import (
    WIDTH,
    cell_height,
    common_limit,
    foot,
    input_cell,
    map_cell,
    part_that_matters,
)
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS = ("SR", "DN", "DR")
SEVEN = (*TASKS, "blur", "JPEG", "haze", "low light")
KINDS = ("single", "mix", "MIO")
NUMBERS = ("psnr", "positive", "negative", "involved", "low", "high", "strength", "reach")
FAMILIES = {
    family: {
        "single": {"SR": family, "DN": f"{family}_DN", "DR": f"{family}_DR"},
        "mix": dict.fromkeys(TASKS, f"{family}_mix"),
        "MIO": dict.fromkeys(SEVEN, f"{family}_MIO"),
    }
    for family in ("SRResNet", "SwinIR", "RCAN")
}
"""Names of networks by family, kind and task. There is no RCAN_MIO."""
_NETWORKS = 3
"""Kinds of networks in a family, of as many as a gallery may hold."""


def compute(study: Study) -> dict[str, Any]:
    """Every network's map of one scene in each task, and its measures at the counted places."""
    chosen = dict(list(FAMILIES.items())[: study.preset.most // _NETWORKS])
    names = [
        name
        for kinds in chosen.values()
        for tasks in kinds.values()
        for name in tasks.values()
        if name != "RCAN_MIO"
    ]
    subjects = study.subjects(tuple(dict.fromkeys(names)))
    families: dict[str, Any] = {}
    place = study.shown("DN")[0]  # inputs are as large as outputs here, also in SR
    for family, kinds in chosen.items():
        found: dict[str, Any] = {}
        for kind, tasks in kinds.items():
            for task, name in tasks.items():
                if name in subjects:
                    each = None if task in TASKS else 1
                    rows = counted.compared(study, subjects[name], task, each)
                    key = study.map(subjects[name], task, place)
                    means = {number: counted.mean(rows, number) for number in NUMBERS}
                    found.setdefault(task, {})[kind] = {"map": key, "rows": rows, "means": means}
        if found:
            families[family] = found
    scenes = {place.name for place in study.counted}
    return {"scene": place.name, "scenes": len(scenes), "places": len(study.counted),
            "families": families}  # fmt: skip


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each task: its input, and by family and kind the map of one scene."""
    families = {
        family: [kind for kind in KINDS if any(kind in kinds for kinds in found.values())]
        for family, found in results["families"].items()
    }
    columns = 1 + sum(map(len, families.values()))
    rows = [task for task in SEVEN if any(task in found for found in results["families"].values())]
    gap, title, under = 0.1, 0.3, 0.5
    side = float(np.clip((WIDTH - gap) / columns - gap, 0.98, 1.5))
    tall = max(
        cell_height(side, store.map(one["map"]))
        for found in results["families"].values()
        for kinds in found.values()
        for one in kinds.values()
    )
    each = title + tall + under
    width = max(columns * (side + gap) + gap, WIDTH)
    begin = (width - columns * (side + gap) + gap) / 2
    height = len(rows) * each + 0.75
    figure = plt.figure(figsize=(width, height))

    def corner(row: int, column: int) -> tuple[float, float]:
        return begin + column * (side + gap), height - 0.25 - row * each - title - tall

    limits, parts = {}, {}
    for task in rows:
        kept = [found.get(task, {}).values() for found in results["families"].values()]
        maps = [store.map(one["map"]) for kinds in kept for one in kinds]
        limits[task], parts[task] = common_limit(maps), part_that_matters(maps)
    first = 1
    for family, kinds in families.items():
        found = results["families"][family]
        middle = begin + (first + len(kinds) / 2) * (side + gap) - gap / 2
        figure.text(middle / width, 1 - 0.14 / height, family, ha="center", va="center", fontsize=9)
        for row, task in enumerate(rows):
            for column, kind in enumerate(kinds, first):
                one = found.get(task, {}).get(kind)
                if one is not None:
                    effects = store.map(one["map"])
                    place = corner(row, column)
                    shared = limits[task], parts[task]
                    map_cell(figure, place, side, effects, kind, colour_map, *shared)
        first += len(kinds)
    for row, task in enumerate(rows):
        keys = [  # of several tasks first: their input in SR is as large as the map
            one["map"]
            for found in results["families"].values()
            for kind, one in reversed(found.get(task, {}).items())
        ]
        if keys:
            label = f"{task}\ninput and region"
            input_cell(figure, corner(row, 0), side, store.map(keys[0]), label, parts[task])
    foot(figure, colour_map, any(part is not None for part in parts.values()))
    return figure


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for family, found in results["families"].items():
        for task, kinds in found.items():
            for kind, one in kinds.items():
                means = one["means"]
                parts.append(
                    f"{family} {kind} {task} {means['psnr']['mean']:.2f} dB, "
                    f"{means['involved']['mean']:.0f} % of the blocks"
                )
    return (
        f"{results['places']} regions of {results['scenes']} scenes, one a scene for "
        f"{', '.join(SEVEN[len(TASKS) :])}: {'; '.join(parts)}."
    )
