"""Claims of the paper's three findings, each a mean over scenes that exceeds a bound or not."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Real
from scipy.stats import spearmanr

from cem_jax.experiments.figures import mediation as mediated
from cem_jax.experiments.figures.channel_attention import WITHOUT
from cem_jax.experiments.figures.counted import by_scene
from cem_jax.experiments.figures.masking import SHARES
from cem_jax.experiments.figures.statistics import (
    between,
    joined,
    of_differences,
    over_scenes,
    share_difference,
    verdict,
    written,
)

HARMFUL = 50.0
"""Per cent of the blocks chosen as harmful that must harm by other draws too: chance alone."""
LOCAL = 8.0
"""Output pixels by which reach may grow and still be called the same: half a block."""
LITTLE = 0.1
"""PSNR (dB) by which a network may be better and still be called as good."""
RELIABLE = 0.5
"""Split-half reliability above which more of a map is effect than noise of its draws."""
PASSES = 10.0
"""Per cent of the summed effect of all blocks: more of it passes channel attention in SR, less in
denoising. Written down when single regions of one scene of each task had been looked at, whose
shares lay between -10 and 83 %."""
PASSES_SQUARED = PASSES**2 / 100
"""The same of squared effects, which cannot cancel: a tenth of their size."""
FIRST = 0.1
"""Share of the blocks, the first of an order, by which orders are compared."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One claim, that a mean exceeds a bound, and what was found.

    Args:
        claim: in words.
        subject: networks that it is about.
        found: mean and interval over scenes.
        least: the bound.
        unit: of both, with a "+" before it where signs are to be written.
        key: whether the finding's verdict rests on it.
        beside: whether the verdict is not to be read without it.
    """

    claim: str
    subject: str
    found: Mapping[str, Any]
    least: float
    unit: str
    key: bool = False
    beside: bool = False

    @property
    def verdict(self) -> str:
        """Of the claim: "supported", "refuted" or "undecided"."""
        return verdict(self.found, self.least)

    @property
    def row(self) -> dict[str, str]:
        """For a table."""
        size = self.found.get("effect_size")
        return {
            "claim": f"**{self.claim}**" if self.key else self.claim,
            "network": self.subject,
            "mean [95 % interval]": written(self.found, self.unit),
            "effect size": "-" if size is None else f"{size:+.1f}",
            "scenes": str(self.found["scenes"]),
            "verdict": self.verdict,
        }


def _negated(values: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """The same of minus the quantity."""
    return {scene: [-value for value in each] for scene, each in values.items()}


def _numbers(
    networks: Sequence[Mapping[str, Any]], number: str
) -> Real[np.ndarray, "networks places"]:
    """A number at all places, [networks, places]."""
    return np.array([[row[number] for row in network["rows"]] for network in networks])


def _rank_correlation(
    scenes: Sequence[str],
    one: Real[np.ndarray, "networks places"],
    other: Real[np.ndarray, "networks places"],
) -> dict[str, Any]:
    """Over networks, at each place, then its mean over scenes.

    Args:
        scenes: of the places.
        one: [networks, places].
        other: the same.
    """
    found: dict[str, list[float]] = {}
    for scene, first, second in zip(scenes, one.T, other.T, strict=True):
        flat = len(np.unique(first)) < 2 or len(np.unique(second)) < 2
        value = np.nan if flat else float(spearmanr(first, second).statistic)
        found.setdefault(scene, []).append(value)
    return over_scenes(found)


def _worth(networks: Sequence[Mapping[str, Any]], kind: str, other: str) -> dict[str, Any]:
    """PSNR that the blocks of most effect are worth more than those of another order.

    Args:
        networks: with curves.
        kind: "deletion", by what the region loses, or "insertion", by what it keeps.
        other: the order they are compared with.
    """
    at, sign = SHARES.index(FIRST), 1 if kind == "insertion" else -1
    found: dict[str, list[float]] = {}
    for row in (row for network in networks for row in network["rows"]):
        curves = row["curves"][kind]
        found.setdefault(row["scene"], []).append(sign * (curves["effect"][at] - curves[other][at]))
    return of_differences(found)


def more_information(results: Mapping[str, Any]) -> Iterator[Line]:
    """Finding 1: many patches harm, and masking them helps."""
    networks = results["networks"]
    together = f"all {len(networks)}"
    again = [by_scene(network["rows"], "harmful_again") for network in networks]
    gains = [by_scene(network["rows"], "gain") for network in networks]
    alone = [
        by_scene([{"scene": row["scene"], **row["masked"]} for row in one["rows"]], "single_gain")
        for one in networks
    ]

    def masking(name: str, which: slice, key: bool) -> list[Line]:
        harm = over_scenes(joined(again[which]))
        one, gain = (of_differences(joined(values[which])) for values in (alone, gains))
        return [
            Line("blocks chosen as harmful harm again", name, harm, HARMFUL, "%", key),
            Line("PSNR rises when one of them is replaced", name, one, 0.0, "+dB"),
            Line("PSNR rises when they are all replaced", name, gain, 0.0, "+dB", key),
        ]

    yield from masking(together, slice(None), True)
    if len(networks) > 2:
        scenes = [row["scene"] for row in networks[0]["rows"]]
        involved, negative, psnr = (
            _numbers(networks, number) for number in ("involved", "negative", "psnr")
        )
        radii = [network["receptive_radius"] for network in networks]
        sees = np.array([np.inf if radius is None else radius for radius in radii])[:, None]
        for claim, one, other in (
            ("the farther it sees, the more blocks take part", sees + 0 * psnr, involved),
            ("the farther it sees, the more blocks harm", sees + 0 * psnr, negative),
            ("the higher its PSNR, the more blocks harm", psnr, negative),
        ):
            found = _rank_correlation(scenes, one, other)
            yield Line(f"{claim} (rank correlation)", together, found, 0.0, "+")
    reliability = [by_scene(network["rows"], "reliability") for network in networks]
    claim = "more of a map is effect than noise (split-half reliability)"
    yield Line(claim, together, over_scenes(joined(reliability)), RELIABLE, "")
    for other, words in (("nearness", "the nearest"), ("random", "a random")):
        for kind, verb in (("deletion", "replaced, costs"), ("insertion", "kept, is worth")):
            claim = f"the tenth of most effect, {verb} more than {words} tenth"
            yield Line(claim, together, _worth(networks, kind, other), 0.0, "+dB")
    for number, network in enumerate(networks):
        yield from masking(network["network"], slice(number, number + 1), False)


def _change(found: Mapping[str, Any], variant: str, number: str) -> dict[str, list[float]]:
    """What a variant has more than the network without attention, region by region."""
    return between(
        by_scene(found[variant]["rows"], number), by_scene(found[WITHOUT]["rows"], number)
    )


def channel_attention(results: Mapping[str, Any]) -> Iterator[Line]:
    """Finding 2: what channel attention adds in SR, and in denoising."""
    with_pairs = {
        task: found
        for task, found in results["tasks"].items()
        if WITHOUT in found and len(found) > 1
    }
    for task, found in with_pairs.items():
        for variant in found:
            if variant == WITHOUT:
                continue
            name, full = f"{task}, {variant} - {WITHOUT}", variant == "CA"
            psnr, reach = (_change(found, variant, number) for number in ("psnr", "reach"))
            involved = of_differences(_change(found, variant, "involved"))
            yield Line("more blocks take part", name, involved, 0.0, "+%")
            if task == "SR":
                yield Line("PSNR grows", name, of_differences(psnr), 0.0, "+dB")
                further = of_differences(reach)
                yield Line("reach grows by over half a block", name, further, LOCAL, "+px")
            else:
                name = f"{task}, {WITHOUT} - {variant}"
                falls, shrinks = (of_differences(_negated(change)) for change in (psnr, reach))
                claim = "without it PSNR falls by less than 0.1 dB"
                yield Line(claim, name, falls, -LITTLE, "+dB", key=full)
                claim = "without it reach shrinks by less than half a block"
                yield Line(claim, name, shrinks, -LOCAL, "+px", key=full)
    if all("CA" in with_pairs.get(task, {}) for task in ("SR", "DN")):
        sr, dn = (_change(with_pairs[task], "CA", "reach") for task in ("SR", "DN"))
        more = of_differences(between(sr, dn))
        yield Line(
            "reach grows more in SR than in DN", f"CA - {WITHOUT}", more, 0.0, "+px", key=True
        )


def mediation(results: Mapping[str, Any]) -> Iterator[Line]:
    """Finding 2 as a mediation: what share of the summed effect passes the attention."""
    tasks = results["tasks"]
    for task, found in tasks.items():
        for variant, one in found.items():
            name, full = f"{task}, {variant}", variant == "CA"
            sums = mediated.share(one["rows"])
            squares = mediated.share(one["rows"], "indirect_power", "total_power")
            if task == "SR":
                claim = "over 10 % of the summed effect passes the attention"
                yield Line(claim, name, sums, PASSES, "%", key=full)
                claim = "over 1 % of the squared effects passes it"
                yield Line(claim, name, squares, PASSES_SQUARED, "%")
            else:
                claim = "over 90 % of the summed effect goes past the attention"
                yield Line(claim, name, _rest(sums), 100 - PASSES, "%", key=full)
                claim = "over 99 % of the squared effects goes past it"
                yield Line(claim, name, _rest(squares), 100 - PASSES_SQUARED, "%")
    if all("CA" in tasks.get(task, {}) for task in ("SR", "DN")):
        sides = [
            (mediated.in_percent(rows, "indirect"), by_scene(rows, "total"))
            for rows in (tasks[task]["CA"]["rows"] for task in ("SR", "DN"))
        ]
        more = share_difference(sides[0], sides[1])
        claim = "a larger share passes the attention in SR than in DN"
        yield Line(claim, "CA", more, 0.0, "+%", key=True)


def _rest(found: Mapping[str, Any]) -> dict[str, Any]:
    """100 % minus a share."""
    low, high = (None if found[end] is None else 100 - found[end] for end in ("high", "low"))
    return {**found, "mean": 100 - found["mean"], "low": low, "high": high}


def _shrinking(one: Mapping[str, Any], single: Mapping[str, Any]) -> dict[str, Any]:
    """What a network of one task has more than one of several, by claim, region by region."""

    def excess(number: str) -> dict[str, list[float]]:
        return between(by_scene(single["rows"], number), by_scene(one["rows"], number))

    return {
        "fewer blocks take part": excess("involved"),
        "smaller range": between(excess("high"), excess("low")),
        "weaker effects": excess("strength"),
        "shorter reach": excess("reach"),
        "lower PSNR": excess("psnr"),
    }


_UNITS = {
    "fewer blocks take part": "+%",
    "smaller range": "+dB",
    "weaker effects": "+dB",
    "shorter reach": "+px",
    "lower PSNR": "+dB",
}
_STATED = ("fewer blocks take part", "smaller range")
"""What the paper states: that shares and ranges shrink."""


def multi_task(results: Mapping[str, Any]) -> Iterator[Line]:
    """Finding 3: trained on several tasks, a network relies on what is near."""
    pairs: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for family, tasks in results["families"].items():
        for task, kinds in tasks.items():
            for kind, one in kinds.items():
                if kind != "single" and "single" in kinds:
                    found = _shrinking(one, kinds["single"])
                    pairs.setdefault(kind, []).append((family, task, found))

    def lines(name: str, several: Sequence[Mapping[str, Any]], **stated: bool) -> Iterator[Line]:
        for claim, unit in _UNITS.items():
            found = of_differences(joined([values[claim] for values in several]))
            yield Line(claim, name, found, 0.0, unit, **(stated if claim in _STATED else {}))

    for kind, several in pairs.items():
        every = [values for _, _, values in several]
        yield from lines(f"all {len(every)}, single - {kind}", every, key=True)
    for kind, several in pairs.items():
        equal = [values for _, task, values in several if task != "SR"]
        if equal:
            yield from lines(f"all {len(equal)} of DN and DR, single - {kind}", equal, beside=True)
    for kind, several in pairs.items():
        for family, task, values in several:
            yield from lines(f"{family}, {task}, single - {kind}", [values])
