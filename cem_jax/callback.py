"""A function of the host inside a program of JAX: the one module that knows how JAX calls back."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from jax.experimental.buffer_callback import buffer_callback


@dataclasses.dataclass(frozen=True, eq=False)
class _Written:
    """The function's result in a buffer; an object, so that what it wraps can be asked for."""

    function: Callable[[Any], np.ndarray]

    def __call__(self, context: Any, result: Any, operand: Any) -> None:
        np.asarray(result)[...] = self.function(operand)


def call_on_host(
    function: Callable[[Any], np.ndarray],
    out: jax.ShapeDtypeStruct,
    x: jax.Array,
    vmap_method: Literal["expand_dims", "sequential"],
) -> jax.Array:
    """What a function of numpy makes of an array, on any backend.

    JAX hands `pure_callback` a copy that is made on the very threads which, on CPU devices, may all
    be waiting in callbacks: with large arrays it hangs. `buffer_callback`, which JAX calls
    experimental, copies nothing, but exists on CPUs only.

    Args:
        function: called with `x` as it is; it does not write to it.
        out: shape and dtype of its result.
        x: the array.
        vmap_method: under `jax.vmap`, one call for all ("expand_dims") or one for each.

    Returns:
        The function's result.
    """
    return jax.lax.platform_dependent(
        x,
        cpu=buffer_callback(_Written(function), out, vmap_method=vmap_method),
        default=lambda x: jax.pure_callback(function, out, x, vmap_method=vmap_method),
    )
