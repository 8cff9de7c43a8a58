"""Compiled programs: found again for equal shapes, compiled side by side, with their memory."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
from jax.stages import Compiled

from cem_jax.network.compiler_options import CONVOLUTIONS, Options, known


@functools.lru_cache(maxsize=128)
def _compile(
    function: Any, statics: tuple[Any, ...], tree: Any, leaves: tuple[Any, ...], on_cpu: Options
):
    options = CONVOLUTIONS + (on_cpu if jax.default_backend() == "cpu" else ())
    lowered = function.lower(*statics, *jax.tree.unflatten(tree, leaves))
    return lowered.compile(compiler_options=known(options))


def compiled(
    function: Callable[..., Any],
    statics: tuple[Any, ...],
    args: tuple[Any, ...],
    on_cpu: Options = (),
):
    """A jitted function compiled for arguments of these shapes and places.

    Args:
        function: from `jax.jit`; its static arguments come first.
        statics: their values, hashable.
        args: the others, arrays.
        on_cpu: further options of the compiler where the program runs on a CPU.

    Returns:
        To be called with `args` alone.
    """
    leaves, tree = jax.tree.flatten(args)
    structs = (jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding) for a in leaves)
    return _compile(function, statics, tree, tuple(structs), on_cpu)


def workspace(program: Compiled) -> int:
    """Bytes that a run of the program takes on each device, besides its arguments."""
    found = program.memory_analysis()
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
