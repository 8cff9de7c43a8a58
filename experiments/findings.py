"""The paper's three findings put to the test: tables and verdicts for a page.

    cem-jax figures more-information channel-attention multi-task --preset compact
    python -m cem_jax.experiments.findings figures/compact [--write docs/findings.md]

Every claim is a mean over scenes (regions are averaged within a scene first) with a 95 % interval.
It is supported where the whole interval lies on the claimed side of its bound, refuted where it
lies on the other, else undecided. The bounds stand below, before any result.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import Store
from cem_jax.experiments.figures.channel_attention import WITHOUT
from cem_jax.experiments.figures.statistics import verdict, written

Row = dict[str, str]

HARMFUL = 50.0
"""Per cent of the blocks chosen as harmful that must harm by other draws too: chance alone."""
LOCAL = 8.0
"""Output pixels by which reach may grow and still be called the same: half a block."""

_TABLES = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def _row(claim: str, subject: str, found: Mapping[str, Any], least: float, unit: str) -> Row:
    """A claim that a mean exceeds a bound."""
    size = found.get("effect_size")
    return {
        "claim": claim,
        "network": subject,
        "mean [95 % interval]": written(found, unit),
        "effect size": "-" if size is None else f"{size:+.1f}",
        "scenes": str(found["scenes"]),
        "verdict": verdict(found, least),
    }


def _negated(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same of minus the quantity."""
    return {
        **found,
        "mean": None if found["mean"] is None else -found["mean"],
        "low": None if found["high"] is None else -found["high"],
        "high": None if found["low"] is None else -found["low"],
    }


def more_information(results: Mapping[str, Any]) -> Iterator[Row]:
    """Finding 1: many patches harm, and masking them helps."""
    for network in results["networks"]:
        name, means = network["network"], network["means"]
        again = means["harmful_again"]
        yield _row("blocks chosen as harmful harm again, %", name, again, HARMFUL, "%")
        yield _row("PSNR rises when they are replaced, dB", name, means["gain"], 0.0, "+dB")


def channel_attention(results: Mapping[str, Any]) -> Iterator[Row]:
    """Finding 2: what channel attention adds in SR, and in denoising."""
    for task, found in results["tasks"].items():
        for variant, one in found.items():
            if "against" not in one:
                continue
            name, against = f"{task}, {variant} - {WITHOUT}", one["against"]
            if task == "SR":
                yield _row("PSNR grows, dB", name, against["psnr"], 0.0, "+dB")
                yield _row("more blocks take part, %", name, against["involved"], 0.0, "+%")
                further = against["reach"]
                yield _row("reach grows by over half a block, px", name, further, LOCAL, "+px")
            else:
                near = _negated(against["reach"])
                yield _row("reach grows by less than half a block, -px", name, near, -LOCAL, "+px")


def multi_task(results: Mapping[str, Any]) -> Iterator[Row]:
    """Finding 3: trained on several tasks, a network relies on what is near."""
    for family, tasks in results["families"].items():
        for task, kinds in tasks.items():
            for kind, one in kinds.items():
                if "against" not in one:
                    continue
                name = f"{family}, {task}, single - {kind}"
                for claim, number, unit in (
                    ("fewer blocks take part, %", "involved", "+%"),
                    ("weaker effects, dB", "strength", "+dB"),
                    ("shorter reach, px", "reach", "+px"),
                ):
                    yield _row(claim, name, _negated(one["against"][number]), 0.0, unit)


TABLES = {
    "more_information": more_information,
    "channel_attention": channel_attention,
    "multi_task": multi_task,
}
"""By the name of the figure's module, which is the name of the table in the page."""


def tables(store: Store) -> dict[str, str]:
    """The tables, in Markdown, of the figures that the folder holds; not of the quick preset."""
    found = {}
    for name, rows in TABLES.items():
        record = store.read(name.replace("_", "-"))
        if record is None or record["preset"] == "quick":  # too few scenes to judge by
            continue
        lines = list(rows(record["results"]))
        if lines:
            found[name] = cem.markdown_table([dict(line) for line in lines])
    return found


def with_tables(page: str, found: Mapping[str, str]) -> str:
    """A page whose marked places hold the tables; places of others stay as they are."""

    def put(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}\n{found[name]}\n\n{end}" if name in found else match.group(0)

    return _TABLES.sub(put, page)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a preset's results")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    args = parser.parse_args()
    found = tables(Store(args.results))
    if args.write:
        args.write.write_text(with_tables(args.write.read_text(), found))
    else:
        print("\n\n".join(found.values()))


if __name__ == "__main__":
    main()
