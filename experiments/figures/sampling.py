"""How many draws a map needs: error against evaluations, for the paper's plan and for others.

Claim: a few draws for all blocks and many for those that moved the outcome give the map of many
draws at a fraction of the cost (Hu et al., the acceleration); plans that stop when a block is
decided need fewer still. Errors are against other draws, whose own error is taken off.

    cem-jax figures sampling

Expected (preset quick, 16 s on 1 cpu): cabin: SR CoarseToFine(3, 1) 618 evaluations, error 53.6
mdB; SR Adaptive(0.01 dB) 496 evaluations, error 16.1 mdB; DN CoarseToFine(3, 1) 109 evaluations,
error 10.6 mdB; DN Adaptive(0.01 dB) 118 evaluations, error 4.6 mdB; DR CoarseToFine(3, 1) 117
evaluations, error 38.1 mdB; DR Adaptive(0.01 dB) 118 evaluations, error 57.9 mdB.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
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
_COLOURS = {
    "Fixed": "#888888",
    "CoarseToFine": "#b2182b",
    "Adaptive": "#2166ac",
    "Stratified": "#1b7837",
}


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

    effect: np.ndarray
    variance: np.ndarray
    outside: np.ndarray
    sure: np.ndarray

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

    def judge(self, label: str, effect: np.ndarray, evaluations: int) -> dict[str, Any]:
        """A plan's cost, its root mean squared error in dB, and its share of wrong signs in %."""
        squared = ((effect - self.effect) ** 2 - self.variance)[self.outside]
        wrong = (np.sign(effect) != np.sign(self.effect))[self.sure]
        return {
            "plan": label,
            "evaluations": evaluations,
            "error": float(np.sqrt(max(squared.mean(), 0.0))),
            "wrong_sign": float(100 * wrong.mean()) if len(wrong) else None,
        }


def compute(study: Study) -> dict[str, Any]:
    """One recorded map for each task: half of its draws are the truth, plans play on the others."""
    place, most = study.counted[0], study.preset.recorded // 2
    tasks = {}
    for task, names in NETWORKS.items():
        subject = study.first(names)
        key = study.map(subject, task, place, plan=cem.Fixed(2 * most))
        recorded = study.store.map(key)
        truth = _Truth.of(recorded, most)
        points: dict[str, list[dict[str, Any]]] = {}
        for kind, plans in random_plans(most).items():
            for label, plan in plans:
                point = truth.judge(label, *replay(plan, recorded))
                points.setdefault(kind, []).append(point)
        for kind, plans in choosing_plans(most).items():
            for label, plan in plans:
                found = study.store.map(study.map(subject, task, place, plan=plan))
                point = truth.judge(label, np.nan_to_num(found.effect), found.evaluations)
                points.setdefault(kind, []).append(point)
        tasks[task] = {"network": subject.label, "map": key, "points": points, "most": most}
    return {"scene": place.name, "tasks": tasks}


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
                known = [point for point in points if point[number] is not None]
                ax.plot(
                    [point["evaluations"] for point in known],
                    [point[number] for point in known],
                    color=_COLOURS[kind], marker="o", markersize=2.5, label=kind,
                )  # fmt: skip
                if number == "error":
                    ends = {"right": known[0], "left": known[-1]}
                    for side, point in list(ends.items())[: len(known)]:
                        at = (point["evaluations"], point["error"])
                        ax.annotate(
                            point["plan"], at, fontsize=4.5, color=_COLOURS[kind], ha=side,
                            textcoords="offset points", xytext=(2 if side == "left" else -2, 2),
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
    axes[0, 0].legend(frameon=False)
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
    return f"{results['scene']}: " + "; ".join(parts) + "."
