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
from jaxtyping import Float64
from matplotlib.lines import Line2D

import cem_jax as cem
from cem_jax.experiments.figures import scenes, statistics
from cem_jax.experiments.figures.counted import LARGE, by_scene
from cem_jax.experiments.figures.counted import mean as counted_mean
from cem_jax.experiments.figures.intervals import apart, surround, upright
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
SHOWN = (-220, 100)
"""Shares that the picture shows, in %; what lies beyond them are arrows, of a mean with its
number."""
NEAR = (0, 16, 32)
"""Where classes of distance begin, from a block's centre to the region, in output pixels."""

_RIM = 5.0
"""Of the arrows of scenes from the end of what is shown, in %."""
_LOOKS: dict[str, dict[str, Any]] = {
    "total": {"color": "0.2", "marker": "D", "markersize": 2.8},
    "indirect": {"color": "#d55e00", "marker": "s", "markersize": 2.8},
}
"""Of effects; what passes the attention has one colour everywhere."""
_SCENE: dict[str, Any] = {"color": "0.6", "marker": "o", "markersize": 1.8, "markeredgewidth": 0}
_SHARE = "through attention,\n% of the sum"


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
    """A column for each network: its share, and under it its mean effects by distance."""
    del store, colour_map
    tasks = results["tasks"]
    figure = plt.figure(figsize=(WIDTH, 5.6), layout="constrained")
    heights, widths = (2.4, *[1.0] * len(NEAR)), [len(found) for found in tasks.values()]
    grid = figure.add_gridspec(
        len(heights), len(widths), height_ratios=heights, width_ratios=widths
    )
    scale: dict[int, Axes] = {}  # of each row; far classes share theirs
    for column, (task, found) in enumerate(tasks.items()):
        for row in range(len(heights)):
            kept = min(row, 2)
            ax = figure.add_subplot(grid[row, column], sharey=scale.get(kept))
            scale.setdefault(kept, ax)
            ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
            if row == 0:
                _shares(ax, found)
                ax.set(title=task)
            else:
                _effects(ax, found, row - 1)
            ax.set_xlim(-0.5, len(found) - 0.5)
            ax.set_xticks(range(len(found)), list(found))
            ax.tick_params(labelleft=column == 0, labelbottom=row == len(NEAR))
            if column == 0:
                ax.set_ylabel(_SHARE if row == 0 else f"{_between(row - 1)}\neffect (dB)")
    handles = [
        Line2D([], [], linestyle="none", label=label, **look)
        for label, look in (
            ("share of all scenes", {**_LOOKS["indirect"], "marker": "o"}),
            ("share of a scene", _SCENE),
            ("mean effect of blocks, total", _LOOKS["total"]),
            ("mean effect through the attention", _LOOKS["indirect"]),
        )
    ]
    surround(figure, handles, len(handles), _note(results))
    return figure


def _between(k: int) -> str:
    """A class of distance in words."""
    if k + 1 < len(NEAR):
        return f"{NEAR[k]} to {NEAR[k + 1]} px:"
    return f"over {NEAR[k]} px:"


def _note(results: dict[str, Any]) -> str:
    return (
        f"Upright lines: 95 % intervals of {results['scenes']} scenes, the unit. Arrows at the rim "
        "of the upper panels: shares beyond it. Below: mean effects of the blocks whose centre is "
        "so far from the region; the two rows of far blocks have one axis, which is not that of "
        "the near ones, and the points of a network stand slightly apart."
    )


def _shares(ax: "Axes", found: dict[str, Any]) -> None:
    """Each network's share with its interval, and the shares of single scenes."""
    low, high = SHOWN
    for x, one in enumerate(found.values()):
        each = [100 * row["indirect"] / row["total"] for row in one["rows"] if row["total"] != 0]
        for place, value in zip(x + _beside(len(each)), each, strict=True):
            inside = low < value < high
            at = float(np.clip(value, low + _RIM, high - _RIM))
            look = {} if inside else {"marker": "^" if value > 0 else "v", "markersize": 3}
            ax.plot(place, value if inside else at, **{**_SCENE, **look})
        mean, colour = share(one["rows"]), _LOOKS["indirect"]["color"]
        if low < mean["mean"] < high:
            upright(ax, x, mean, colour, SHOWN)
            ax.plot(x, mean["mean"], "o", color=colour, markersize=3.5, zorder=3)
        else:  # an arrow that says where it would be
            end, past = (high, "^") if mean["mean"] > 0 else (low, "v")
            ax.plot(x, end, past, color=colour, markersize=5, clip_on=False, zorder=3)
            below = "bottom" if end == low else "top"
            ax.annotate(statistics.written(mean, "%", 0), (x, end), (0, 5 if end == low else -5),
                        va=below, ha="center", fontsize=6, textcoords="offset points",
                        color=colour)  # fmt: skip
    ax.set_ylim(SHOWN)


def _beside(count: int) -> Float64[np.ndarray, " count"]:
    """Places of scenes on both sides of their mean, which covers none of them."""
    places = np.linspace(-0.25, 0.25, count)
    return places + np.where(places < 0, -0.09, 0.09)


def by_distance(rows: list[dict[str, Any]], name: str, k: int) -> dict[str, Any]:
    """The mean effect of the blocks of one class of distance, with its interval over scenes.

    Args:
        rows: of one network.
        name: "total" or "indirect".
        k: number of the class in `NEAR`.
    """
    found = [{"scene": row["scene"], name: row["by_distance"][name][k]} for row in rows]
    return counted_mean(found, name)


def _effects(ax: "Axes", found: dict[str, Any], k: int) -> None:
    """Mean effects of each network in one class of distance, total and indirect side by side."""
    for x, one in enumerate(found.values()):
        for shift, (name, look) in zip(apart(len(_LOOKS), 0.2), _LOOKS.items(), strict=True):
            mean = by_distance(one["rows"], name, k)
            if mean["mean"] is None:
                continue
            ax.plot(x + shift, mean["mean"], **look)
            upright(ax, x + shift, mean, look["color"])


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
