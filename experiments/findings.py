"""The paper's three findings put to the test: verdicts and tables for a page.

    cem-jax figures more-information channel-attention mediation multi-task --preset compact
    python -m cem_jax.experiments.findings figures/compact [--write docs/findings.md]

Every claim is a mean over scenes (regions, and networks where several are taken together, are
averaged within a scene first) with a 95 % interval. It is supported where the whole interval lies
on the claimed side of its bound, refuted where it lies on the other, else undecided. A finding is
supported if all claims that its verdict rests on are, refuted if one of them is, else undecided.
What a verdict rests on, and its bounds, were written down after quick results of two scenes.
"""

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.claims import (
    Line,
    channel_attention,
    mediation,
    more_information,
    multi_task,
)
from cem_jax.experiments.figures import Store
from cem_jax.experiments.figures.correction import verdicts
from cem_jax.experiments.figures.statistics import written

_MARKED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the paper finds, and how far it was put to the test here.

    Args:
        title: the finding, in words.
        claims: its lines from a figure's results.
        shown: which of its claims the sentence tells, by how it begins.
        told: that claim as a sentence with a place for its number.
        weakness: why its verdict is preliminary, in words.
        further: claims from the results of other figures, by their names; the verdict rests on
            them too where these figures were made.
    """

    title: str
    claims: Callable[[Mapping[str, Any]], Iterator[Line]]
    shown: str
    told: str
    weakness: str
    further: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Line]]] = dataclasses.field(
        default_factory=dict
    )


FINDINGS = {
    "more_information": Finding(
        "More information does not always help",
        more_information,
        "PSNR rises when they are all replaced",
        "replacing all blocks that were chosen as harmful at once changes the PSNR of the region "
        "by {}",
        "harmful blocks are chosen by four draws each, and chosen by more draws some of them are "
        "others; the scene is the only unit, and not the network",
    ),
    "channel_attention": Finding(
        "Channel attention brings little in denoising",
        channel_attention,
        "reach grows more in SR than in DN",
        "the reach that channel attention adds in super-resolution minus the reach that it adds in "
        "denoising is {}",
        "with blocks of 16 beside the region, reach cannot fall below 8 pixels, so that one of the "
        "claims could hardly fail",
        {"mediation": mediation},
    ),
    "multi_task": Finding(
        "Several tasks make a network rely on what is near",
        multi_task,
        "fewer blocks take part",
        "the share of an image's blocks that take part is higher by {} in networks of one task "
        "than in networks of three",
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
        for figure, claims in finding.further.items():
            other = store.read(figure)
            if other is not None and other["preset"] != "quick":
                lines += claims(other["results"])
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
