"""How soon `cem-jax explore` shows the first effects after a region is chosen.

    python benchmarks/explore.py [--networks NAME ...]

A fresh process serves each measurement, and two regions are chosen, of 48 x 40 pixels and of
40 x 48. *cold* begins with an empty cache: the region is the first thing that the page asks for.
*prepared* is the second region in that process, and *warm* the first one in a fresh process that
finds in the cache what first effects need, where the network is prepared as the page does when one
is chosen. *processors* counts the seconds of all cores together, which a busy machine changes less.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

import cem_jax as cem

_NETWORKS = ("DnCNN-compact", "EDSR-compact", "SwinIR-compact")
_REGIONS = ([104, 96, 48, 40], [96, 104, 40, 48])


class _Seen(Exception):
    """The first effects are there."""


def measure(name: str, cache: str, way: str) -> list[list[float]]:
    """Seconds, and processors' seconds, to the first effects of each region, in this process."""
    from cem_jax.explore.asked import Asked
    from cem_jax.explore.session import Session, bundled

    cem.use_all_cores()
    cem.use_compilation_cache(cache)
    choices = bundled()
    session = Session({name: choices[name]}, [])
    told: dict[str, Any] = {
        "tab": "one", "photograph": 0, "task": choices[name].tasks[0], "network": name,
        "plan": "adaptive", "sigma": 50, "seed": 0, "pinned": [],
    }  # fmt: skip

    found: list[list[float]] = []

    def send(message: dict[str, Any]) -> None:
        if "round" in message:
            found.append([time.perf_counter() - begun, time.process_time() - spent])
            raise _Seen

    if way == "warm":
        session.prepare(Asked.read(told | {"roi": _REGIONS[1]}))
    for region in _REGIONS:
        begun, spent = time.perf_counter(), time.process_time()
        with suppress(_Seen):
            session.sweep(Asked.read(told | {"roi": region}), send, lambda: False)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=_NETWORKS)
    parser.add_argument("--one", nargs=3, metavar=("NETWORK", "CACHE", "WAY"), help="a measurement")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one)))
        return
    rows = []
    for name in args.networks:
        row = {"network": name}
        with tempfile.TemporaryDirectory() as cache:
            for way in ("cold", "filling", "warm"):
                command = [sys.executable, __file__, "--one", name, cache, way]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                first, second = json.loads(done.stdout)
                shown = {"cold": [("cold", first), ("prepared", second)], "warm": [("warm", first)]}
                for label, (seconds, processors) in shown.get(way, []):
                    row[f"{label} s"] = f"{seconds:.1f}"
                    row[f"{label}, processors"] = f"{processors:.1f}"
        rows.append(row)
    print(cem.markdown_table(rows))


if __name__ == "__main__":
    main()
