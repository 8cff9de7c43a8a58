"""Options of XLA that suit restoration networks, asked for where the compiler knows them."""

import functools
from collections.abc import Callable
from typing import Any

import jax

Options = tuple[tuple[str, Any], ...]
"""Names and values of XLA's options. None of them may change a number."""

CONVOLUTIONS: Options = (("xla_cpu_experimental_ynn_fusion_type", ""),)
"""XLA's own convolutions on CPU, which use all threads of a device; elsewhere without effect."""

COPIES: Options = (("xla_backend_optimization_level", 1),)
"""For programs that are many small copies beside their convolutions: quicker to compile, and as
fast, on a CPU. (`xla_cpu_use_fusion_emitters=False` compiled such programs faster still, but it
changed the numbers of some networks, and newer versions do not know it.)"""


@functools.lru_cache
def known(options: Options) -> dict[str, Any]:
    """Those of the options that the compiler of the default backend accepts.

    Versions and backends of XLA know different options and refuse a program that is compiled with
    any other, so each is tried once, on a program that does nothing.

    Args:
        options: names and values.

    Returns:
        For `compiler_options` of `jax.jit` or of a lowered program.
    """
    return {name: value for name, value in options if _is_known(name, value)}


def _is_known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda x: x).lower(0.0).compile(compiler_options={name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True


@functools.lru_cache
def jitted(function: Callable[..., Any], static: tuple[int, ...]) -> Callable[..., Any]:
    """`jax.jit` of a function with the options for convolutions.

    Args:
        function: a function of a module, so that it is compiled once.
        static: positions of its static arguments.

    Returns:
        The compiled function.
    """
    return jax.jit(function, static_argnums=static, compiler_options=known(CONVOLUTIONS))
