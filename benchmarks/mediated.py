"""How long mediated maps take, against the total map alone.

    python benchmarks/mediated.py [--networks NAME ...] [--rounds 2]

`cem.mediated_maps` through all global operations, and `cem.causal_effect_map` of the same draws
(`Fixed(2)`), in turn in one process, after each was made once, so that compiling is not counted.
An input of 128 x 128 pixels, a region of 32 x 32, blocks of 8 x 8. *processors* compares what all
cores together spend, which a busy machine changes less.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import subjects

import cem_jax as cem


def seconds(make: Callable[[], Any]) -> tuple[float, float]:
    """What a call takes, and the time of all cores together."""
    begun, spent = time.perf_counter(), time.process_time()
    make()
    return time.perf_counter() - begun, time.process_time() - spent


def row(name: str, rounds: int, side: int = 128) -> dict[str, Any]:
    """One network's times, on an input of that side."""
    network = subjects.network(name)
    scene = subjects.scene(network.scale, side * network.scale)
    roi = cem.ROI(3 * side // 8, 3 * side // 8, side // 4, side // 4)
    how: dict[str, Any] = {"plan": cem.Fixed(2), "progress": False}
    calls = {
        "total": lambda: cem.causal_effect_map(network, scene, roi, **how),
        "mediated": lambda: cem.mediated_maps(network, scene, roi, through="global", **how),
    }
    taken: dict[str, list[tuple[float, float]]] = {key: [] for key in calls}
    for number in range(rounds + 1):
        for key, call in calls.items():
            found = seconds(call)
            if number:
                taken[key].append(found)
    (total, total_all), (mediated, mediated_all) = (
        [min(part) for part in zip(*taken[key], strict=True)] for key in ("total", "mediated")
    )
    return {
        "network": name, "total s": f"{total:.2f}", "mediated s": f"{mediated:.2f}",
        "ratio": f"{mediated / total:.2f}", "processors": f"{mediated_all / total_all:.2f}",
    }  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["RCAN_DN-compact"])
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    cem.use_all_cores()
    print(cem.markdown_table([row(name, args.rounds) for name in args.networks]))


if __name__ == "__main__":
    main()
