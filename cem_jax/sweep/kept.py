"""Plans and programs kept whole, so that a fresh process neither plans, traces nor lowers them.

They lie beside JAX's own compiled programs, in a folder of the user's that `use_compilation_cache`
names; without one nothing is kept. A plan is kept as arrays and a record in an `.npz` file, a
program as the compiled executable (`jax.experimental.serialize_executable`). StableHLO
(`jax.export`) would be kept without pickles, but has to be lowered and looked up again, which takes
ten times as long, and imports SciPy's linear algebra. An executable is machine code: whoever can
write it can run code here, as in JAX's own cache. So a program is read only where the folder and
the file are the user's own and nobody else may write them.

A name holds all that what is kept depends on: the network's function by its jaxpr, shapes and
places, options, what is scored and drawn, this package's source, JAX and what it may trace
differently, processor and devices. What cannot be read is made anew.
"""

import functools
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable
from jax.stages import Compiled

from cem_jax import cone as cones
from cem_jax.cone.digest import NoFingerprintError, digest_function
from cem_jax.store.atomic import write_atomically
from cem_jax.store.npz import Damaged, read_npz, record_of

_FOLDER = "cem-jax-programs"

_TRACED = (
    "jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl",
    "jax_threefry_partitionable", "jax_numpy_dtype_promotion", "jax_enable_custom_prng",
)  # fmt: skip
"""Settings of JAX that change what is traced."""

_CONSTANTS = 2**20
"""Bytes that a function may close over to be kept; a plan has them at hand."""

_NUMBERS = "biuf"


def folder() -> Path | None:
    """Where plans and programs are kept; None if nowhere."""
    where = jax.config.jax_compilation_cache_dir
    if not where or "://" in where or not jax.config.jax_enable_compilation_cache:
        return None
    if jax.process_count() > 1:  # an executable of several processes belongs to all of them
        return None
    return Path(where) / _FOLDER


@functools.lru_cache
def _source() -> str:
    """A fingerprint of this package's source: what is kept is of one version, released or not."""
    found, root = hashlib.sha256(), Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


@functools.lru_cache
def _processor() -> str:
    """What machine code for the host depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    told = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU "))]
    return f"{platform.machine()} {sorted(set(told))}"


def _surroundings() -> tuple[Any, ...]:
    """What else than its name a kept thing depends on."""
    device = jax.devices()[0]
    return (
        _source(), *(importlib.metadata.version(name) for name in ("jax", "jaxlib")),
        device.platform, device.device_kind, device.client.platform_version, _processor(),
        os.environ.get("XLA_FLAGS"), *(getattr(jax.config, name, None) for name in _TRACED),
    )  # fmt: skip


def name_of(*parts: Any) -> str:
    """A name that tells what is kept from all else.

    Args:
        *parts: values whose `repr` tells all of them.
    """
    return hashlib.sha256(repr((_surroundings(), parts)).encode()).hexdigest()[:40]


@functools.lru_cache(maxsize=64)
def fingerprint(function: Callable[..., Any], tree: Any, leaves: tuple[Any, ...]) -> str | None:
    """What a function computes, of arguments of some shapes; None if it cannot be told.

    Args:
        function: hashable, of JAX.
        tree: structure of its arguments.
        leaves: their shapes.
    """
    try:
        return digest_function(function, *jax.tree.unflatten(tree, leaves))
    except NoFingerprintError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Keeps what can be kept: a folder that cannot be written keeps nothing."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError:
        return


def _is_own(path: Path) -> bool:
    """Whether a file or folder is this user's and nobody else may write it."""
    if not hasattr(os, "getuid"):  # Windows keeps a user's folders from others
        return True
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read_program(name: str, count: int, devices: Sequence[Any]) -> tuple[Compiled, Any] | None:
    """A program that was kept, which takes a list of arrays and gives one.

    Args:
        name: of the program.
        count: arrays that it takes.
        devices: that it runs on, in the order in which it was compiled.

    Returns:
        The program, and the structure of its result with the numbers of the arrays that it gives;
        None if there is none that can be read.
    """
    where = folder()
    if where is None:
        return None
    path = where / f"{name}-program.npz"
    try:
        if not (_is_own(where) and _is_own(path)):
            return None
        arrays = read_npz(path)
        record = record_of(arrays)
        results, data = int(record["results"]), arrays["executable"].tobytes()
    except (OSError, Damaged, KeyError, TypeError, ValueError):
        return None
    takes, gives = (jax.tree.structure(tree) for tree in (((0,) * count, {}), [0] * results))
    try:
        found = serialize_executable.deserialize_and_load(
            data, takes, gives, devices[0].client, list(devices)
        )
    except Exception:  # whatever JAX makes of an executable of another machine
        return None
    return found, record["structure"]


def write_program(name: str, program: Compiled, structure: Any) -> None:
    """Keeps a program of a list of arrays, if it can be.

    Args:
        name: of the program.
        program: the program.
        structure: of its result, tuples and the numbers of the arrays that it gives.
    """
    where = folder()
    if where is None:
        return
    try:
        data, _, gives = serialize_executable.serialize(program)
    except Exception:  # callbacks of the host, backends that keep nothing
        return
    record = {"structure": structure, "results": gives.num_leaves}
    file = io.BytesIO()
    np.savez(file, record=json.dumps(record), executable=np.frombuffer(data, np.uint8))
    _write(where / f"{name}-program.npz", file.getvalue())


def read_plan(
    name: str, origins: np.ndarray, make: Callable[[], cones.ConePlan]
) -> cones.ConePlan | None:
    """A plan that was kept; None if there is none that can be read.

    Args:
        name: of the plan.
        origins: first row and column of each block, int64 [blocks, 2].
        make: plans anew, where a program has to be traced.
    """
    where = folder()
    if where is None:
        return None
    try:
        arrays = read_npz(where / f"{name}-plan.npz")
        record = record_of(arrays)
        program_of = arrays["program_of"]
        offsets = [np.zeros(0, np.int32)] * len(program_of)
        for number in range(len(record["reads"])):
            own = np.flatnonzero(program_of == number)
            for block, row in zip(own.tolist(), arrays[f"offsets-{number}"], strict=True):
                offsets[block] = row
        dense, crop = record["multiply_adds"]
        work = cones.MultiplyAdds(dense, crop, arrays["cone"], arrays["programs"])
        constants = tuple(arrays[f"constant-{k}"] for k in range(record["constants"]))
        return cones.ConePlan(
            tuple(record["shape"]), tuple(record["roi"]), record["block"], origins, program_of,
            tuple(offsets), record["dense"], record["note"], work,
            tuple(map(tuple, record["reads"])), constants, lambda: make().code,
        )  # fmt: skip
    except (Damaged, KeyError, TypeError, ValueError):
        return None


def write_plan(name: str, plan: cones.ConePlan) -> None:
    """Keeps a plan, if it can be written and what its function closes over is small."""
    where = folder()
    arrays = [np.asarray(one) for one in plan.constants if not _is_key(one)]
    small = sum(one.nbytes for one in arrays) <= _CONSTANTS
    plain = len(arrays) == len(plan.constants) and all(a.dtype.kind in _NUMBERS for a in arrays)
    if where is None or not (small and plain):
        return
    work = plan.multiply_adds
    record = {
        "shape": plan.shape, "roi": plan.roi, "block": plan.block, "dense": plan.dense,
        "note": plan.note, "multiply_adds": (work.dense, work.crop), "reads": plan.reads,
        "constants": len(arrays),
    }  # fmt: skip
    kept: dict[str, Any] = {f"constant-{k}": one for k, one in enumerate(arrays)}
    for number in range(len(plan.reads)):
        own = np.flatnonzero(plan.program_of == number)
        kept[f"offsets-{number}"] = np.stack([plan.offsets[block] for block in own])
    file = io.BytesIO()
    kept |= {"record": np.asarray(json.dumps(record)), "program_of": plan.program_of}
    kept |= {"cone": work.cone, "programs": work.programs}
    np.savez(file, **kept)
    _write(where / f"{name}-plan.npz", file.getvalue())


def _is_key(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jax.numpy.issubdtype(dtype, jax.dtypes.prng_key)
