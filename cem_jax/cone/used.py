"""Which arguments of a function its result depends on."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from .jaxpr import called, is_literal, opened


def used_arguments(function: Callable[..., Any], *shapes: Any) -> list[bool]:
    """Of each leaf of a function's arguments, whether the result may depend on it.

    Args:
        function: pure, of JAX.
        *shapes: pytrees of `jax.ShapeDtypeStruct`.
    """
    jaxpr, _ = opened(jax.make_jaxpr(function)(*shapes))
    return _used(jaxpr, [True] * len(jaxpr.outvars))


def _used(jaxpr: Any, wanted: Sequence[bool]) -> list[bool]:
    """Of each argument, whether one of the wanted results depends on it."""
    live = {v for v, is_wanted in zip(jaxpr.outvars, wanted, strict=True)
            if is_wanted and not is_literal(v)}  # fmt: skip
    for eqn in reversed(jaxpr.eqns):
        made = [var in live for var in eqn.outvars]
        if not any(made):
            continue
        inner = called(eqn)
        own = list(eqn.invars)
        if inner is not None:  # which may leave some of its operands alone
            inner, _ = opened(inner)
            read = _used(inner, made)
            first = len(own) - len(read)
            own = own[:first] + [v for v, is_read in zip(own[first:], read, strict=True) if is_read]
        live.update(v for v in own if not is_literal(v))
    return [var in live for var in jaxpr.invars]
