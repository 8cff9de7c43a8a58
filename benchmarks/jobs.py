"""What a job costs beside its maps: an engine's overhead, store operations, bytes, a status.

    python benchmarks/jobs.py [--maps 60] [--engines calls here dask ...] [--json FILE]

The maps are empty: a network that looks at single pixels, whose blocks cannot reach the region.
"""

import argparse
import collections
import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

import cem_jax as cem
from cem_jax.jobs.processes import Processes
from cem_jax.store import objects

ENGINES = ("calls", "here", "processes", "dask", "submitit")
_WORKERS = 2


def darker() -> cem.Network:
    """Of radius 0, so that nothing is evaluated."""
    return cem.wrap(_darker, receptive_radius=0, name="darker")


def _darker(x: Any) -> Any:
    return 0.9 * x


def scene(number: int) -> cem.Scene:
    """A photograph of its own for each map."""
    photo = cem.example_image("pagoda")
    return cem.Scene.denoising(photo[number : number + 32, :32])


def empty_job(maps: int) -> cem.Job:
    """A job of maps without evaluations."""
    scenes = {f"scene-{n:03}": functools.partial(scene, n % 200) for n in range(maps)}
    asked = [cem.MapOf("darker", label, cem.ROI(8, 8, 16, 16)) for label in scenes]
    return cem.Job({"darker": darker}, scenes, asked, plan=cem.Fixed(1))


@contextlib.contextmanager
def engine(name: str, folder: Path) -> Iterator[Any]:
    """An executor by its name; None is this process."""
    if name in ("calls", "here"):
        yield None
    elif name == "processes":
        with Processes(_WORKERS) as executor:
            yield executor
    elif name == "dask":
        import distributed

        with (
            distributed.LocalCluster(_WORKERS, threads_per_worker=1, dashboard_address=None) as one,
            distributed.Client(one) as client,
        ):
            yield client.get_executor(pure=False)
    else:
        import submitit

        yield submitit.LocalExecutor(folder / "logs")


def make_alone(job: cem.Job, out: Path) -> None:
    """The maps of a job without one: what they cost themselves."""
    for one in job.maps:
        cem.causal_effect_map(
            job.networks[one.network](), job.scenes[one.scene](), one.roi, plan=job.plan,
            directory=out / str(one), progress=False, devices=jax.local_devices(),
        )  # fmt: skip


def overhead(name: str, maps: int) -> dict[str, float | str]:
    """Milliseconds of an engine for each map: of a run of twice as many, less a run of as many."""
    seconds, own = [], []
    with tempfile.TemporaryDirectory() as place, engine(name, Path(place)) as executor:
        # All maps of a submitit job are one task: a process of its own for each would be measured.
        each = {"maps_per_task": 2 * maps} if name == "submitit" else {}
        for number, count in enumerate((2, maps, 2 * maps)):  # the first one imports and compiles
            out, job = Path(place) / str(number), empty_job(count)
            begun, before = time.perf_counter(), time.process_time()
            results = []
            if name == "calls":
                make_alone(job, out)
            else:
                results = cem.run_job(job, out, executor=executor, progress=False, **each)
            seconds.append(time.perf_counter() - begun)
            own.append(time.process_time() - before)
            problems = [one.problem for one in results if one.problem]
            if problems:
                raise RuntimeError(problems[0])
        begun = time.perf_counter()
        if name != "calls":
            cem.job_status(Path(place) / "2")
        status = time.perf_counter() - begun
    workers = 1 if name in ("calls", "here", "submitit") else _WORKERS
    return {
        "engine": name, "maps": 2 * maps,
        "ms a map": 1000 * workers * (seconds[2] - seconds[1]) / maps,
        "of it here, CPU ms": 1000 * (own[2] - own[1]) / maps, "first run s": seconds[0],
        "status ms a map": 1000 * status / (2 * maps),
    }  # fmt: skip


def operations(maps: int) -> dict[str, float]:
    """Requests that a store gets for each map, by kind, counted on a store in memory."""
    import tensorstore

    class Counting:
        """A store in memory that counts."""

        def __init__(self):
            self.count = collections.Counter()
            self._store = tensorstore.KvStore.open({"driver": "memory"}).result()

        def __getattr__(self, name: str) -> Any:
            self.count[name] += 1
            return getattr(self._store, name)

    store = Counting()
    objects._bucket = lambda *where: store
    job = empty_job(maps)
    cem.run_job(job, "s3://memory/out", progress=False)
    return {name: count / maps for name, count in store.count.items()}


def main() -> None:
    """Prints the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--maps", type=int, default=60)
    arguments.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    arguments.add_argument("--json", type=Path)
    told = arguments.parse_args()
    rows = []
    for name in told.engines:
        rows.append(overhead(name, told.maps))
        print(rows[-1], flush=True)
    print(cem.markdown_table(rows))
    requests = operations(told.maps)
    print("\nrequests to a store for each map: "
          + ", ".join(f"{n:.1f} {name}" for name, n in sorted(requests.items())))  # fmt: skip
    if told.json:
        told.json.write_text(json.dumps({"engines": rows, "requests": requests}, indent=1))


if __name__ == "__main__":
    main()
