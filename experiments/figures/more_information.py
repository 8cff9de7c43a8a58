"""More input information does not always help: shares of blocks, and the gain of masking some.

Claim: as networks see more of the image, more blocks take part, but many of them harm; replacing
the harmful ones raises the region's PSNR (Hu et al., finding 1). Blocks are chosen by half of the
draws and judged by others. Means over scenes, with 95 % intervals.

    cem-jax figures more-information

Numbers: docs/results/more-information.json (preset compact, 3870 s on 1 cpu).
"""

import functools
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures import counted
from cem_jax.experiments.figures.masking import SHARES, curves, masked
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study, load
from cem_jax.experiments.figures.subjects import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORKS = (
    "SRCNN", "FSRCNN", "EDSR", "SRResNet", "RCAN", "SwinIR", "RNAN", "IMDN", "RFDN", "PAN", "HAT",
)  # fmt: skip
NUMBERS = (
    "psnr", "positive", "negative", "involved", "low", "high", "strength", "reach", "reliability",
)  # fmt: skip
_ORDERS = {
    "effect": ("#b2182b", "by effect"),
    "nearness": ("#2166ac", "by nearness"),
    "random": ("#888888", "at random"),
}


def _one(study: Study, subject: Subject) -> dict[str, Any]:
    found = counted.rows(study, subject, "SR")
    network, draws = load(subject), study.preset.joint_draws
    for row, place in zip(found, study.counted, strict=True):
        scene = study.scene(subject, "SR", place)
        effect_map = study.store.map(row["map"])
        for kind, compute in (("masked", masked), ("curves", curves)):
            of_map = functools.partial(compute, network, scene, effect_map, draws)
            row[kind] = study.beside(row["map"], f"{kind}-{draws}", of_map)
        row["gain"] = row["masked"]["gain"]
        row["harmful_again"] = row["masked"]["harmful_again"]
    numbers = (*NUMBERS, "gain", "harmful_again")
    return {
        "network": subject.label,
        "receptive_radius": cem.models.describe(subject.name).receptive_radius,
        "means": {number: counted.mean(found, number) for number in numbers},
        "curves": {
            kind: {
                order: np.mean([row["curves"][kind][order] for row in found], axis=0).tolist()
                for order in _ORDERS
            }
            for kind in ("deletion", "insertion")
        },
        "rows": found,
    }


def compute(study: Study) -> dict[str, Any]:
    """Measures, masking and curves of every network at every place."""
    found = study.subjects(NETWORKS, study.preset.most)
    networks = [_one(study, subject) for subject in found.values()]
    places = study.counted
    return {
        "scenes": len({place.name for place in places}),
        "places": len(places),
        "networks": networks,
    }


def _bar(ax: "Axes", networks: list[dict[str, Any]], number: str, colour: Any) -> None:
    """Means with intervals, a bar for each network."""
    for x, network in enumerate(networks):
        found = network["means"][number]
        ax.bar(x, found["mean"] or 0, color=colour, edgecolor="black", linewidth=0.4)
        if found["low"] is not None:
            ax.plot((x, x), (found["low"], found["high"]), color="black", linewidth=0.9)
    ax.set_xticks(range(len(networks)), [n["network"] for n in networks], rotation=60, ha="right")
    ax.axhline(0, color="black", linewidth=0.5)


def _names(ax: "Axes", networks: list[dict[str, Any]]) -> None:
    """Names in a row above the points of their PSNR, side by side where these lie together."""
    ordered = sorted(networks, key=lambda network: network["means"]["psnr"]["mean"])
    psnr = np.array([network["means"]["psnr"]["mean"] for network in ordered])
    steps = 0.07 * np.ptp(psnr) * np.arange(len(psnr))
    places = np.maximum.accumulate(psnr - steps) + steps
    highest = max(max(n["means"][s]["mean"] for s in ("positive", "negative")) for n in networks)
    for network, x, place in zip(ordered, psnr, places, strict=True):
        top = max(network["means"][share]["mean"] for share in ("positive", "negative"))
        ax.plot((x, place), (top, 1.1 * highest), color="#bbbbbb", linewidth=0.4, zorder=0)
        ax.text(
            place, 1.12 * highest, network["network"], fontsize=5, rotation=90, ha="center",
            va="bottom",
        )  # fmt: skip
    ax.set_ylim(-0.03 * highest, 1.6 * highest)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Shares by network, shares against PSNR, gains of masking, deletion and insertion."""
    from matplotlib import colormaps

    def reach(network: dict[str, Any]) -> float:
        radius = network["receptive_radius"]
        return float("inf") if radius is None else radius

    networks = sorted(results["networks"], key=reach)
    helps, harms = colormaps[colour_map](0.85), colormaps[colour_map](0.15)
    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 4.4), layout="constrained")
    names = [network["network"] for network in networks]
    ax = axes[0, 0]
    for x, network in enumerate(networks):
        means = network["means"]
        ax.bar(x, means["positive"]["mean"], color=helps)
        ax.bar(x, means["negative"]["mean"], bottom=means["positive"]["mean"], color=harms)
    ax.legend(("help", "harm"), frameon=False, loc="upper left")
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right")
    ax.set(ylabel="blocks that help, harm (%)", title="(a) by receptive field, small to global")
    ax = axes[0, 1]
    for colour, number in ((helps, "positive"), (harms, "negative")):
        psnr = [network["means"]["psnr"]["mean"] for network in networks]
        share = [network["means"][number]["mean"] for network in networks]
        ax.scatter(psnr, share, color=colour, s=14)
    _names(ax, networks)
    ax.margins(x=0.1)
    ax.set(xlabel="PSNR of the region (dB)", ylabel="blocks (%)", title="(b) shares against PSNR")
    _bar(axes[0, 2], networks, "gain", helps)
    axes[0, 2].set(ylabel="change of PSNR (dB)", title="(c) all harmful blocks replaced")
    _bar(axes[1, 0], networks, "harmful_again", harms)
    axes[1, 0].axhline(50, color="black", linewidth=0.5, linestyle=":")
    axes[1, 0].set(
        ylabel="harm by fresh draws too (%)", ylim=(0, 105), title="(d) blocks chosen as harmful"
    )
    last = max(networks, key=lambda network: network["means"]["psnr"]["mean"])
    for ax, kind, letter in ((axes[1, 1], "deletion", "e"), (axes[1, 2], "insertion", "f")):
        for order, (colour, label) in _ORDERS.items():
            values = last["curves"][kind][order]
            ax.plot(
                range(len(SHARES)), values, color=colour, marker="o", markersize=2.5, label=label
            )
        ax.set_xticks(range(len(SHARES)), [f"{100 * share:g}" for share in SHARES])
        verb = "replaced" if kind == "deletion" else "kept"
        ax.set(
            xlabel=f"blocks {verb} (%), the first of the order", ylabel="PSNR of the region (dB)"
        )
        ax.set_title(f"({letter}) {kind}, {last['network']}")
    for ax in axes[1, 1:]:  # room for the lines' names
        ax.set_ymargin(0.2)
        ax.legend(
            frameon=False, loc="upper center", ncols=3, handlelength=1.2, columnspacing=0.8,
            fontsize=5,
        )  # fmt: skip
    return figure


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for network in results["networks"]:
        means = network["means"]
        parts.append(
            f"{network['network']} {means['positive']['mean']:.0f} % help, "
            f"{means['negative']['mean']:.0f} % harm, gain {means['gain']['mean']:+.2f} dB"
        )
    return f"{results['places']} regions of {results['scenes']} scenes: " + "; ".join(parts) + "."
