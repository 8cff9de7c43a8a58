"""The same measurements with several Pythons and the JAX of each, in turn, in one run.

    python benchmarks/versions.py PYTHON PYTHON [...] [--networks NAME ...] [--weights DIR]
                                  [--rounds 3] [--quick]

Every Python given has this package installed. For each network, and then for the map and the demo,
all of them run `sweep.py` one after the other, each in a process of its own.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep import STAGES, text

import cem_jax as cem

_SWEEP = Path(__file__).with_name("sweep.py")
_KEPT = {
    "networks": ("network", "blocks", "dense /s", "sweep /s", "of dense", "of peak", "first s"),
    "map": ("programs", "map s", "process s"),
    "demo": ("programs", "process s"),
}
"""Columns of each section that do not need torch."""

Rows = list[dict[str, Any]]


def measured(python: str, section: str, arguments: Sequence[str]) -> tuple[str, Rows]:
    """What one Python's run of `sweep.py` printed: its machine and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        command = [python, str(_SWEEP), "--only", section, "--json", str(file), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(file.read_text())
    return found["machine"], found[section]


def side_by_side(
    pythons: Sequence[str], section: str, arguments: Sequence[str]
) -> tuple[dict[str, str], Rows]:
    """The rows of all Pythons, those of one measurement beside each other."""
    machines: dict[str, str] = {}
    found: list[tuple[str, Rows]] = []
    for python in pythons:
        machine, rows = measured(python, section, arguments)
        machines[python] = machine
        found.append((_version(machine), rows))
    together = []
    for same in zip(*(rows for _, rows in found), strict=True):
        for (name, _), row in zip(found, same, strict=True):
            kept = {key: row[key] for key in _KEPT[section] if key in row}
            together.append({"version": name, **kept})
    return machines, together


def _version(machine: str) -> str:
    """JAX and its version, of a line that `sweep.machine` made."""
    return next(part for part in machine.split(", ") if part.startswith("jax "))


def _printed(rows: Sequence[Mapping[str, Any]]) -> None:
    lines = [{key: text(value) for key, value in row.items()} for row in rows]
    print(cem.markdown_table(lines), flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    parser.add_argument("--networks", nargs="+", default=list(STAGES), metavar="NAME")
    parser.add_argument("--weights", type=Path, help="folder of official checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    args = parser.parse_args()
    shared = ["--rounds", str(args.rounds)]
    shared += ["--weights", str(args.weights)] if args.weights else []
    shared += ["--quick"] if args.quick else []
    rows: Rows = []
    for name in args.networks:
        machines, found = side_by_side(args.pythons, "networks", [*shared, "--networks", name])
        rows += found
    print("\n".join(dict.fromkeys(machines.values())), "\n\n### networks\n")
    _printed(rows)
    for section in ("map", "demo"):
        _, found = side_by_side(args.pythons, section, [*shared, "--networks", args.networks[0]])
        print(f"\n### {section}\n")
        _printed(found)


if __name__ == "__main__":
    main()
