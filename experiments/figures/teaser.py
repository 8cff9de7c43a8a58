"""What a network restores a region from differs by task: one map each for SR, DN and DR.

Claim: super-resolution draws on, and is harmed by, blocks far away; denoising lives on its
neighbourhood; deraining lies between (Hu et al., figure 1).

    cem-jax figures teaser

Numbers: docs/results/teaser.json (preset compact, 788 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

import matplotlib

import cem_jax as cem
from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = {
    "SR": ("RCAN", "EDSR", "SRResNet", "RFDN", "SwinIR"),
    "DN": ("RCAN_DN", "DnCNN", "SRResNet_DN", "SwinIR_DN"),
    "DR": ("RCAN_DR", "SRResNet_DR", "PReNet", "SwinIR_DR"),
}
"""For each task the first one that is there."""
_STYLE: dict[Any, Any] = {
    "font.size": 10, "axes.labelsize": "medium", "xtick.labelsize": "medium",
}  # fmt: skip


def compute(study: Study) -> dict[str, Any]:
    """One network for each task, one scene."""
    place, columns = study.shown("DN")[0], []  # one size for all tasks
    for task, names in NETWORKS.items():
        subject = study.first(names)
        key = study.map(subject, task, place)
        cell = {"task": task, "network": subject.label, "map": key}
        columns.append(cell | galleries.numbers(study, key))
    return {"scene": place.name, "columns": columns}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A column for each task: input, map, pie and range."""
    maps = [store.map(cell["map"]) for cell in results["columns"]]
    with matplotlib.rc_context(_STYLE):
        return cem.plot_teaser(maps, colour_map=colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say({"rows": [{"scene": results["scene"], "maps": results["columns"]}]})
