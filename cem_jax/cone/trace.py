"""From a function to its graph: calls inlined, loops over local bodies unrolled.

A jaxpr may hold the same inner jaxpr at many call sites (relu, gelu), so every value gets a number
of its own at each of them.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .graph import Equation, Graph, Known
from .jaxpr import Loop, binder, called, is_literal, is_traced, loop, misread, opened, outputs
from .known import computed
from .rules import RESAMPLING, RULES, find_band

_REWRITTEN = ("split", "stack", "tile", "unstack")
"""Primitives that are written as slices, broadcasts and concatenations."""

_MOST_UNROLLED = 20_000
"""Equations up to which a loop is unrolled."""


class _Builder:
    def __init__(self, loops: bool) -> None:
        self.loops = loops
        self.equations: list[Equation] = []
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[np.dtype] = []
        self.depends: list[bool] = []
        self.fixed: set[int] = set()
        self.constants: dict[int, Any] = {}

    def value(self, shape: Sequence[int], dtype: Any, depends: bool) -> int:
        self.shapes.append(tuple(int(n) for n in shape))
        self.dtypes.append(dtype)
        self.depends.append(depends)
        return len(self.shapes) - 1

    def add(
        self,
        name: str,
        params: Mapping[str, Any],
        inputs: Sequence[int | Known],
        outputs: Sequence[tuple[Sequence[int], Any]],
        bind: Callable[..., Sequence[jax.Array]],
    ) -> list[int]:
        """Appends an operation; outputs are given as (shape, dtype)."""
        depends = any(isinstance(i, int) and self.depends[i] for i in inputs)
        numbers = [self.value(shape, dtype, depends) for shape, dtype in outputs]
        shapes = [self.shapes[i] if isinstance(i, int) else () for i in inputs]
        first = inputs[0] if inputs else None
        dtype = self.dtypes[first] if isinstance(first, int) else np.dtype("float32")
        out_shapes = tuple(self.shapes[n] for n in numbers)
        if all(isinstance(i, Known) or i in self.fixed for i in inputs):
            self.fixed.update(numbers)
        unclear = misread(name, params) if name in RULES or name in RESAMPLING else ()
        band = None
        if name in RESAMPLING and depends and not unclear:
            known = [i in self.fixed for i in inputs]
            if any(known):
                number: Any = inputs[known.index(True)]
                matrix = computed(number, self.equations, self.constants)
                band = find_band(name, params, shapes, out_shapes[0], known.index(False), matrix)
        self.equations.append(
            Equation(
                name, params, tuple(inputs), tuple(numbers), bind, tuple(shapes), out_shapes, dtype,
                depends, band, unclear,
            )
        )  # fmt: skip
        return numbers

    def cut(self, value: int, axis: int, start: int, length: int) -> int:
        """value[start : start + length] along an axis."""
        shape = list(self.shapes[value])
        starts = [0] * len(shape)
        starts[axis] = start
        limits = list(shape)
        limits[axis] = start + length
        shape[axis] = length
        params = {"start_indices": tuple(starts), "limit_indices": tuple(limits), "strides": None}

        def bind(x: jax.Array, **changed: Any) -> list[jax.Array]:
            own = {**params, **changed}
            return [jax.lax.slice(x, own["start_indices"], own["limit_indices"], own["strides"])]

        return self.add("slice", params, [value], [(shape, self.dtypes[value])], bind)[0]

    def take(self, value: int, index: int, axis: int = 0) -> int:
        """value[index] along an axis."""
        row = self.cut(value, axis, index, 1)

        def bind(x: jax.Array, **_: Any) -> list[jax.Array]:
            return [jax.lax.squeeze(x, (axis,))]

        shape = self.shapes[value]
        out = [(shape[:axis] + shape[axis + 1 :], self.dtypes[value])]
        return self.add("squeeze", {"dimensions": (axis,)}, [row], out, bind)[0]

    def join(self, values: Sequence[int], axis: int) -> int:
        """The values one behind the other along an axis."""

        def bind(*xs: jax.Array, **_: Any) -> list[jax.Array]:
            return [jax.lax.concatenate(xs, axis)]

        shape = list(self.shapes[values[0]])
        shape[axis] = sum(self.shapes[value][axis] for value in values)
        out = [(shape, self.dtypes[values[0]])]
        return self.add("concatenate", {"dimension": axis}, values, out, bind)[0]

    def stack(self, values: Sequence[int | Known], axis: int) -> int:
        """The values as rows along a new axis."""
        rows = []
        for value in map(self.solid, values):
            old = self.shapes[value]
            axes = tuple(k + (k >= axis) for k in range(len(old)))

            def bind(
                x: jax.Array, *, shape: Sequence[int], axes: Sequence[int] = axes, **_: Any
            ) -> list[jax.Array]:
                return [jax.lax.broadcast_in_dim(x, tuple(shape), axes)]

            shape = (*old[:axis], 1, *old[axis:])
            params = {"shape": shape, "broadcast_dimensions": axes}
            bound = functools.partial(bind, shape=shape)
            rows += self.add(
                "broadcast_in_dim", params, [value], [(shape, self.dtypes[value])], bound
            )
        return self.join(rows, axis)

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

        for eqn in jaxpr.eqns:
            results = self.equation(eqn, [look(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, results, strict=True))
        return [look(atom) for atom in jaxpr.outvars]

    def constant(self, value: Any) -> int | Known:
        if np.ndim(value) == 0 and not is_traced(value):
            return Known(np.asarray(value))
        number = self.value(np.shape(value), jnp.result_type(value), False)
        self.constants[number] = value
        if not is_traced(value):
            self.fixed.add(number)
        return number

    def equation(self, eqn: Any, inputs: list[int | Known]) -> list[int | Known]:
        name = eqn.primitive.name
        depends = any(isinstance(i, int) and self.depends[i] for i in inputs)
        inner = called(eqn)
        if inner is not None:
            jaxpr, consts = opened(inner)
            return self.inline(jaxpr, consts, inputs[len(inputs) - len(jaxpr.invars) :])
        found = loop(eqn) if depends and self.loops else None
        if found is not None and _unrollable(found):
            return self.unroll(found, inputs)
        if name in _REWRITTEN and depends and not misread(name, eqn.params):
            return list(self.rewrite(name, eqn.params, inputs))
        scalar = all(v.aval.shape == () for v in eqn.outvars)
        if scalar and inputs and all(isinstance(i, Known) for i in inputs) and not eqn.effects:
            with jax.ensure_compile_time_eval():  # also while an outer function is traced
                values = binder(eqn)(*(i.value for i in inputs))
            return [Known(np.asarray(v)) for v in values]
        return list(self.add(name, eqn.params, inputs, outputs(eqn), binder(eqn)))

    def rewrite(self, name: str, params: Any, inputs: Sequence[Any]) -> Sequence[int]:
        """Operations that are others in disguise."""
        whole, axis = inputs[0], params.get("axis", 0)
        if name == "stack":
            return [self.stack(inputs, axis)]
        if name == "unstack":
            return [self.take(whole, k, axis) for k in range(self.shapes[whole][axis])]
        if name == "tile":
            for along, count in enumerate(params["reps"]):
                whole = whole if count == 1 else self.join([whole] * int(count), along)
            return [whole]
        sizes = [int(n) for n in params["sizes"]]
        starts = np.cumsum([0, *sizes[:-1]]).tolist()
        return [self.cut(whole, axis, s, n) for s, n in zip(starts, sizes, strict=True)]

    def unroll(self, found: Loop, inputs: list[int | Known]) -> list[int | Known]:
        consts, carry = inputs[: found.consts], inputs[found.consts :][: found.carried]
        rows = inputs[found.consts + found.carried :]
        order = range(found.length)
        stacks: list[list[Any]] = []
        for index in reversed(order) if found.reverse else order:
            taken = [self.take(row, index) for row in rows]  # type: ignore[arg-type]
            out = self.inline(*opened(found.body), [*consts, *carry, *taken])
            carry = out[: found.carried]
            stacks.append(out[found.carried :])
        if found.reverse:
            stacks.reverse()
        stacked = [self.stack(rows, 0) for rows in zip(*stacks, strict=True)]
        return [*carry, *stacked]

    def solid(self, value: int | Known) -> int:
        """A number for a value that may be a known scalar."""
        if isinstance(value, int):
            return value
        number = self.value((), value.value.dtype, False)
        self.constants[number] = value.value
        self.fixed.add(number)
        return number


def _unrollable(found: Loop) -> bool:
    """Whether every operation of a loop's body is local; else the loop is one dense operation."""
    count = _count_local(found.body)
    return count is not None and count * found.length <= _MOST_UNROLLED


def _count_local(jaxpr: Any) -> int | None:
    """Number of equations, or None if one of them has no rule."""
    total = 0
    for eqn in opened(jaxpr)[0].eqns:
        inner, nested = called(eqn), loop(eqn)
        if not eqn.invars:
            continue
        if inner is not None:
            count = _count_local(inner)
        elif nested is not None:
            count = _count_local(nested.body)
            count = None if count is None else count * nested.length
        else:
            name = eqn.primitive.name
            local = name in RULES or name in _REWRITTEN
            count = 1 if local and not misread(name, eqn.params) else None
        if count is None:
            return None
        total += count
    return total


def trace(
    f: Callable[..., jax.Array], params: Any, shape: Sequence[int], dtype: Any, loops: bool = True
) -> Graph:
    """The graph of `f(params, x)`.

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
    builder = _Builder(loops)
    leaves = [builder.value(v.aval.shape, v.aval.dtype, False) for v in closed.jaxpr.invars[:-1]]
    raw = builder.value(shape, closed.jaxpr.invars[-1].aval.dtype, True)

    def same(x: jax.Array, **_: Any) -> list[jax.Array]:
        return [x]

    # The image itself is an equation, so that pasting a patch is the reading of its operand.
    inner = builder.add("copy", {}, [raw], [(shape, builder.dtypes[raw])], same)[0]
    (output,) = builder.inline(closed.jaxpr, closed.consts, [*leaves, inner])
    if not isinstance(output, int) or not builder.depends[output]:
        raise ValueError(f"f={f!r}: the result does not depend on x")
    return Graph(
        builder.equations, builder.shapes, builder.dtypes, builder.depends, tuple(leaves),
        builder.constants, raw, inner, output,
    )  # fmt: skip
