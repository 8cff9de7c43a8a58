"""More input information does not always help: shares of blocks, and the gain of masking some.

Claim: as networks see more of the image, more blocks take part, but many of them harm; replacing
the harmful ones raises the region's PSNR (Hu et al., finding 1). Blocks are chosen by half of the
draws and judged by others. Means over scenes, with 95 % intervals.

    cem-jax figures more-information

Numbers: docs/results/more-information.json (preset compact, 3870 s on 1 cpu).
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

import cem_jax as cem
from cem_jax.experiments.figures import counted
from cem_jax.experiments.figures.intervals import ANYTHING, apart, level, surround, upright
from cem_jax.experiments.figures.masking import SHARES, curves, masked
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.statistics import from_their_mean, over_scenes
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
_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "effect": ({"color": "#cc79a7", "marker": "s", "markersize": 2.5}, "by effect"),
    "nearness": ({"color": "#009e73", "marker": "^", "markersize": 2.8}, "by nearness"),
    "random": ({"color": "0.6", "marker": "x", "markersize": 2.8}, "at random"),
}
"""Of blocks: how their curve looks, and its name."""
_MEAN: dict[str, Any] = {"color": "0.2", "marker": "D", "markersize": 2.5}
_PERCENT = (0.0, 100.0)


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


def from_mean(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each network's PSNR less that of the mean network, in each region, over scenes."""
    values = [counted.by_scene(network["rows"], "psnr") for network in networks]
    return [over_scenes(one) for one in from_their_mean(values)]


def change(network: dict[str, Any], kind: str, order: str, point: int) -> dict[str, Any]:
    """By how much PSNR has changed along a curve since its first point, over scenes.

    Args:
        network: with its rows.
        kind: "deletion" or "insertion".
        order: of the blocks.
        point: number of the share in `SHARES`.
    """
    found: dict[str, list[float]] = {}
    for row in network["rows"]:
        line = row["curves"][kind][order]
        found.setdefault(row["scene"], []).append(line[point] - line[0])
    return over_scenes(found)


def _line_of(
    ax: "Axes", y: float, found: dict[str, Any], look: dict[str, Any],
    bounds: tuple[float, float] = ANYTHING,
) -> None:  # fmt: skip
    """A mean with its interval in a network's line; nothing where none is known."""
    if found["mean"] is not None:
        ax.plot(found["mean"], y, **look)
        level(ax, y, found, look["color"], bounds)


def _lines(axes: Sequence["Axes"], networks: list[dict[str, Any]], looks: dict[str, Any]) -> None:
    """A line for each network: shares, PSNR, gain of masking, and blocks that harm again."""
    shares, psnr, gain, again = axes
    shifts = apart(len(looks), 0.25)
    for y, (network, less_mean) in enumerate(zip(networks, from_mean(networks), strict=True)):
        means = network["means"]
        for shift, (number, look) in zip(shifts, looks.items(), strict=True):
            _line_of(shares, y + shift, means[number], look, _PERCENT)
        _line_of(psnr, y, less_mean, _MEAN)
        _line_of(gain, y, means["gain"], _MEAN)
        _line_of(again, y, means["harmful_again"], _MEAN, _PERCENT)
    for ax in (psnr, gain):
        ax.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    again.axvline(50, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
    shares.set(xlabel="blocks (%)", title="(a) blocks that take part", xlim=(-3, None))
    psnr.set(xlabel="PSNR less mean (dB)", title="(b) PSNR of the region")
    gain.set(xlabel="change of PSNR (dB)", title="(c) all harmful replaced")
    again.set(xlabel="harm again (%)", title="(d) chosen as harmful", xlim=(-4, 104))
    for ax in axes:
        ax.grid(axis="y", linewidth=0.5, color="0.9")
        ax.tick_params(axis="y", length=0)
    shares.set_yticks(range(len(networks)), [network["network"] for network in networks])
    shares.set_ylim(len(networks) - 0.4, -0.6)


def _against_psnr(ax: "Axes", networks: list[dict[str, Any]], looks: dict[str, Any]) -> None:
    """Shares against PSNR; names in a row above, side by side where points lie together."""
    found = sorted(zip(from_mean(networks), networks, strict=True), key=lambda one: one[0]["mean"])
    psnr = np.array([less_mean["mean"] for less_mean, _ in found])
    points, places = (_spread(psnr, part * np.ptp(psnr)) for part in (0.025, 0.07))
    means = [[network["means"][number] for number in looks] for _, network in found]
    ends = [max(one["high"] or one["mean"] for one in several) for several in means]
    highest = min(max(ends), 100.0)
    for (_, network), x, place, end in zip(found, points, places, ends, strict=True):
        for shift, (number, look) in zip(apart(len(looks), 0.01 * np.ptp(psnr)), looks.items(),
                                         strict=True):  # fmt: skip
            ax.plot(x + shift, network["means"][number]["mean"], **look)
            upright(ax, x + shift, network["means"][number], look["color"], _PERCENT)
        ax.plot(
            (x, place), (end + 0.02 * highest, 1.1 * highest), color="#bbbbbb", linewidth=0.4,
            zorder=0,
        )  # fmt: skip
        ax.text(
            place, 1.12 * highest, network["network"], fontsize=5.5, rotation=90, ha="center",
            va="bottom",
        )  # fmt: skip
    ax.set_ylim(-0.04 * highest, 1.55 * highest)
    ax.set_yticks(range(0, int(highest) + 1, 20))
    ax.margins(x=0.08)
    ax.set(xlabel="PSNR less mean (dB)", ylabel="blocks (%)", title="(e) shares against PSNR")


def _spread(x: np.ndarray, step: float) -> np.ndarray:
    """Rising places, moved to the right where they are nearer to each other than a step."""
    steps = step * np.arange(len(x))
    return np.maximum.accumulate(x - steps) + steps


def _curve(ax: "Axes", network: dict[str, Any], kind: str) -> None:
    """The change of PSNR along each order."""
    for shift, (order, (look, _)) in zip(apart(len(_ORDERS), 0.14), _ORDERS.items(), strict=True):
        means = [change(network, kind, order, point) for point in range(len(SHARES))]
        x = shift + np.arange(len(SHARES))
        ax.plot(x, [one["mean"] for one in means], linewidth=0.8, **look)
        for place, one in zip(x, means, strict=True):
            upright(ax, place, one, look["color"])
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.set_xticks(range(len(SHARES)), [f"{100 * share:g}" for share in SHARES])
    verb = "replaced" if kind == "deletion" else "kept"
    ax.set(xlabel=f"first blocks {verb} (%)", ylabel="change of PSNR (dB)")


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A line for each network; under them shares against PSNR, deletion and insertion."""
    from matplotlib import colormaps

    del store

    def reach(network: dict[str, Any]) -> float:
        radius = network["receptive_radius"]
        return float("inf") if radius is None else radius

    networks = sorted(results["networks"], key=reach)
    helps, harms = colormaps[colour_map](0.85), colormaps[colour_map](0.15)
    looks = {
        "involved": _MEAN,
        "positive": {"color": helps, "marker": "o", "markersize": 2.5},
        "negative": {"color": harms, "marker": "v", "markersize": 2.8},
    }
    figure = plt.figure(figsize=(WIDTH, 1.2 + 0.2 * len(networks) + 2.3), layout="constrained")
    grid = figure.add_gridspec(2, 12, height_ratios=(0.2 * len(networks) + 0.6, 2.2))
    above = [figure.add_subplot(grid[0, :3])]
    above += [figure.add_subplot(grid[0, 3 * k : 3 * k + 3], sharey=above[0]) for k in (1, 2, 3)]
    for ax in above[1:]:
        ax.tick_params(labelleft=False)
    _lines(above, networks, looks)
    below = [figure.add_subplot(grid[1, 4 * k : 4 * k + 4]) for k in range(3)]
    two = {number: looks[number] for number in ("positive", "negative")}
    _against_psnr(below[0], networks, two)
    last = max(networks, key=lambda network: network["means"]["psnr"]["mean"])
    for ax, kind, letter in zip(below[1:], ("deletion", "insertion"), "fg", strict=True):
        _curve(ax, last, kind)
        ax.set_title(f"({letter}) {kind}, {last['network']}")
    words = ("take part", "help", "harm")
    handles = [
        Line2D([], [], linestyle="none", label=word, **look)
        for word, look in zip(words, looks.values(), strict=True)
    ]
    handles += [Line2D([], [], linewidth=0.8, label=label, **look)
                for look, label in _ORDERS.values()]  # fmt: skip
    surround(figure, handles, len(handles), _note(results["scenes"], networks))
    return figure


def _note(scenes: int, networks: list[dict[str, Any]]) -> str:
    few = [
        f"{network['network']} ({network['means']['harmful_again']['scenes']})"
        for network in networks
        if 0 < network["means"]["harmful_again"]["scenes"] < scenes
    ]
    text = (
        f"Means with 95 % intervals of {scenes} scenes, the unit; arrows where one goes past what "
        "can be. Networks by receptive field, small to global. PSNR less that of the mean network, "
        "and its change along a curve, in the same region, since scenes differ by more than "
        "networks do. (d): by other draws than chose them; dotted, chance alone"
    )
    text += f"; in fewer scenes are blocks chosen: {', '.join(few)}." if few else "."
    return f"{text} (e): intervals of PSNR are in (b). (e) to (g): points stand slightly apart."


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
