"""This version against an older one, in one run, the two taken in turn.

    python benchmarks/against.py --old CHECKOUT --python PYTHON [--only rates dense cache]
                                 [--rounds 3]

CHECKOUT is a checkout of the older version, PYTHON a Python in which that is installed.

- **rates**: interventions of window networks. *cone* is what one needs in the mean over the map, as
  a share of a forward; *of old* is how many times as many are made in the same time, *map of old*
  the same for a draw of every block, where a version leaves out those that it knows to have no
  effect.
- **local**: the same of local convolutional networks, whose cones both versions have.
- **dense**: SwinIR of official size for denoising, random weights, 256 x 256 pixels, against this
  version's dense computation. Measured are all blocks of some of the cones' programs, from those
  of small windows to those of large ones, with the draws of the paper's coarse stage.
- **cache**: the DnCNN map of `sweep.py` in a fresh process that finds all programs in the cache,
  over the same in a process that has made it before.

*limit* is what *of old* and *of dense* would be if every intervention took its exact multiply-adds
at the rate of a 2048 x 2048 matrix product. Seconds are the least of all rounds; *processors*
counts those of all cores together, which a busy machine changes less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rates
from sweep import text

import cem_jax as cem

_HERE = Path(__file__).parent

_RATES = (("SwinIR-compact", 256, 24, 6), ("SwinIR_DN-compact", 128, 24, 6))
"""Networks, sides of the clean image, blocks from all over the map and draws at each."""

_LOCAL = (("DnCNN", 256, 24, 6), ("EDSR", 256, 24, 6), ("PAN", 256, 24, 6))
"""The same of networks that had their cones before."""

_LARGE = ("SwinIR_DN", 256, "programs:3", 3)
"""Network, side of the clean image, programs and draws at each of their blocks."""

Least = dict[str, list[float]]


class Worker:
    """A process that measures when it is told to."""

    def __init__(self, python: str, checkout: Path, *arguments: Any):
        command = [python, str(_HERE / "rate_worker.py"), str(checkout), *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def measure(self) -> list[float]:
        """Seconds and processors' seconds of an intervention."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


def in_turn(workers: Mapping[str, Worker], rounds: int) -> Least:
    """Least seconds and processors' seconds of each, taken in turn."""
    least: Least = {}
    for _ in range(rounds):
        for name, worker in workers.items():
            found = worker.measure()
            least[name] = [min(pair) for pair in zip(found, least.get(name, found), strict=True)]
    for worker in workers.values():
        worker.close()
    return least


def peak_of(workers: Mapping[str, Worker], rounds: int) -> tuple[Least, float]:
    """The workers' least seconds, and the rate of the matrix product before and after them."""
    product, work = rates.matrix_product()
    product()
    before = rates.interleaved({"product": product}, rounds)["product"]
    least = in_turn(workers, rounds)
    after = rates.interleaved({"product": product}, rounds)["product"]
    return least, work / min(before, after)


def window_rates(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Interventions of window networks in both versions; the older one has no cones of them."""
    return [rated(args, subject, (4, 2)) for subject in _RATES]


def local_rates(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Interventions of local networks in both versions."""
    return [rated(args, subject, subject[2:]) for subject in _LOCAL]


def rated(
    args: argparse.Namespace, subject: tuple[str, int, int, int], older: tuple[int, int]
) -> dict[str, Any]:
    """A row: one network in both versions, the older one at so many blocks and draws."""
    name, size, blocks, draws = subject
    workers = {
        "new": Worker(sys.executable, _HERE.parent, name, size, blocks, draws, "sweep"),
        "old": Worker(args.python, args.old, name, size, *older, "sweep"),
    }
    (least, peak), facts = peak_of(workers, args.rounds), workers["new"].facts
    (new, new_all), (old, old_all) = least["new"], least["old"]
    limit = old * peak / facts["exact"]
    fewer = workers["old"].facts["reaching"] / facts["reaching"]
    return {
        "network": name, "image": size, "cone": facts["map"] / facts["whole"],
        "new ms": 1e3 * new, "old ms": 1e3 * old, "of old": old / new,
        "map of old": fewer * old / new, "of old, processors": old_all / new_all, "limit": limit,
        "of limit": old / new / limit,
    }  # fmt: skip


def dense(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The large network, against its own dense computation."""
    name, size, programs, draws = _LARGE
    new = Worker(sys.executable, _HERE.parent, name, size, programs, draws, "sweep")
    whole = Worker(sys.executable, _HERE.parent, name, size, 2, 1, "dense")
    (least, peak), facts = peak_of({"new": new, "dense": whole}, args.rounds), new.facts
    limit = least["dense"][0] * peak / facts["exact"]
    found = least["dense"][0] / least["new"][0]
    return [
        {
            "network": name, "image": size, "cone": facts["map"] / facts["whole"],
            "measured blocks' cone": facts["exact"] / facts["whole"],
            "ms": 1e3 * least["new"][0], "dense ms": 1e3 * least["dense"][0], "of dense": found,
            "of dense, processors": least["dense"][1] / least["new"][1], "limit": limit,
            "of limit": found / limit,
        }
    ]  # fmt: skip


def cache(args: argparse.Namespace) -> list[dict[str, Any]]:
    """A map with all programs in the cache, in a fresh process and in the same one."""
    seconds: dict[str, list[float]] = {"fresh": [], "same": []}
    processors: dict[str, list[float]] = {"fresh": [], "same": []}
    with tempfile.TemporaryDirectory() as folder:
        # Python keeps what it compiled, as it does by itself, also where an environment forbids it.
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, str(_HERE / "one_map.py"), "DnCNN", "256", folder]
        for number in range(args.rounds + 1):
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment
            )
            found = json.loads(done.stdout)
            if number:  # the first one fills the cache
                for kept, key in ((seconds, "seconds"), (processors, "processors")):
                    for name, value in zip(("fresh", "same"), found[key], strict=True):
                        kept[name].append(value)
    fresh, same = min(seconds["fresh"]), min(seconds["same"])
    ratio = min(processors["fresh"]) / min(processors["same"])
    return [
        {"network": "DnCNN", "fresh s": fresh, "same process s": same, "ratio": fresh / same,
         "ratio, processors": ratio}
    ]  # fmt: skip


SECTIONS = {"rates": window_rates, "local": local_rates, "dense": dense, "cache": cache}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", type=Path, help="checkout of the older version")
    parser.add_argument("--python", help="a Python in which that is installed")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if {"rates", "local"} & set(args.only) and not (args.old and args.python):
        parser.error("rates and local: expected --old and --python")
    cem.use_all_cores()
    for name in args.only:
        lines = [{key: text(value) for key, value in row.items()} for row in SECTIONS[name](args)]
        print(f"\n### {name}\n\n{cem.markdown_table(lines)}", flush=True)


if __name__ == "__main__":
    main()
