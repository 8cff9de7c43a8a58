"""Times one network's interventions whenever it is asked; `against.py` starts it.

    python benchmarks/rate_worker.py CHECKOUT NETWORK SIZE BLOCKS DRAWS WAY

CHECKOUT is the folder of the version whose benchmarks are used; WAY is "sweep", or "dense" for the
same with locality hidden. BLOCKS is how many blocks, from all over the image, or "programs:N" for
all blocks of N of the cones' programs, from small windows to large ones. After a line of facts it
answers every line that it reads by the seconds, and the seconds of processors, that DRAWS
interventions at each of the blocks took.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def main(checkout: str, name: str, size: str, blocks: str, draws: str, way: str) -> None:
    """Prepares, and answers until there is nothing to read."""
    sys.path[0] = str(Path(checkout) / "benchmarks")
    import rates
    import subjects

    import cem_jax as cem

    cem.use_all_cores()
    network, side = subjects.network(name), int(size)
    scene, roi = subjects.scene(network.scale, side), subjects.roi(side)
    roi = cem.ROI(roi.y // 8 * 8, roi.x // 8 * 8, 32, 32)
    network = rates.without_locality(network) if way == "dense" else network
    subject = rates.Subject.make(network, scene, roi)
    kind, _, count = blocks.rpartition(":")
    if kind == "programs":
        cells = np.sort(np.concatenate(subject.of_programs(int(count))))
    else:
        cells = rates.spread(subject.reaching, int(count))
    subject.run(cells, 1)  # compiles
    facts = {
        "whole": subject.whole,
        "exact": float(subject.exact[cells].mean()),
        "map": float(subject.exact[subject.reaching].mean()),
        "reaching": len(subject.reaching),
    }
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        begun, spent = time.perf_counter(), time.process_time()
        subject.run(cells, int(draws))
        taken = time.perf_counter() - begun, time.process_time() - spent
        print(json.dumps([part / len(cells) / int(draws) for part in taken]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
