"""Multiply-adds: of one operation on windows, of a whole image, of both cones intersected."""

import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Float64, Integer

from .analyse import intersections
from .graph import Equation, Graph
from .jaxpr import called, misread, within
from .regions import Boxes
from .rules import RULES, rule_for

COMPILE = 0.35e9
"""Multiply-adds that a further program must save for each of its convolutions and matrix products.

One is compiled in the time of six times as many; later maps and runs find it compiled.
"""

ELEMENT = 8.0
"""Multiply-adds in whose time an element of any operation is read and written (on a CPU)."""


def multiply_adds(
    eq: Equation, sizes: Integer[np.ndarray, "*positions rank"], elements: float = 0.0
) -> Float64[np.ndarray, "*positions"]:
    """Multiply-adds of an operation on windows.

    Args:
        eq: the operation; a global one counts its matrix products and convolutions.
        sizes: lengths of the first output's windows, int [..., rank].
        elements: what an element counts besides.

    Returns:
        float [...].
    """
    rule, count = rule_for(eq), np.asarray(np.prod(sizes, axis=-1, dtype=np.float64))
    if rule is None:
        return np.asarray(np.where(count > 0, _of_loops(eq.params), 0.0) + count * elements)
    return np.asarray(count * (rule.multiply_adds(eq) + elements))


def _of_loops(params: Mapping[str, Any]) -> float:
    """Multiply-adds of the jaxprs that a global operation (a loop) runs."""
    total = 0.0
    for eqn in within(params):
        inner, name = called(eqn), eqn.primitive.name
        total += _of_loops(eqn.params if inner is None else {"jaxpr": inner})
        if name in ("conv_general_dilated", "dot_general") and not misread(name, eqn.params):
            shapes = tuple(v.aval.shape for v in eqn.invars)
            like = SimpleNamespace(params=eqn.params, in_shapes=shapes)
            each = RULES[name].multiply_adds(like)  # type: ignore[arg-type]
            total += each * math.prod(eqn.outvars[0].aval.shape)
    return total * params.get("length", 1)


def of_whole(graph: Graph) -> float:
    """Multiply-adds of the function on a whole image."""
    used = [eq for eq in graph.equations if eq.depends]
    return float(sum(multiply_adds(eq, np.asarray(eq.out_shapes[0], np.int64)) for eq in used))


def to_compile(eq: Equation) -> float:
    """Multiply-adds that a further program must save for an operation; see `COMPILE`."""
    rule = rule_for(eq)
    return COMPILE * (0.1 + (rule is None or rule.multiply_adds(eq) > 0))


def of_both_cones(
    graph: Graph, reach: Sequence[Boxes | None], region: Sequence[Boxes]
) -> Float64[np.ndarray, " positions"]:
    """Multiply-adds of the exact intersections of both cones, float [positions].

    Args:
        graph: the function.
        reach: of `footprints`.
        region: of `needs`, with a single position.
    """
    total = np.zeros(1)
    for eq in graph.equations:
        sizes = intersections(eq, reach, region)
        if sizes is not None:
            total = total + multiply_adds(eq, sizes)
    return total
