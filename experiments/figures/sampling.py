"""How many draws a map needs: error against evaluations, for the paper's plan and for others.

Claim: a few draws for all blocks and many for those that moved the outcome give the map of many
draws at a fraction of the cost (Hu et al., the acceleration); plans that stop when a block is
decided need fewer still. Errors are against other draws, whose own error is taken off; a point that
it hides is left out.

    cem-jax figures sampling

Numbers: docs/results/sampling.json (preset compact, 754 s on 1 cpu).
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.ticker import LogLocator, NullFormatter

import cem_jax as cem
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.replay import replay
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = {
    "SR": ("EDSR", "SRResNet", "RFDN"),
    "DN": ("DnCNN", "SRResNet_DN"),
    "DR": ("SRResNet_DR", "PReNet"),
}
"""For each task the first one that is there."""
_LINES = {
    "Fixed": ("#666666", "o"),
    "CoarseToFine": ("#d55e00", "s"),
    "Adaptive": ("#0072b2", "D"),
    "Stratified": ("#009e73", "^"),
}
"""Colour and marker; of the colours that Okabe and Ito chose for every eye."""
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


def _point(label: str, judged: Sequence[_Judged]) -> dict[str, Any]:
    """A plan over all places: mean cost, root mean squared error in dB, wrong signs in %.

    An error of zero is one that the truth's own error hides.
    """
    squared = np.concatenate([one.squared for one in judged])
    wrong = np.concatenate([one.wrong for one in judged])
    return {
        "plan": label,
        "evaluations": round(float(np.mean([one.evaluations for one in judged]))),
        "error": float(np.sqrt(max(squared.mean(), 0.0))),
        "wrong_sign": float(100 * wrong.mean()) if len(wrong) else None,
    }


def compute(study: Study) -> dict[str, Any]:
    """Recorded maps for each task: half of their draws are the truth, plans play on the others."""
    most, regions = study.preset.recorded // 2, study.preset.regions
    places = study.counted[::regions][:_SCENES]
    tasks = {}
    for task, names in NETWORKS.items():
        subject = study.first(names)
        judged: dict[str, dict[str, list[_Judged]]] = {}
        for place in places:
            recorded = study.store.map(study.map(subject, task, place, plan=cem.Fixed(2 * most)))
            truth = _Truth.of(recorded, most)
            for kind, plans in random_plans(most).items():
                for label, plan in plans:
                    one = truth.judge(*replay(plan, recorded))
                    judged.setdefault(kind, {}).setdefault(label, []).append(one)
            for kind, plans in choosing_plans(most).items():
                for label, plan in plans:
                    found = study.store.map(study.map(subject, task, place, plan=plan))
                    one = truth.judge(np.nan_to_num(found.effect), found.evaluations)
                    judged.setdefault(kind, {}).setdefault(label, []).append(one)
        points = {
            kind: [_point(label, several) for label, several in plans.items()]
            for kind, plans in judged.items()
        }
        tasks[task] = {"network": subject.label, "points": points, "most": most}
    return {"scenes": [place.name for place in places], "tasks": tasks}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Errors against evaluations, a panel for each task; wrong signs below."""
    tasks = results["tasks"]
    figure, axes = plt.subplots(
        2, len(tasks), figsize=(WIDTH, 3.8), layout="constrained", squeeze=False, sharex="col"
    )
    rows = (
        ("error", "error (dB)", "log"),
        ("wrong_sign", "wrong signs of clear effects (%)", "linear"),
    )
    for column, (task, found) in enumerate(tasks.items()):
        for ax, (number, label, scale) in zip(axes[:, column], rows, strict=True):
            for kind, points in found["points"].items():
                known = [
                    point
                    for point in points
                    if point[number] is not None and (point[number] > 0 or scale == "linear")
                ]
                ax.plot(
                    [point["evaluations"] for point in known],
                    [point[number] for point in known],
                    color=_LINES[kind][0], marker=_LINES[kind][1], markersize=3, label=kind,
                )  # fmt: skip
                if number == "error" and known:
                    ends = {"right": known[0], "left": known[-1]}
                    for side, point in list(ends.items())[: len(known)]:
                        at = (point["evaluations"], point["error"])
                        ax.annotate(
                            point["plan"], at, fontsize=4.5, color=_LINES[kind][0], ha=side,
                            va="top" if kind == "Adaptive" else "bottom",
                            textcoords="offset points", xytext=(2 if side == "left" else -2, 0),
                        )  # fmt: skip
            ax.set(xscale="log", yscale=scale, ylabel=label if column == 0 else None)
            ax.margins(0.12)
            for axis in (ax.xaxis, ax.yaxis) if scale == "log" else (ax.xaxis,):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter(NullFormatter())
        axes[1, column].set_ylim(-2, 52)  # chance alone: 50
        axes[0, column].set_title(f"{task}, {found['network']}")
        axes[1, column].set_xlabel("evaluations")
    axes[1, 0].legend(frameon=False, loc="upper right")
    return figure


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
