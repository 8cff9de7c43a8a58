"""Engines by their names, as `cem-jax sweep --on` has them."""

import concurrent.futures
import contextlib
import functools
import glob
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cem_jax.jobs.processes import Processes
from cem_jax.jobs.records import FOLDER
from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath

FORMS = "processes:4, dask://host:port, slurm:8 or mpi"
_MOST = 9999
"""Processes, or jobs of a cluster, at a time."""
_ROUNDS = 4
"""Jobs of a cluster that each of its places gets, so that slow ones hold nobody up."""


@contextlib.contextmanager
def engine(text: str, folder: AnyPath) -> Iterator[tuple[Any, int]]:
    """An engine, ready to be given tasks while the context lasts.

    Args:
        text: its name, see `FORMS`.
        folder: of the results.

    Returns:
        The executor, None in processes that have only worked for another one until now; and into
        how many tasks a job should come at most, 0 for no such limit.

    Raises:
        ValueError: another name, or a package is missing; the message says which.
    """
    check_engine(text)
    kind, _, rest = text.partition(":")
    if kind == "processes":
        count = int(rest)
        share = functools.partial(_share, count=count)
        with Processes(count, share) as executor:
            yield executor, 0
    elif kind == "dask":
        with _needed("dask"):
            import distributed  # pyright: ignore[reportMissingImports]
        with distributed.Client(f"tcp:{rest}") as client:
            yield client.get_executor(pure=False), 0
    elif kind == "slurm":
        with _needed("slurm"):
            import submitit  # pyright: ignore[reportMissingImports]
        with _submitting(submitit, int(rest), folder) as executor:
            yield executor, _ROUNDS * int(rest)
    else:
        with _needed("mpi"):
            from mpi4py.futures import MPICommExecutor  # pyright: ignore[reportMissingImports]
        with MPICommExecutor() as executor:
            yield executor, 0


def check_engine(text: str) -> None:
    """Refuses what is no engine's name.

    Raises:
        ValueError: the message says what is accepted.
    """
    kind, colon, rest = text.partition(":")
    number = int(rest) if re.fullmatch("[0-9]{1,9}", rest) else 0
    counted = kind in ("processes", "slurm") and 0 < number <= _MOST
    host, _, port = rest.removeprefix("//").rpartition(":")
    named = kind == "dask" and rest.startswith("//") and bool(host) and _is_port(port)
    if not (counted or named or (kind == "mpi" and not colon)):
        raise ValueError(f"--on {quoted(text)}: expected {FORMS}")


def _is_port(text: str) -> bool:
    return bool(re.fullmatch("[0-9]{1,5}", text)) and 0 < int(text) < 2**16


@contextlib.contextmanager
def _needed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ValueError(f"--on {extra} needs a package: pip install 'cem-jax[{extra}]'") from error


@contextlib.contextmanager
def _submitting(
    submitit: Any, count: int, folder: AnyPath
) -> Iterator[concurrent.futures.Executor]:
    """Jobs of a cluster, so many at a time; without a cluster, processes of this machine.

    What a job of the cluster gets (time, partition, devices) its variables say: `SBATCH_TIMELIMIT`,
    `SBATCH_PARTITION`, `SBATCH_GPUS` and so on.
    """
    local = isinstance(folder, Path)
    logs = folder / FOLDER / "slurm" if local else Path(tempfile.mkdtemp(prefix="cem-jax-slurm-"))
    inner = submitit.AutoExecutor(folder=logs)
    inner.update_parameters(timeout_min=24 * 60)

    class Submitted(concurrent.futures.ThreadPoolExecutor):
        """Threads that each wait for a job of the cluster."""

        def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Any:
            return super().submit(lambda: inner.submit(function, *arguments, **options).result())

    with Submitted(count) as executor:
        yield executor


def _share(number: int, count: int) -> dict[str, str]:
    """Variables that give one of several processes its part of this machine's devices."""
    found, gpus, chips = {}, [], []
    if os.environ.get("JAX_PLATFORMS") != "cpu":
        told = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = told.split(",") if told else [
            str(n) for n in range(len(glob.glob("/dev/nvidia[0-9]*")))
        ]  # fmt: skip
        chips = sorted(glob.glob("/dev/accel[0-9]*"))
    if gpus:
        found["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
        sharing = -(-count // len(gpus))
        if sharing > 1:
            found["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 / sharing:.2f}"
    elif chips:
        found |= {
            "TPU_VISIBLE_CHIPS": str(number % len(chips)),
            "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
            "TPU_PROCESS_BOUNDS": "1,1,1",
        }
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        found["JAX_NUM_CPU_DEVICES"] = str(max((cores or 1) // count, 1))
    return found
