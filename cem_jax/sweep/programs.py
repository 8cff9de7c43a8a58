"""Compiled programs: found again for equal shapes, compiled side by side, with their memory."""

import dataclasses
import functools
import os
import secrets
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import jax
from jax.sharding import NamedSharding
from jax.stages import Compiled

from cem_jax.network.compiler_options import CONVOLUTIONS, Options, known
from cem_jax.sweep import kept


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled function.

    Args:
        run: the same from the leaves of its arguments to a list of those of its result.
        structure: of the result, tuples and numbers of leaves.
    """

    run: Compiled
    structure: Any

    def __call__(self, *args: Any) -> Any:
        """What the function gives of these arguments."""
        return _filled(self.structure, self.run(*jax.tree.leaves(args)))


def _filled(structure: Any, leaves: Sequence[Any]) -> Any:
    if isinstance(structure, int):
        return leaves[structure]
    return tuple(_filled(part, leaves) for part in structure)


def _devices(leaves: Sequence[Any]) -> list[Any]:
    """Where a program runs, in order."""
    sharded = [one.sharding for one in leaves if isinstance(one.sharding, NamedSharding)]
    meshes: list[Any] = [sharding.mesh for sharding in sharded]
    return list(meshes[0].devices.flat) if meshes else list(leaves[0].sharding.device_set)


@functools.lru_cache(maxsize=128)
def _compile(
    function: Any, statics: tuple[Any, ...], tree: Any, leaves: tuple[Any, ...], on_cpu: Options,
    name: str | None,
) -> Program:  # fmt: skip
    if kept.folder() is None:
        name = None
    if name is not None:
        devices = _devices(leaves)
        name = kept.name_of(name, str(tree), leaves, on_cpu, [device.id for device in devices])
        found = kept.read_program(name, len(leaves), devices)
        if found is not None:
            return Program(*found)
    structures = []

    def flat(*arrays: Any) -> list[Any]:
        result = function(*statics, *jax.tree.unflatten(tree, arrays))
        given, whole = jax.tree.flatten(result)
        structures.append(jax.tree.unflatten(whole, range(len(given))))
        return given

    if name is not None:
        # JAX cannot write again what its own cache has read (0.10.2): it must not find it there.
        flat.__name__ = f"sweep_{secrets.token_hex(8)}"
    options = CONVOLUTIONS + (on_cpu if jax.default_backend() == "cpu" else ())
    program = jax.jit(flat).lower(*leaves).compile(compiler_options=known(options))
    if name is not None:
        kept.write_program(name, program, structures[0])
    return Program(program, structures[0])


def compiled(
    function: Callable[..., Any],
    statics: tuple[Any, ...],
    args: tuple[Any, ...],
    on_cpu: Options = (),
    name: str | None = None,
) -> Program:
    """A jitted function compiled for arguments of these shapes and places.

    Args:
        function: its static arguments come first; it returns arrays, or tuples of these.
        statics: their values, hashable.
        args: the others, arrays.
        on_cpu: further options of the compiler where the program runs on a CPU.
        name: what tells function and static arguments from all others, in any process; the program
            is then kept whole, see `kept`. None keeps no more than JAX does.

    Returns:
        To be called with `args` alone.
    """
    leaves, tree = jax.tree.flatten(args)
    structs = (jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding) for a in leaves)
    return _compile(function, statics, tree, tuple(structs), on_cpu, name)


Key = TypeVar("Key", bound=Hashable)


def side_by_side(
    prepare: Callable[[Key], bool], keys: Sequence[Key], threads: int
) -> dict[Key, Future[bool]]:
    """Begins to compile programs, in the order of the keys.

    Args:
        prepare: compiles one; False if the memory does not suffice for it.
        keys: of the programs.
        threads: how many are compiled at once.

    Returns:
        For each what `prepare` says, as soon as it is done. Those that have not begun can be
        cancelled.
    """
    pool = ThreadPoolExecutor(threads)
    coming = {key: pool.submit(prepare, key) for key in keys}
    pool.shutdown(wait=False)
    return coming


def workspace(program: Program) -> int:
    """Bytes that a run of the program takes on each device, besides its arguments."""
    found = program.run.memory_analysis()
    return 0 if found is None else found.temp_size_in_bytes + found.output_size_in_bytes


def room(device: Any, sharing: int) -> int:
    """Bytes that a program may take on a device: most of what a GPU or TPU, or the host, has.

    Args:
        device: where it runs.
        sharing: devices that share the host's memory, where it has no other.
    """
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None and not hasattr(os, "sysconf"):  # Windows does not say
        return 2**32 // sharing
    if limit is None:
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // sharing
    return int(0.6 * limit)
