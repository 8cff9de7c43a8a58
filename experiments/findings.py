"""The paper's three findings put to the test: verdicts and tables for a page.

    cem-jax figures more-information channel-attention multi-task --preset compact
    python -m cem_jax.experiments.findings figures/compact [--write docs/findings.md]

Every claim is a mean over scenes (regions, and networks where several are taken together, are
averaged within a scene first) with a 95 % interval. It is supported where the whole interval lies
on the claimed side of its bound, refuted where it lies on the other, else undecided. A finding is
supported if all claims that its verdict rests on are, refuted if one of them is, else undecided.
What a verdict rests on, and its bounds, were written down before any result.
"""

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import cem_jax as cem
from cem_jax.experiments.figures import Store
from cem_jax.experiments.figures.channel_attention import WITHOUT
from cem_jax.experiments.figures.correction import verdicts
from cem_jax.experiments.figures.counted import by_scene
from cem_jax.experiments.figures.masking import SHARES
from cem_jax.experiments.figures.statistics import (
    between,
    joined,
    of_differences,
    over_scenes,
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
FIRST = 0.1
"""Share of the blocks, the first of an order, by which orders are compared."""

_MARKED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


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


def _numbers(networks: Sequence[Mapping[str, Any]], number: str) -> np.ndarray:
    """A number at all places, [networks, places]."""
    return np.array([[row[number] for row in network["rows"]] for network in networks])


def _rank_correlation(scenes: Sequence[str], one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
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


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the paper finds, and how far it was put to the test here.

    Args:
        title: the finding, in words.
        claims: its lines from a figure's results.
        shown: which of its claims the sentence tells, by how it begins.
        told: that claim as a sentence with a place for its number.
        weakness: why its verdict is preliminary, in words.
    """

    title: str
    claims: Callable[[Mapping[str, Any]], Iterator[Line]]
    shown: str
    told: str
    weakness: str


FINDINGS = {
    "more_information": Finding(
        "More information does not always help",
        more_information,
        "PSNR rises when they are all replaced",
        "when all blocks that were chosen as harmful are replaced at once, the PSNR of the region "
        "changes by {}",
        "harmful blocks are chosen by four draws each, and chosen by more draws some of them are "
        "others; the scene is the only unit, and not the network",
    ),
    "channel_attention": Finding(
        "Channel attention brings little in denoising",
        channel_attention,
        "reach grows more in SR than in DN",
        "channel attention makes a network reach farther in super-resolution than in denoising "
        "by {}",
        "with blocks of 16 beside the region, reach cannot fall below 8 pixels, so that one of the "
        "claims could hardly fail",
    ),
    "multi_task": Finding(
        "Several tasks make a network rely on what is near",
        multi_task,
        "fewer blocks take part",
        "of the blocks of an image, {} more take part in a network of one task than in one of two",
        "pairs of networks are averaged and not counted as units, the largest differences come "
        "from pairs of different architectures, and the networks of several tasks restore less",
    ),
}
"""The paper's findings, by the name of the figure's module, which is the name of the place in the
page."""


def corrected(lines: Sequence[Line]) -> list[str]:
    """Verdicts of a finding's lines; those it rests on are corrected for their number (Holm)."""
    keys = [line for line in lines if line.key]
    told = iter(verdicts([(line.found, line.least) for line in keys]))
    return [next(told) if line.key else line.verdict for line in lines]


def judgement(lines: Sequence[Line]) -> str:
    """The verdict on a finding, from the claims that it rests on."""
    verdicts = {one for line, one in zip(lines, corrected(lines), strict=True) if line.key}
    if verdicts == {"supported"}:
        return "supported"
    return "refuted" if "refuted" in verdicts else "undecided"


def sentence(lines: Sequence[Line]) -> str:
    """The claims that a verdict rests on, and those it is not to be read without, in words."""
    both = list(zip(lines, corrected(lines), strict=True))

    def said(chosen: Sequence[tuple[Line, str]]) -> str:
        text = "; ".join(
            f"{line.claim} ({line.subject}): {written(line.found, line.unit)}, {verdict}"
            for line, verdict in chosen
        )
        return text[:1].upper() + text[1:]

    parts = ([one for one in both if one[0].key], [one for one in both if one[0].beside])
    return ". Beside it: ".join(said(chosen) for chosen in parts if chosen)


def table(lines: Sequence[Line]) -> list[dict[str, str]]:
    """Rows for `cem.markdown_table`: each line with its role and its verdict."""
    return [
        line.row | {"verdict": verdict, "role": "claim" if line.key else "exploratory"}
        for line, verdict in zip(lines, corrected(lines), strict=True)
    ]


def judged(store: Store) -> dict[str, list[Line]]:
    """The claims of the findings whose figures the folder holds; not of the quick preset."""
    found = {}
    for name, finding in FINDINGS.items():
        record = store.read(name.replace("_", "-"))
        if record is None or record["preset"] == "quick":  # too few scenes to judge by
            continue
        lines = list(finding.claims(record["results"]))
        if any(line.key for line in lines):
            found[name] = lines
    return found


def sections(store: Store) -> dict[str, str]:
    """Verdict and table of each finding, in Markdown, for `with_marked`."""
    return {
        name: f"**Verdict at this scale: {judgement(lines)}, preliminary.** It is preliminary "
        f"because {FINDINGS[name].weakness}.\n\n{sentence(lines)}.\n\n"
        + cem.markdown_table(table(lines))
        for name, lines in judged(store).items()
    }


def headlines(store: Store, page: str = "docs/findings.md") -> dict[str, str]:
    """One sentence with one number for each finding, in Markdown, for `with_marked`.

    Args:
        store: of the figures' results.
        page: where more is said, as links write it; "" for the page itself.
    """
    lines = []
    for name, found in judged(store).items():
        finding = FINDINGS[name]
        shown = next(one for one in found if one.key and one.claim.startswith(finding.shown))
        told = finding.told.format(written(shown.found, shown.unit))
        anchor = re.sub(r"[^a-z ]", "", finding.title.lower()).replace(" ", "-")
        more = f"[more]({page}#{list(FINDINGS).index(name) + 1}-{anchor})"
        lines.append(
            f"- *{finding.title}*: **{judgement(found)}, preliminary**. "
            f"{told[:1].upper()}{told[1:]} ({more})."
        )
    return {"findings": "\n".join(lines)} if lines else {}


def with_marked(page: str, found: Mapping[str, str]) -> str:
    """A page whose marked places hold the given text; places of others stay as they are."""

    def put(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}\n{found[name]}\n\n{end}" if name in found else match.group(0)

    return _MARKED.sub(put, page)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a preset's results")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    args = parser.parse_args()
    found = sections(Store(args.results))
    if args.write:
        args.write.write_text(with_marked(args.write.read_text(), found))
    else:
        print("\n\n".join(found.values()))


if __name__ == "__main__":
    main()
