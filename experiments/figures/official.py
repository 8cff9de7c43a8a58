"""Official networks of about equal quality: blocks that help and harm, replaced singly and at once.

Claim: many of the blocks that a network draws on harm the region, and a higher PSNR does not mean
fewer of them (Hu et al., finding 1). Here over all official super-resolution networks in the folder
of weights. Blocks are chosen as harmful by half of the draws, judged by the other half, and
replaced together by fresh ones; of the six that harm most every pair is replaced too. Intervals
take scenes and networks as units. Without official networks, bundled ones stand in, and no claim is
judged.

    cem-jax figures official

Numbers: docs/results/official.json (preset compact, 5573 s on 1 cpu).
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

import cem_jax as cem
from cem_jax.experiments.figures.counted import by_scene
from cem_jax.experiments.figures.crossed import over_both
from cem_jax.experiments.figures.masking import masked
from cem_jax.experiments.figures.measures import halves, measure
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.parts import Rows
from cem_jax.experiments.figures.statistics import over_scenes, written
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study, load
from cem_jax.experiments.figures.subjects import Subject
from cem_jax.experiments.figures.together import together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAND_INS = ("EDSR", "SRResNet", "FSRCNN")
REGIONS = 3
"""Of each photograph: of much, middling and little structure."""
CROSSED = ("harmful_again", "single_gain", "gain", "lost_together", "chosen_again")
"""Numbers of a map whose means are claims."""
RANKED = {"psnr_and_harm": "psnr", "reach_and_harm": "reach"}
"""Rank correlations over networks with the share of harmful blocks, and of what."""
_BESIDE = ("one_by_one", "in_pairs", "at_once")


def parts(
    study: Study, figure: str, rows: Callable[[Subject], Rows]
) -> tuple[list[dict[str, Any]], bool]:
    """The parts of all networks that take colour: of the official ones, or of those that stand in.

    Args:
        study: with the folder of weights, or earlier results.
        figure: its name.
        rows: measures a network.

    Returns:
        The parts, see `Parts.put_together`; and whether they are of official networks.
    """
    there = study.official("SR")
    found = [one for one in there.values() if load(one).channels == 3]
    if found or study.parts.known(figure):
        return study.parts.put_together(figure, found, rows), True
    stand_ins = list(study.subjects(STAND_INS, study.preset.most).values())
    return study.parts.put_together(figure, stand_ins, rows), False


def chosen_again(effect_map: cem.EffectMap) -> float | None:
    """Blocks that both halves of the draws call harmful, of those that either does, in %."""
    first, second = (np.nan_to_num(half) < -effect_map.tolerance for half in halves(effect_map))
    either = int((first | second).sum())
    return 100 * int((first & second).sum()) / either if either else None


def _row(study: Study, subject: Subject, key: str, place: Any) -> dict[str, Any]:
    effect_map, draws = study.store.map(key), study.preset.joint_draws
    network, scene = load(subject), study.scene(subject, "SR", place)
    found = {}
    for kind, compute in (("masked", masked), ("together", together)):
        of_map = functools.partial(compute, network, scene, effect_map, draws)
        found[kind] = study.beside(key, f"{kind}-{draws}", of_map)
    alone, gain = found["masked"]["single_gain"], found["masked"]["gain"]
    lost = None if alone is None else alone * found["masked"]["blocks"] - gain
    return {
        "scene": place.name, "region": [place.roi.y, place.roi.x], "map": key,
        **measure(effect_map), **found["masked"], "lost_together": lost,
        "chosen_again": chosen_again(effect_map), "together": found["together"],
    }  # fmt: skip


def compute(study: Study) -> dict[str, Any]:
    """Measures, and what replacing the harmful blocks does, of every network at every place."""
    plan, places = cem.Fixed(study.preset.chosen_draws), study.places(REGIONS)

    def rows(subject: Subject) -> list[dict[str, Any]]:
        keys = study.counted_maps(subject, "SR", plan, each=REGIONS)
        return [_row(study, subject, *one) for one in zip(keys, places, strict=True)]

    networks, are_official = parts(study, "official", rows)
    return {
        "official": are_official,
        "draws": study.preset.chosen_draws,
        "scenes": len({place.name for place in places}),
        "places": len(places),
        "networks": networks,
    }


def crossed(networks: Sequence[dict[str, Any]], number: str) -> dict[str, Any]:
    """A number's mean over scenes and networks; see `crossed.over_both`."""
    return over_both({one["network"]: by_scene(one["rows"], number) for one in networks})


def ranked(networks: Sequence[dict[str, Any]], number: str) -> dict[str, Any]:
    """Rank correlation over networks of a number with the share of harmful blocks, over scenes."""
    found: dict[str, list[float]] = {}
    for place in range(len(networks[0]["rows"])):
        rows = [one["rows"][place] for one in networks]
        pairs = [(row[number], row["negative"]) for row in rows if row[number] is not None]
        one, other = np.array(pairs, float).reshape(-1, 2).T
        flat = len(np.unique(one)) < 3 or len(np.unique(other)) < 2
        value = np.nan if flat else float(spearmanr(one, other).statistic)
        found.setdefault(rows[0]["scene"], []).append(value)
    return over_scenes(found)


def numbers(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Means and intervals of all that is claimed, by the names of the claims."""
    networks = results["networks"]
    means = {number: crossed(networks, number) for number in CROSSED}
    return means | {name: ranked(networks, number) for name, number in RANKED.items()}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """Shares by network, shares against PSNR and reach, gains, and what acts together."""
    from matplotlib import colormaps

    networks = sorted(results["networks"], key=lambda one: _mean(one, "reach") or 0)
    helps, harms = colormaps[colour_map](0.85), colormaps[colour_map](0.15)
    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 4.6), layout="constrained")
    names = [one["network"] for one in networks]
    ax = axes[0, 0]
    helping, harming = ([_mean(one, side) for one in networks] for side in ("positive", "negative"))
    ax.bar(range(len(names)), helping, color=helps, label="help")
    ax.bar(range(len(names)), harming, bottom=helping, color=harms, label="harm")
    ax.margins(y=0.35)  # room for the legend
    ax.legend(frameon=False, loc="upper left", ncols=2)
    ax.set(ylabel="blocks (%)", title="(a) of each network, by reach")
    for ax, number, label, title in (
        (axes[0, 1], "psnr", "PSNR of the region (dB)", "(b) by PSNR"),
        (axes[0, 2], "reach", "reach (px)", "(c) by reach"),
    ):
        for share, colour in (("positive", helps), ("negative", harms)):
            x, y = ([_mean(one, of) for one in networks] for of in (number, share))
            ax.scatter(x, y, color=colour, s=14)
        ax.set(xlabel=label, ylabel="blocks (%)", title=title)
    _points(axes[1, 0], networks, "single_gain", "(d) one harmful block replaced")
    _points(axes[1, 1], networks, "gain", "(e) all harmful blocks replaced")
    _acting_together(axes[1, 2], networks)
    for ax in (axes[0, 0], *axes[1]):
        ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=5)
    return figure


def _mean(network: dict[str, Any], number: str) -> float | None:
    return over_scenes(by_scene(network["rows"], number))["mean"]


def _points(ax: "Axes", networks: Sequence[dict[str, Any]], number: str, title: str) -> None:
    """Each network's mean with its interval over scenes, and a band for that over both units."""
    for x, network in enumerate(networks):
        found = over_scenes(by_scene(network["rows"], number))
        if found["mean"] is not None:
            ax.plot(x, found["mean"], "o", color="black", markersize=2.5)
        if found["low"] is not None:
            ax.plot((x, x), (found["low"], found["high"]), color="black", linewidth=0.8)
    both = crossed(networks, number)
    if both["low"] is not None:
        ax.axhspan(both["low"], both["high"], color="#2166ac", alpha=0.25, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.5)
    ax.set(ylabel="change of PSNR (dB)", title=title)


def _acting_together(ax: "Axes", networks: Sequence[dict[str, Any]]) -> None:
    """Gains of the blocks that harm most: summed, with pairs, at once."""
    for number, (kind, label) in enumerate(
        zip(_BESIDE, ("one by one, summed", "and pairs", "at once"), strict=True)
    ):
        heights = []
        for network in networks:
            rows = [{"scene": row["scene"], **row["together"]} for row in network["rows"]]
            heights.append(over_scenes(by_scene(rows, kind))["mean"] or 0.0)
        x = np.arange(len(networks)) + 0.27 * (number - 1)
        ax.bar(x, heights, 0.27, label=label, color=f"{0.3 + 0.25 * number:.2f}")
    ax.axhline(0, color="black", linewidth=0.5)
    ax.margins(y=0.35)
    ax.legend(frameon=False, fontsize=5, loc="upper left")
    ax.set(ylabel="change of PSNR (dB)", title="(f) the six that harm most")


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    kind = "official" if results["official"] else "bundled (no official ones were there)"
    units = {"harmful_again": "%", "single_gain": "+dB", "gain": "+dB", "lost_together": "+dB",
             "chosen_again": "%", "psnr_and_harm": "+", "reach_and_harm": "+"}  # fmt: skip
    found = numbers(results)
    told = [
        f"{name.replace('_', ' ')} {written(found[name], unit)}" for name, unit in units.items()
    ]
    return (
        f"{len(results['networks'])} {kind} networks, {results['places']} regions of "
        f"{results['scenes']} scenes, {results['draws']} draws: " + "; ".join(told) + "."
    )
