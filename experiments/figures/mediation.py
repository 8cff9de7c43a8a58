"""Channel attention as a mediator: how much of the effects passes it, in SR and in denoising.

Claim: in SR the attention's global statistic spreads effects over the image; in denoising effects
stay local (Hu et al., finding 2). Said as a mediation: of the summed effect of all blocks, a share
passes the attention, more of it in SR than in denoising. Shares are of sums over all scenes, with
95 % intervals that take the scene as the unit; dots are scenes. Every scene is the centre of a
photograph, its region the block in the middle. A network without attention passes nothing by it.

    cem-jax figures mediation

Numbers: docs/results/mediation.json (preset compact, 1192 s on 2 cpu).
"""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures import scenes, statistics
from cem_jax.experiments.figures.counted import LARGE, by_scene
from cem_jax.experiments.figures.measures import distance, halves
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Place, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ATTENTION = "body.*.residual_group.*.rcab.3.attention"
"""The weights of channels in RCAN's blocks, from the pooled statistic to the sigmoid."""

MEDIATED = {
    "SR": {
        "CA": ("RCAN", ATTENTION), "half CA": ("RCAN_half_ca", f"body_ca{ATTENTION[4:]}"),
        "IMDN": ("IMDN", "IMDB*.cca.conv_du.*"), "pooling 16": ("RCAN_pooling16", ATTENTION),
        "2x2": ("RCAN_pooling2x2", ATTENTION), "3x3": ("RCAN_pooling3x3", ATTENTION),
        "pooling 4": ("RCAN_pooling4", ATTENTION),
    },
    "DN": {
        "CA": ("RCAN_DN", ATTENTION), "Restormer": ("Restormer_DN", "global"),
        "2x2": ("RCAN_DN_pooling2x2", ATTENTION), "pooling 4": ("RCAN_DN_pooling4", ATTENTION),
    },
}  # fmt: skip
"""By task and variant: a network, and its mediator."""

SIDE = 7 * LARGE
"""Of the scenes, in output pixels: blocks stand around the one in the middle."""
DRAWS = 2
"""For each block: two halves, whose errors are independent. Scenes are the unit, not draws."""
SHOWN = (-60, 120)
"""Shares that the picture shows, in %; means beyond them are arrows with their number."""
NEAR = (0, 16, 32)
"""Where classes of distance begin, from a block's centre to the region, in output pixels."""


def places(study: Study) -> list[Place]:
    """The scenes, each with the block in the middle as its region."""
    start = SIDE // LARGE // 2 * LARGE
    roi = cem.ROI(start, start, LARGE, LARGE)
    return [Place(name, SIDE, roi) for name in scenes.names(study.preset.counted)]


def numbers(found: cem.MediatedMaps) -> dict[str, Any]:
    """What is kept of one scene.

    Returns:
        Sums over blocks, in dB: "total", "direct", "indirect", "interaction"; "total_power" and
        "indirect_power", sums of squared effects in dB^2 as products of the halves of the draws;
        "by_distance": means over the blocks of each class of `NEAR`, of total and of indirect.
    """
    outside = ~found.total.inside_roi
    parts = {
        "total": found.total.effect, "direct": found.direct.effect,
        "indirect": found.indirect.effect, "interaction": found.interaction.effect,
    }  # fmt: skip
    first, second = halves(found.total)
    one, other = (a - b for a, b in zip((first, second), halves(found.direct), strict=True))
    kind = np.digitize(distance(found.total), NEAR) - 1
    classes = [outside & (kind == k) for k in range(len(NEAR))]
    return {
        **{name: float(effect[outside].sum()) for name, effect in parts.items()},
        "total_power": float((first * second)[outside].sum()),
        "indirect_power": float((one * other)[outside].sum()),
        "by_distance": {
            name: [float(parts[name][here].mean()) for here in classes]
            for name in ("total", "indirect")
        },
    }


def compute(study: Study) -> dict[str, Any]:
    """Mediated maps of every network that is there, in every scene."""
    tasks: dict[str, Any] = {}
    names = [name for variants in MEDIATED.values() for name, _ in variants.values()]
    there = study.subjects(names)
    asked = [
        (task, variant, *known)
        for task, variants in MEDIATED.items()
        for variant, known in variants.items()
        if known[0] in there
    ]
    for task, variant, name, through in sorted(asked, key=lambda one: one[1] != "CA"):
        rows = []
        for place in places(study):
            found = study.mediated(
                there[name], task, place, through, cem.Fixed(DRAWS), block=LARGE, pool="others"
            )
            rows.append({"scene": place.name, **numbers(found)})
        tasks.setdefault(task, {})[variant] = {"network": there[name].label, "rows": rows}
    return {"scenes": len(places(study)), "side": SIDE, "draws": DRAWS, "tasks": tasks}


def share(rows: list[dict[str, Any]], part: str = "indirect", whole: str = "total") -> Any:
    """What of a summed number is of a part, in %, over scenes; see `statistics.share`."""
    return statistics.share(in_percent(rows, part), by_scene(rows, whole))


def in_percent(rows: list[dict[str, Any]], part: str) -> dict[str, list[float]]:
    """Hundred times a number of rows, by scene."""
    return {scene: [100 * value for value in each] for scene, each in by_scene(rows, part).items()}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Shares of all networks, and under them how total and indirect effects fall with distance."""
    del store, colour_map
    tasks = results["tasks"]
    figure = plt.figure(figsize=(WIDTH, 2.3 + 1.7), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.3, 1.7))[:, 0]
    widths = [len(found) for found in tasks.values()]
    shares = above.subplots(1, len(tasks), sharey=True, squeeze=False, width_ratios=widths)[0]
    for ax, (task, found) in zip(shares, tasks.items(), strict=True):
        _shares(ax, task, found)
    shares[0].set_ylabel("through attention, % of the sum")
    firsts = [(f"{task}, {v}", one) for task, found in tasks.items() for v, one in found.items()]
    chosen = [one for one in firsts if one[0].endswith((", CA", "IMDN", "Restormer"))] or firsts
    curves = below.subplots(1, len(chosen), squeeze=False)[0]
    for ax, (title, one) in zip(curves, chosen, strict=True):
        _distances(ax, title, one["rows"])
    curves[0].set_ylabel("mean effect (dB)")
    return figure


def _shares(ax: "Axes", task: str, found: dict[str, Any]) -> None:
    for x, one in enumerate(found.values()):
        each = [100 * row["indirect"] / row["total"] for row in one["rows"] if row["total"] != 0]
        ax.plot(x + np.linspace(-0.2, 0.2, len(each)), each, ".", color="0.6", markersize=3)
        mean, colour = share(one["rows"]), "C0" if task == "SR" else "C1"
        if SHOWN[0] < mean["mean"] < SHOWN[1]:
            ax.plot(x, mean["mean"], "o", color=colour, markersize=4)
        else:  # an arrow that says where it would be
            end, past = (SHOWN[1], "^") if mean["mean"] > 0 else (SHOWN[0], "v")
            ax.plot(x, end, past, color=colour, markersize=5, clip_on=False, zorder=3)
            below = "bottom" if end == SHOWN[0] else "top"
            at, text = (x + 0.12, end), f"{mean['mean']:.0f}"
            ax.annotate(text, at, (0, 2 if below == "bottom" else -2), va=below, fontsize="small",
                        textcoords="offset points")  # fmt: skip
        if mean["low"] is not None:
            ax.plot([x, x], [mean["low"], mean["high"]], color="0.1", linewidth=1.2)
    ax.axhline(0, color="0.7", linewidth=0.6)
    ax.set(title=task, xticks=range(len(found)), xlim=(-0.5, len(found) - 0.5), ylim=SHOWN)
    ax.set_xticklabels(list(found), rotation=30, ha="right")


def _distances(ax: "Axes", title: str, rows: list[dict[str, Any]]) -> None:
    for name, style in (("total", "o-"), ("indirect", "s--")):
        means = np.array([row["by_distance"][name] for row in rows])
        ax.plot(range(len(NEAR)), means.mean(axis=0), style, markersize=3, label=name)
    ax.axhline(0, color="0.7", linewidth=0.6)
    ax.set(title=title, xlabel="distance (px)", xticks=range(len(NEAR)))
    ax.set_yscale("symlog", linthresh=1e-3)
    ax.set_xticklabels([f"{start}+" for start in NEAR])
    ax.legend(frameon=False)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for task, found in results["tasks"].items():
        for variant, one in found.items():
            sums = share(one["rows"])
            squares = share(one["rows"], "indirect_power", "total_power")
            parts.append(
                f"{task} {variant} {statistics.written(sums, '%', 1)} of the summed effect, "
                f"{statistics.written(squares, '%', 1)} of the squared ones"
            )
    return f"through the attention, {results['scenes']} scenes: " + "; ".join(parts) + "."
