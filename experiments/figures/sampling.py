"""How many draws a map needs: error against evaluations, for the paper's plan and for others.

Claim: a few draws for all blocks and many for those that moved the outcome give the map of many
draws at a fraction of the cost (Hu et al., the acceleration); plans that stop when a block is
decided need fewer still. Errors are against other draws, whose own error is taken off; a point that
it hides is an arrow.

    cem-jax figures sampling

Numbers: docs/results/sampling.json (preset compact, 446 s on 2 cpu).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

import cem_jax as cem
from cem_jax.experiments.figures.counted import by_scene
from cem_jax.experiments.figures.intervals import apart, surround, upright
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.replay import replay
from cem_jax.experiments.figures.statistics import share
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORKS = {
    "SR": ("EDSR", "SRResNet", "RFDN"),
    "DN": ("DnCNN", "SRResNet_DN"),
    "DR": ("SRResNet_DR", "PReNet"),
}
"""For each task the first one that is there."""
_LINES: dict[str, dict[str, Any]] = {
    "Fixed": {"color": "#666666", "marker": "o", "markersize": 3},
    "CoarseToFine": {"color": "#d55e00", "marker": "s", "markersize": 2.8},
    "Adaptive": {"color": "#0072b2", "marker": "D", "markersize": 2.8},
    "Stratified": {"color": "#009e73", "marker": "^", "markersize": 3.2},
}
"""Of the colours that Okabe and Ito chose for every eye."""
_TOLD: dict[str, Callable[[list[str]], str]] = {
    "Fixed": lambda labels: f"{', '.join(labels)} draws",
    "CoarseToFine": lambda labels: (
        f"3 draws, then {', '.join(label[len('3, ') :] for label in labels)} where they moved"
    ),
    "Adaptive": lambda labels: (
        f"tolerance {', '.join(label.removesuffix(' dB') for label in labels)} dB"
    ),
    "Stratified": lambda labels: f"{', '.join(labels)} draws",
}
"""Of a kind of plan: what the labels of its points say, in words."""
_APART = 0.012
"""Between points of two kinds of plans of one cost, in powers of ten of the evaluations."""
_LEAST = 0.6
"""Part of the smallest error at which the axis of errors ends, which has no 0."""
_SCENES = 4
"""At most, with their region of most structure."""


def random_plans(most: int) -> dict[str, list[tuple[str, cem.Plan]]]:
    """Plans of random draws, by kind, each with its label.

    Args:
        most: draws for a block at most.
    """
    counts = [n for n in (1, 2, 3, 5, 10, 20, 50) if n <= most]
    fine = [n for n in (1, 2, 5, 10, 20, 30, 50) if n + 3 <= most]
    return {
        "Fixed": [(f"{n}", cem.Fixed(n)) for n in counts],
        "CoarseToFine": [(f"3, {n}", cem.CoarseToFine(3, n)) for n in fine],
    }


def choosing_plans(most: int) -> dict[str, list[tuple[str, cem.Plan]]]:
    """Plans that choose their patches, so that they cannot be replayed; otherwise the same.

    Args:
        most: draws for a block at most, a power of 2.
    """
    tolerances = (0.1, 0.03, 0.01)
    return {
        "Stratified": [(f"{n}", cem.Stratified(n)) for n in (2, 4, 8, 16) if n <= most],
        "Adaptive": [(f"{t} dB", cem.Adaptive(tolerance=t, most=most)) for t in tolerances],
    }


@dataclasses.dataclass(frozen=True)
class _Truth:
    """What many other draws say of the effects, [rows, columns].

    Args:
        effect: in dB.
        variance: of it, in dB squared.
        outside: blocks outside the region.
        sure: those whose effect is clear.
    """

    effect: Float[np.ndarray, "rows columns"]
    variance: Float[np.ndarray, "rows columns"]
    outside: Bool[np.ndarray, "rows columns"]
    sure: Bool[np.ndarray, "rows columns"]

    @classmethod
    def of(cls, recorded: cem.EffectMap, draws: int) -> "_Truth":
        """By the last draws of a `Fixed` map."""
        last = recorded.values[:, :, -draws:].astype(np.float64)
        drawn = np.isfinite(last).all(axis=2)
        effect = np.where(drawn, recorded.baseline - last.mean(axis=2), 0.0)
        variance = np.where(drawn, last.var(axis=2, ddof=1) / draws, 0.0)
        outside = ~recorded.inside_roi
        clear = np.abs(effect) > np.maximum(3 * np.sqrt(variance), recorded.tolerance)
        return cls(effect, variance, outside, outside & clear)

    def judge(self, effect: Float[np.ndarray, "rows columns"], evaluations: int) -> "_Judged":
        """A plan's cost, its squared errors in dB squared, and whether clear signs are wrong."""
        squared = ((effect - self.effect) ** 2 - self.variance)[self.outside]
        wrong = (np.sign(effect) != np.sign(self.effect))[self.sure]
        return _Judged(evaluations, squared, wrong)


class _Judged(NamedTuple):
    """What a plan cost at one place, and its errors there."""

    evaluations: int
    squared: Float[np.ndarray, " blocks"]
    wrong: Bool[np.ndarray, " sure"]


def _point(label: str, judged: Mapping[str, _Judged]) -> dict[str, Any]:
    """A plan over all scenes, and in each of them.

    Args:
        label: of the plan.
        judged: by scene.

    Returns:
        "plan"; "evaluations": mean cost; "error": root mean squared error of all blocks, in dB,
        zero where the truth's own error hides it; "wrong_sign": share of the clear effects, in %;
        "rows": of each scene "evaluations", "squared" (sum of the squared errors, in dB squared,
        less that of the truth) of its "blocks", and how many signs are "wrong" of the "clear" ones.
    """
    squared = np.concatenate([one.squared for one in judged.values()])
    wrong = np.concatenate([one.wrong for one in judged.values()])
    return {
        "plan": label,
        "evaluations": round(float(np.mean([one.evaluations for one in judged.values()]))),
        "error": float(np.sqrt(max(squared.mean(), 0.0))),
        "wrong_sign": float(100 * wrong.mean()) if len(wrong) else None,
        "rows": [
            {
                "scene": scene,
                "evaluations": one.evaluations,
                "squared": float(one.squared.sum()),
                "blocks": len(one.squared),
                "wrong": int(one.wrong.sum()),
                "clear": len(one.wrong),
            }
            for scene, one in judged.items()
        ],
    }


def compute(study: Study) -> dict[str, Any]:
    """Recorded maps for each task: half of their draws are the truth, plans play on the others."""
    most, regions = study.preset.recorded // 2, study.preset.regions
    places = study.counted[::regions][:_SCENES]
    tasks = {}
    for task, names in NETWORKS.items():
        subject = study.first(names)
        judged: dict[str, dict[str, dict[str, _Judged]]] = {}
        for place in places:
            recorded = study.store.map(study.map(subject, task, place, plan=cem.Fixed(2 * most)))
            truth = _Truth.of(recorded, most)
            for kind, plans in random_plans(most).items():
                for label, plan in plans:
                    one = truth.judge(*replay(plan, recorded))
                    judged.setdefault(kind, {}).setdefault(label, {})[place.name] = one
            for kind, plans in choosing_plans(most).items():
                for label, plan in plans:
                    found = study.store.map(study.map(subject, task, place, plan=plan))
                    one = truth.judge(np.nan_to_num(found.effect), found.evaluations)
                    judged.setdefault(kind, {}).setdefault(label, {})[place.name] = one
        points = {
            kind: [_point(label, scenes) for label, scenes in plans.items()]
            for kind, plans in judged.items()
        }
        tasks[task] = {"network": subject.label, "points": points, "most": most}
    return {"scenes": [place.name for place in places], "tasks": tasks}


def error(point: dict[str, Any]) -> dict[str, Any]:
    """A plan's root mean squared error in dB, with its interval over scenes.

    Args:
        point: a plan.
    """
    found = share(by_scene(point["rows"], "squared"), by_scene(point["rows"], "blocks"))
    return {
        end: None if found[end] is None else max(found[end], 0.0) ** 0.5
        for end in ("mean", "low", "high")
    }


def wrong_sign(point: dict[str, Any]) -> dict[str, Any]:
    """Wrong signs among clear effects in %, with their interval over scenes.

    Args:
        point: a plan.
    """
    if point["wrong_sign"] is None:
        return {"mean": point["wrong_sign"], "low": None, "high": None}
    wrong = {
        scene: [100 * count for count in each]
        for scene, each in by_scene(point["rows"], "wrong").items()
    }
    return share(wrong, by_scene(point["rows"], "clear"))


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Errors against evaluations, a panel for each task; wrong signs below."""
    del store, colour_map
    tasks = results["tasks"]
    figure, axes = plt.subplots(
        2, len(tasks), figsize=(WIDTH, 4.6), layout="constrained", squeeze=False, sharex="col",
        sharey="row", height_ratios=(3, 2),
    )  # fmt: skip
    points = [one for found in tasks.values() for kind in found["points"].values() for one in kind]
    least = _LEAST * min((one["error"] for one in points if one["error"] > 0), default=1.0)
    for column, (task, found) in enumerate(tasks.items()):
        _errors(axes[0, column], found["points"], least)
        _wrong_signs(axes[1, column], found["points"])
        axes[0, column].set_title(f"{task}, {found['network']}")
        axes[1, column].set_xlabel("evaluations")
        for ax in axes[:, column]:
            ax.set_xscale("log")
            ax.margins(x=0.1)
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("error (dB)")
    axes[1, 0].set_ylabel("wrong signs of\nclear effects (%)")
    axes[0, 0].set_ylim(bottom=0.95 * least)
    known = [wrong for wrong in map(wrong_sign, points) if wrong["mean"] is not None]
    highest = max((max(wrong["mean"], wrong["high"] or 0) for wrong in known), default=1.0)
    axes[1, 0].set_ylim(-0.06 * max(highest, 1), 1.1 * max(min(highest, 100), 1))
    surround(figure, _handles(tasks), 2, _note(results["scenes"], points))
    return figure


def _found(
    plans: dict[str, list[dict[str, Any]]], number: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], list[tuple[float, dict[str, Any]]]]]:
    """Of each kind of plan its look, and of its points the place and a number that is known."""
    for (kind, look), shift in zip(_LINES.items(), apart(len(_LINES), _APART), strict=True):
        numbers = [(one["evaluations"] * 10**shift, number(one)) for one in plans.get(kind, [])]
        yield look, [(x, found) for x, found in numbers if found["mean"] is not None]


def _errors(ax: "Axes", plans: dict[str, list[dict[str, Any]]], least: float) -> None:
    """Errors, on an axis of powers from the least; an arrow where the truth's own hides one."""
    ax.set_yscale("log")
    for look, found in _found(plans, error):
        seen = [(x, one) for x, one in found if one["mean"] > 0]
        ax.plot([x for x, _ in seen], [one["mean"] for _, one in seen], linewidth=0.8, **look)
        for x, one in seen:
            upright(ax, x, one, look["color"], (least, np.inf))
        for x in (x for x, one in found if one["mean"] == 0):
            ax.plot(x, 0.04, "v", color=look["color"], markersize=3, fillstyle="none",
                    transform=ax.get_xaxis_transform())  # fmt: skip
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.margins(y=0.1)


def _wrong_signs(ax: "Axes", plans: dict[str, list[dict[str, Any]]]) -> None:
    for look, found in _found(plans, wrong_sign):
        ax.plot([x for x, _ in found], [one["mean"] for _, one in found], linewidth=0.8, **look)
        for x, one in found:
            upright(ax, x, one, look["color"], (0.0, 100.0))
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)


def _handles(tasks: dict[str, Any]) -> list[Line2D]:
    """Of the legend: each kind of plan, and what its points are."""
    plans: dict[str, list[str]] = {}
    for found in tasks.values():
        for kind, points in found["points"].items():
            labels = [point["plan"] for point in points]
            plans[kind] = max(plans.get(kind, []), labels, key=len)
    return [
        Line2D([], [], linewidth=0.8, label=f"{kind}: {_TOLD[kind](labels)}", **_LINES[kind])
        for kind, labels in plans.items()
    ]


def _note(scenes: list[str], points: list[dict[str, Any]]) -> str:
    unit = f"{len(scenes)} scenes, the unit" if len(scenes) > 1 else "one scene: none"
    hidden = (
        "An empty arrow at the lower end of errors: the truth's own error hides that of the plan. "
        if any(not point["error"] for point in points)
        else ""
    )
    return (
        f"Upright lines: 95 % intervals of {unit}; an arrow where one goes on. Points of a plan "
        "from left to right as the legend names them, those of several plans slightly apart. "
        f"{hidden}Chance alone would have 50 % of the signs wrong. A row has one axis."
    )


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for task, found in results["tasks"].items():
        for kind in ("CoarseToFine", "Adaptive"):
            point = found["points"].get(kind, [None])[-1]
            if point is None:
                continue
            parts.append(
                f"{task} {kind}({point['plan']}) {point['evaluations']} evaluations, error "
                f"{1000 * point['error']:.1f} mdB"
            )
    return f"{', '.join(results['scenes'])}: " + "; ".join(parts) + "."
