"""Puts computed figures into the documentation: pictures, results, and every number of the pages.

    cem-jax figures --all --preset compact --out figures
    python -m cem_jax.experiments.publish figures/compact docs

Written are docs/results/NAME.json, docs/figures/NAME.png, the list in docs/paper-figures.md, the
verdicts and tables in docs/findings.md, a line for each finding there and in the README beside
docs, and in the docstring of each figure's module a line that says where its numbers are.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from PIL import Image

import cem_jax as cem
from cem_jax.experiments import figures, verdicts
from cem_jax.experiments.figures import repeat
from cem_jax.experiments.findings import headlines, sections, with_marked

_PIXELS = (1100, 1300)
"""Width and height of a published picture at most."""
_LIST = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
_NAMES = {
    "psnr": ("PSNR", "dB"), "low": ("smallest and largest effect", "dB"),
    "positive": ("shares of blocks", "%"), "strength": ("strength", "dB"), "reach": ("reach", "px"),
    "reliability": ("reliability", ""),
}  # fmt: skip
"""Of numbers whose tolerances are told, and their units."""
_NUMBERS = re.compile(r'\n\nNumbers: .*?(?=\n""")', re.DOTALL)


def expected(record: dict[str, Any]) -> str:
    """A figure's numbers and time as one paragraph."""
    numbers = figures.find(record["figure"]).expected(record["results"])
    spent = f"{record['seconds']:.0f} s on {record['devices']}"
    return f"Expected (preset {record['preset']}, {spent}): {numbers}{tolerances(record)}"


def tolerances(record: dict[str, Any]) -> str:
    """By how much the numbers of single maps may differ elsewhere, in words; "" without such."""
    rows = list(repeat.published(record["results"]))
    told = [
        f"{words} {repeat.TOLERANCES[name]:g} {unit}".rstrip()
        for name, (words, unit) in _NAMES.items()
        if any(row.get(name) is not None for row in rows)
    ]
    return f" Tolerances, of a single map's numbers: {', '.join(told)}." if told else ""


def artifact(records: list[dict[str, Any]]) -> dict[str, str]:
    """Tables of tolerances and of times, in Markdown, for `with_marked`."""
    allowed = [
        {"number": words, "tolerance": f"{repeat.TOLERANCES[name]:g} {unit}".rstrip()}
        for name, (words, unit) in _NAMES.items()
    ]
    times = [
        {
            "figure": record["figure"],
            "preset": record["preset"],
            "minutes": f"{record['seconds'] / 60:.0f}",
            "on": record["devices"],
        }
        for record in records
    ]
    return {"tolerances": cem.markdown_table(allowed), "times": cem.markdown_table(times)}


def with_numbers(source: str, record: dict[str, Any]) -> str:
    """A module's source with one line at the end of its docstring: where its numbers are."""
    spent = f"{record['seconds']:.0f} s on {record['devices']}"
    line = f"Numbers: docs/results/{record['figure']}.json (preset {record['preset']}, {spent})."
    head, mark, rest = source.partition('\n"""\n')
    head = _NUMBERS.sub("", head + mark).removesuffix(mark)
    return f"{head.rstrip()}\n\n{line}{mark}{rest}"


def section(record: dict[str, Any]) -> str:
    """A figure's part of the page, in Markdown."""
    name = record["figure"]
    doc = (figures.find(name).__doc__ or "").split("\n\n")
    claim = " ".join(doc[1].split())
    made = f"`{record['command']}`, commit {record['commit']}"
    parts = [
        f"## {name}", f"{doc[0]} {claim}", f"![{doc[0]}](figures/{name}.png)",
        f"Made by {made}. {expected(record)}",
        *(f"{line[:1].upper()}{line[1:]}." for line in record["missing"]),
    ]  # fmt: skip
    return "\n\n".join(parts)


def with_list(page: str, records: list[dict[str, Any]]) -> str:
    """The page with the parts of all figures."""
    text = "\n\n".join(map(section, records))
    return _LIST.sub(lambda _: f"\n{text}\n\n", page)


def published(docs: Path) -> list[dict[str, Any]]:
    """The records that the documentation holds, in the order of the figures."""
    store = figures.Store(docs / "results")
    return [record for record in map(store.read, figures.NAMES) if record is not None]


def write_pages(docs: Path) -> None:
    """Writes every number of the pages, and the figures' own lines, from docs/results."""
    records = published(docs)
    page = docs / "paper-figures.md"
    page.write_text(with_list(page.read_text(), records))
    store = figures.Store(docs / "results")
    for page, found in (
        (docs / "findings.md", sections(store) | verdicts.sections(store) | headlines(store, "")),
        (docs / "artifact.md", artifact(records)),
        (docs.parent / "README.md", headlines(store)),
    ):
        page.write_text(with_marked(page.read_text(), found))
    for record in records:
        module = Path(str(figures.find(record["figure"]).__file__))
        module.write_text(with_numbers(module.read_text(), record))


def publish(results: Path, docs: Path) -> None:
    """Copies what was computed, and writes the pages.

    Args:
        results: folder of a preset, as `cem-jax figures` writes it.
        docs: folder of the documentation.
    """
    store = figures.Store(results)
    (docs / "results").mkdir(exist_ok=True)
    for name in figures.NAMES:
        record = store.read(name)
        if record is None:
            continue
        (docs / "results" / f"{name}.json").write_text(json.dumps(record) + "\n")
        picture = Image.open(results / f"{name}.png").convert("RGB")
        picture.thumbnail(_PIXELS)
        picture.save(docs / "figures" / f"{name}.png", optimize=True)
    write_pages(docs)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a preset's results")
    parser.add_argument("docs", type=Path, help="folder of the documentation")
    args = parser.parse_args()
    publish(args.results, args.docs)


if __name__ == "__main__":
    main()
