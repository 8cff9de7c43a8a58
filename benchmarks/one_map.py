"""A complete `CoarseToFine(3, 50)` map, twice in this process; `sweep.py` starts it.

    python benchmarks/one_map.py NETWORK SIZE CACHE [WEIGHTS]

The image has SIZE x SIZE pixels. Programs are compiled into the folder CACHE, or found there.
Prints one line of JSON: seconds of both maps, those of all processors together, how many
evaluations the plan asked for, and the forwards in which the paper's code makes the same map: it
evaluates blocks that cannot reach the region, and the region's own.
"""

import json
import sys
import time
from pathlib import Path

import subjects

import cem_jax as cem


def main(name: str, size: str, cache: str, weights: str | None = None) -> None:
    """Computes the map and prints its line."""
    cem.use_all_cores()
    cem.use_compilation_cache(cache)
    network = subjects.network(name, Path(weights) if weights else None)
    scene, roi = subjects.scene(network.scale, int(size)), subjects.roi(int(size))
    plan = cem.CoarseToFine(3, 50)
    seconds, processors = [], []
    for _ in range(2):
        begun, spent = time.perf_counter(), time.process_time()
        found = cem.causal_effect_map(network, scene, roi, plan=plan, progress=False)
        seconds.append(time.perf_counter() - begun)
        processors.append(time.process_time() - spent)
    fine = int((found.samples == plan.fine).sum()) + int(found.inside_roi.sum())
    forwards = plan.coarse * found.samples.size + plan.fine * fine
    line = {
        "seconds": seconds, "processors": processors, "evaluations": found.evaluations,
        "forwards": forwards,
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
