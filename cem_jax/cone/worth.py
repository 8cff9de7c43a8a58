"""Whether a cone is worth its compiling: for a few evaluations the whole image takes less time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .counts import of_whole, to_compile
from .reach import with_params
from .trace import trace

_TIMES = 6.0
"""What a program takes to be compiled, over what counts of it where later runs find it compiled."""


def evaluations_worth_compiling(
    f: Callable[..., jax.Array], shape: Sequence[int], params: Any = None
) -> float:
    """Evaluations of the whole image that take as long as compiling a program of its cone.

    For fewer no cone is worth it, however small: what is compiled for the blocks of one question
    is seldom found again.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; pure, [1, h, w, c] to [1, h', w', c'].
        shape: of x.
        params: a pytree of arrays or of their shapes.
    """
    call = with_params(f, params)
    graph = trace(call, params, tuple(shape), jnp.float32)
    compiling = _TIMES * sum(to_compile(eq) for eq in graph.equations if eq.depends)
    return compiling / max(of_whole(graph), 1.0)
