"""A graph in the making: equations are appended, and few operations stand for many."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .graph import Band, Equation, Known
from .jaxpr import is_traced, misread
from .known import computed
from .rules import RULES, find_band

_FEW = 8
"""Runs of indices up to which picking is slicing and joining."""


def is_key(value: Any) -> bool:
    """Whether an array holds keys of random numbers, which are no numbers."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


class Builder:
    """Equations and values so far; values have numbers."""

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[np.dtype] = []
        self.depends: list[bool] = []
        self.fixed: set[int] = set()
        self.made: dict[int, Equation] = {}
        self.constants: dict[int, Any] = {}
        self.scope = ""

    def value(self, shape: Sequence[int], dtype: Any, depends: bool) -> int:
        """A new value's number."""
        self.shapes.append(tuple(int(n) for n in shape))
        self.dtypes.append(dtype)
        self.depends.append(depends)
        return len(self.shapes) - 1

    def constant(self, value: Any) -> int | Known:
        """A value that the function closes over, or a known scalar."""
        if np.ndim(value) == 0 and not is_traced(value) and not is_key(value):
            return Known(np.asarray(value))
        dtype = value.dtype if is_key(value) else jnp.result_type(value)
        number = self.value(np.shape(value), dtype, False)
        self.constants[number] = value
        if not is_traced(value):
            self.fixed.add(number)
        return number

    def solid(self, value: int | Known) -> int:
        """A number for a value that may be a known scalar."""
        if isinstance(value, int):
            return value
        number = self.value((), value.value.dtype, False)
        self.constants[number] = value.value
        self.fixed.add(number)
        return number

    def known(self, value: int | Known) -> np.ndarray | None:
        """An array that neither image nor parameters enter; None if they do."""
        if isinstance(value, Known):
            return value.value
        if value not in self.fixed:
            return None
        return computed(value, self.equations, self.constants)

    def leans(self, inputs: Sequence[int | Known]) -> bool:
        """Whether any of the inputs depends on the image."""
        return any(isinstance(i, int) and self.depends[i] for i in inputs)

    def add(
        self,
        name: str,
        params: Mapping[str, Any],
        inputs: Sequence[int | Known],
        outputs: Sequence[tuple[Sequence[int], Any]],
        bind: Callable[..., Sequence[jax.Array]],
    ) -> list[int]:
        """Appends an operation; outputs are given as (shape, dtype)."""
        depends = self.leans(inputs)
        numbers = [self.value(shape, dtype, depends) for shape, dtype in outputs]
        shapes = tuple(self.shapes[i] if isinstance(i, int) else () for i in inputs)
        first = inputs[0] if inputs else None
        dtype = self.dtypes[first] if isinstance(first, int) else np.dtype("float32")
        out_shapes = tuple(self.shapes[n] for n in numbers)
        if all(isinstance(i, Known) or i in self.fixed for i in inputs):
            self.fixed.update(numbers)
        unclear = misread(name, params) if name in RULES else ()
        band = None
        if depends and not unclear:
            band = self._band(name, params, inputs, shapes, out_shapes)
        made = Equation(
            name, params, tuple(inputs), tuple(numbers), bind, shapes, out_shapes, dtype,
            depends, band, unclear, self.scope,
        )  # fmt: skip
        self.equations.append(made)
        self.made.update(dict.fromkeys(numbers, made))
        return numbers

    def _band(
        self, name: str, params: Any, inputs: Sequence[Any], shapes: Any, out_shapes: Any
    ) -> Band | None:
        if name != "dot_general":
            return None
        known = [i in self.fixed for i in inputs]
        if not any(known):
            return None
        matrix = computed(inputs[known.index(True)], self.equations, self.constants)
        return find_band(params, shapes, out_shapes[0], known.index(False), matrix)

    def one(
        self,
        name: str,
        params: Mapping[str, Any],
        inputs: Sequence[int | Known],
        shape: Sequence[int],
        call: Callable[..., jax.Array],
    ) -> int:
        """An operation with one output, of the first input's dtype.

        Args:
            name: of its rule.
            params: that the rule reads; `call` takes those that depend on a window's size.
            inputs: numbers of values, or known scalars.
            shape: of the output.
            call: from the inputs and the parameters.
        """

        def bind(*xs: jax.Array, **changed: Any) -> list[jax.Array]:
            return [call(*xs, **{**params, **changed})]

        dtype = self.dtypes[inputs[0]]  # type: ignore[index]
        return self.add(name, params, inputs, [(shape, dtype)], bind)[0]

    def cut(self, value: int, axis: int, start: int, length: int) -> int:
        """value[start : start + length] along an axis; of a joined one, the parts' own pieces."""
        whole = self.shapes[value]
        shape = (*whole[:axis], length, *whole[axis + 1 :])
        if shape == whole:
            return value
        if length and self.is_joined(value, axis):
            return self._cut_joined(value, axis, start, length)
        starts = tuple(start if k == axis else 0 for k in range(len(shape)))
        limits = tuple(a + n for a, n in zip(starts, shape, strict=True))
        params = {"start_indices": starts, "limit_indices": limits, "strides": None}
        return self.one("slice", params, [value], shape, lax.slice)

    def is_joined(self, value: int, axis: int) -> bool:
        """Whether a value is others, one behind the other along an axis."""
        made = self.made.get(value)
        return (
            made is not None
            and made.name == "concatenate"
            and not made.misread
            and made.params["dimension"] == axis
        )

    def _cut_joined(self, value: int, axis: int, start: int, length: int) -> int:
        """What is cut off must not count: an image beside its mirror image is near all of it."""
        parts = []
        for part in map(self.solid, self.made[value].inputs):
            own = self.shapes[part][axis]
            first, end = max(start, 0), min(start + length, own)
            if first < end:
                parts.append(self.cut(part, axis, first, end - first))
            start -= own
        return parts[0] if len(parts) == 1 else self.join(parts, axis)

    def take(self, value: int, index: int, axis: int = 0) -> int:
        """value[index] along an axis."""
        row, shape = self.cut(value, axis, index, 1), self.shapes[value]
        out = shape[:axis] + shape[axis + 1 :]
        return self.one("squeeze", {"dimensions": (axis,)}, [row], out, lax.squeeze)

    def join(self, values: Sequence[int], axis: int) -> int:
        """The values one behind the other along an axis."""
        shape = list(self.shapes[values[0]])
        shape[axis] = sum(self.shapes[value][axis] for value in values)

        def call(*xs: jax.Array, dimension: int) -> jax.Array:
            return lax.concatenate(xs, dimension)

        return self.one("concatenate", {"dimension": axis}, values, shape, call)

    def stack(self, values: Sequence[int | Known], axis: int) -> int:
        """The values as rows along a new axis."""
        rows = []
        for value in map(self.solid, values):
            old = self.shapes[value]
            shape = (*old[:axis], 1, *old[axis:])
            axes = tuple(k + (k >= axis) for k in range(len(old)))
            params = {"shape": shape, "broadcast_dimensions": axes}
            rows.append(self.one("broadcast_in_dim", params, [value], shape, lax.broadcast_in_dim))
        return self.join(rows, axis)

    def reshape(self, value: int, shape: Sequence[int]) -> int:
        """The same elements in another shape."""
        if tuple(shape) == self.shapes[value]:
            return value
        params = {"new_sizes": tuple(shape), "dimensions": None}
        return self.one("reshape", params, [value], shape, lax.reshape)

    def transpose(self, value: int, permutation: Sequence[int]) -> int:
        """The axes in another order."""
        if list(permutation) == list(range(len(permutation))):
            return value
        shape = [self.shapes[value][k] for k in permutation]
        params = {"permutation": tuple(permutation)}
        return self.one("transpose", params, [value], shape, lax.transpose)

    def pick(self, value: int, axis: int, rows: np.ndarray) -> int:
        """value[rows] along an axis, for indices inside it."""
        rows = np.asarray(rows, np.int64)
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        runs = np.split(rows, ends) if len(rows) else [rows]
        ascending = bool((np.diff(rows) >= 0).all())
        if len(runs) == 1 or (not ascending and len(runs) <= _FEW):
            parts = [self.cut(value, axis, int(r[0]) if len(r) else 0, len(r)) for r in runs]
            return parts[0] if len(parts) == 1 else self.join(parts, axis)
        whole = self.shapes[value]
        lo = np.minimum.accumulate(rows[::-1])[::-1]
        hi = np.maximum.accumulate(rows) + 1
        band = Band(axis, axis, whole[axis], lo, hi)
        shape = (*whole[:axis], len(rows), *whole[axis + 1 :])

        def call(x: jax.Array, *, rows: Any, axis: int, band: Band) -> jax.Array:
            return jnp.take(x, rows, axis, mode="clip")

        return self.one("pick", {"rows": rows, "axis": axis, "band": band}, [value], shape, call)
