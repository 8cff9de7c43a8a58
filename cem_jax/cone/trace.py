"""From a function to its graph: calls inlined, loops over local bodies unrolled.

A jaxpr may hold the same inner jaxpr at many call sites (relu, gelu), so every value gets a number
of its own at each of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .builder import Builder
from .factors import apart
from .graph import Graph, Known
from .jaxpr import Loop, binder, called, is_literal, loop, misread, opened, outputs, placed
from .rewrite import REWRITES
from .rules import RULES

_MOST_UNROLLED = 20_000
"""Equations up to which a loop is unrolled."""


class _Tracer(Builder):
    """Appends jaxprs; loops over local bodies are unrolled if `loops`."""

    def __init__(self, loops: bool) -> None:
        super().__init__()
        self.loops = loops

    def inline(self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Appends a jaxpr's equations; returns its outputs."""
        env: dict[Any, int | Known] = {}
        for var, const in zip(jaxpr.constvars, consts, strict=True):
            env[var] = self.constant(const)
        env.update(zip(jaxpr.invars, inputs, strict=True))

        def look(atom: Any) -> int | Known:
            if is_literal(atom):
                return self.constant(atom.val)
            return env[atom]

        around = self.scope
        for eqn in jaxpr.eqns:
            self.scope = placed(around, eqn)
            results = self.equation(eqn, [look(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, results, strict=True))
        self.scope = around
        return [look(atom) for atom in jaxpr.outvars]

    def equation(self, eqn: Any, inputs: list[int | Known]) -> Sequence[int | Known]:
        name, depends, made = eqn.primitive.name, self.leans(inputs), outputs(eqn)
        inner = called(eqn)
        if inner is not None:
            jaxpr, consts = opened(inner)
            return self.inline(jaxpr, consts, inputs[len(inputs) - len(jaxpr.invars) :])
        if not made:  # a message printed, a check: it gives nothing
            return []
        found = loop(eqn) if depends and self.loops else None
        if found is not None and not found.length:
            empty = [np.zeros(shape, dtype) for shape, dtype in made[found.carried :]]
            carried = inputs[found.consts :][: found.carried]
            return [*carried, *(self.constant(rows) for rows in empty)]
        if found is not None and _unrollable(found):
            return self.unroll(found, inputs)
        if name in REWRITES and depends and not misread(name, eqn.params):
            results = REWRITES[name](self, eqn.params, inputs)
            if results is not None:
                return results
        scalar = all(shape == () for shape, _ in made)
        if scalar and inputs and all(isinstance(i, Known) for i in inputs) and not eqn.effects:
            with jax.ensure_compile_time_eval():  # also while an outer function is traced
                values = binder(eqn)(*(i.value for i in inputs))  # type: ignore[union-attr]
            return [self.constant(value) for value in values]
        bind = binder(eqn)
        if len(made) == 1 or name not in RULES:
            return self.add(name, eqn.params, inputs, made, bind)
        # Rules are for one output; what the others compute again, the compiler finds.
        return [
            self.add(name, eqn.params, inputs, [out], lambda *xs, k=k, **p: [bind(*xs, **p)[k]])[0]
            for k, out in enumerate(made)
        ]

    def unroll(self, found: Loop, inputs: list[int | Known]) -> list[int | Known]:
        consts, carry = inputs[: found.consts], inputs[found.consts :][: found.carried]
        rows = inputs[found.consts + found.carried :]
        order = range(found.length)
        stacks: list[list[Any]] = []
        around = self.scope
        for index in reversed(order) if found.reverse else order:
            self.scope = f"{around}.{index}" if around else str(index)
            taken = [self.take(row, index) for row in rows]  # type: ignore[arg-type]
            out = self.inline(*opened(found.body), [*consts, *carry, *taken])
            carry = out[: found.carried]
            stacks.append(out[found.carried :])
        self.scope = around
        if found.reverse:
            stacks.reverse()
        stacked = [self.stack(rows, 0) for rows in zip(*stacks, strict=True)]
        return [*carry, *stacked]


def _unrollable(found: Loop) -> bool:
    """Whether every operation of a loop's body is local; else the loop is one dense operation."""
    count = _count_local(found.body)
    return count is not None and count * found.length <= _MOST_UNROLLED


def _count_local(jaxpr: Any) -> int | None:
    """Number of equations, or None if one of them has no rule."""
    total = 0
    for eqn in opened(jaxpr)[0].eqns:
        inner, nested = called(eqn), loop(eqn)
        if not eqn.invars or not eqn.outvars:
            continue
        if inner is not None:
            count = _count_local(inner)
        elif nested is not None:
            count = _count_local(nested.body)
            count = None if count is None else count * nested.length
        else:
            name = eqn.primitive.name
            local = name in RULES or name in REWRITES
            count = 1 if local and not misread(name, eqn.params) else None
        if count is None:
            return None
        total += count
    return total


def trace(
    f: Callable[..., jax.Array], params: Any, shape: Sequence[int], dtype: Any, loops: bool = True
) -> Graph:
    """The graph of `f(params, x)`, on factors: see `as_written`, which it comes from."""
    return apart(as_written(f, params, shape, dtype, loops))


def as_written(
    f: Callable[..., jax.Array], params: Any, shape: Sequence[int], dtype: Any, loops: bool = True
) -> Graph:
    """The graph of `f(params, x)`, on axes as the function has them.

    Args:
        f: a pure function with one array as its result.
        params: a pytree of arrays or of their shapes.
        shape: of x.
        dtype: of x.
        loops: whether loops over local bodies are unrolled; else each is one dense operation.

    Raises:
        ValueError: the result is not one array, or does not depend on x.
    """
    image = jax.ShapeDtypeStruct(tuple(shape), dtype)
    closed = jax.make_jaxpr(f)(params, image)
    if len(closed.out_avals) != 1:
        raise ValueError(f"f={f!r}: expected one array as its result, got {len(closed.out_avals)}")
    builder = _Tracer(loops)
    leaves = [builder.value(v.aval.shape, v.aval.dtype, False) for v in closed.jaxpr.invars[:-1]]
    raw = builder.value(shape, closed.jaxpr.invars[-1].aval.dtype, True)

    def same(x: jax.Array, **_: Any) -> list[jax.Array]:
        return [x]

    # The image itself is an equation, so that pasting a patch is the reading of its operand.
    inner = builder.add("copy", {}, [raw], [(shape, builder.dtypes[raw])], same)[0]
    (output,) = builder.inline(closed.jaxpr, closed.consts, [*leaves, inner])
    if not isinstance(output, int) or not builder.depends[output]:
        raise ValueError("the result does not depend on the image")
    return Graph(
        builder.equations, builder.shapes, builder.dtypes, builder.depends, tuple(leaves),
        builder.constants, raw, inner, output,
    )  # fmt: skip
