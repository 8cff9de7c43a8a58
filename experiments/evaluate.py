"""What the bundled networks reach on the validation photographs, as a table.

    python -m cem_jax.experiments.evaluate [--write docs/compact-networks.md]
    python -m cem_jax.experiments.evaluate --photos PHOTOS [--dncnn dncnn_color_blind.pth]

The first form tabulates the records that lie beside the weights, or puts that table in a page, and
that of the series; the second computes it anew. Whole photographs, PSNR over RGB of the clipped
output, averaged over photographs; noise and rain are seeded by the number of the photograph. A
network of several tasks has a row for each. The official DnCNN, where given, sees the same images.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments import series
from cem_jax.experiments.degradations import DEGRADATIONS
from cem_jax.experiments.photos import read_folder
from cem_jax.experiments.training_data import cut
from cem_jax.experiments.validation import baseline, validate


def records() -> list[dict[str, Any]]:
    """The records of the bundled networks, in the order of their tasks and names."""
    paths = filter(None, map(cem.models.bundled_weights, cem.models.names()))
    found = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    return sorted(found, key=lambda record: list(DEGRADATIONS).index(record["task"]))


def _length(record: dict[str, Any]) -> dict[str, str]:
    """How long a network was trained, where its record says so."""
    return {"steps": str(record["steps"]), "minutes": str(record.get("minutes", "-"))}


def _row(
    name: str, task: str, length: dict[str, str], before: float, after: float
) -> dict[str, Any]:
    parameters = cem.models.describe(name).parameters
    facts = {"network": name, "task": task, "parameters": parameters, **length}
    return facts | {"input (dB)": before, "output (dB)": after, "gain (dB)": after - before}


def recorded() -> str:
    """The table of the records, in Markdown."""
    rows = []
    for record in records():
        single = {record["task"]: (record["psnr_val_input"], record["psnr_val"])}
        rows += [
            _row(record["name"], task, _length(record), before, after)
            for task, (before, after) in record.get("psnr_by_task", single).items()
        ]
    return cem.markdown_table(rows)


def evaluate(photos: Path, dncnn: Path | None) -> str:
    """The table computed anew, in Markdown.

    Args:
        photos: what `experiments.photos` wrote.
        dncnn: the official DnCNN's checkpoint, or None.

    Raises:
        ValueError: there are no validation photographs.
    """
    images = [cut(image, 4) for _, image in read_folder(photos / "val")]
    if not images:
        raise ValueError(f"photos={photos}: needs PNG files in val/")
    subjects = [
        (cem.load(record["name"]), DEGRADATIONS[record["task"]], _length(record))
        for record in records()
    ]
    if dncnn is not None:
        official = {"steps": "official", "minutes": "-"}
        subjects.append((cem.load("DnCNN", dncnn), DEGRADATIONS["DN"], official))
    rows = []
    for network, tasks, length in subjects:
        for task in tasks:
            before = baseline(images, task, network.scale)
            after = validate(network, images, task, network.scale)
            rows.append(_row(network.name, task, length, before, after))
    return cem.markdown_table(rows)


def with_table(page: str, table: str, mark: str = "networks") -> str:
    """A page with the table between its marks replaced.

    Args:
        page: in Markdown.
        table: the same.
        mark: of the table: "networks", "series" or "official".

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    place = re.compile(f"(?<={begin}).*?(?={end})", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"page: needs the lines {begin.rstrip()} and {end}")
    return place.sub(lambda _: f"\n{table}\n\n", page)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--dncnn", type=Path)
    parser.add_argument("--write", type=Path, help="page that receives the recorded table")
    args = parser.parse_args()
    if args.photos is not None:
        print(evaluate(args.photos, args.dncnn))
    elif args.write is not None:
        page = with_table(args.write.read_text(), recorded())
        args.write.write_text(with_table(page, series.table(), "series"))
    else:
        print(recorded())


if __name__ == "__main__":
    main()
