"""Arrays put together from others: concatenation, and an array written into another."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..graph import Equation, Start
from ..regions import Boxes
from .base import Rule, is_whole


def _index(starts: Sequence[Start], size: Sequence[int], axis: int) -> jax.Array:
    """Index along an axis of every element of a window, broadcastable to it."""
    shape = [n if k == axis else 1 for k, n in enumerate(size)]
    return lax.broadcasted_iota(jnp.int32, shape, axis) + starts[axis]


class Concatenate(Rule):
    """Every operand is read at the window's place; a mask chooses where they meet."""

    placed = True

    def _offset(self, eq: Equation, index: int) -> int:
        axis = eq.params["dimension"]
        return sum(shape[axis] for shape in eq.in_shapes[:index])

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved."""
        by = np.zeros(box.rank, np.int64)
        by[eq.params["dimension"]] = self._offset(eq, index)
        return box.shift(by)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved; all of the operand if the window spans all of the output."""
        axis = eq.params["dimension"]
        if is_whole(box.axis(axis), eq.out_shapes[0][axis]):
            intervals = [box.axis(k) for k in range(box.rank)]
            intervals[axis] = (np.zeros(1, np.int64), np.full(1, eq.in_shapes[index][axis]))
            return Boxes.stack(intervals, box.some)
        by = np.zeros(box.rank, np.int64)
        by[axis] = -self._offset(eq, index)
        return box.shift(by)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """Concatenated if whole, else chosen by index."""
        axis = eq.params["dimension"]
        if size[axis] == eq.out_shapes[0][axis]:
            return lax.concatenate(operands, axis)
        index, out = _index(starts, size, axis), operands[0]
        for k, operand in enumerate(operands[1:], 1):
            mask = jnp.broadcast_to(index >= self._offset(eq, k), size)
            out = lax.select(mask, operand, out)
        return out


class Update(Rule):
    """dynamic_update_slice at indices that are known."""

    placed = True

    def _corner(self, eq: Equation) -> np.ndarray:
        return corner(eq, 2, eq.in_shapes[1])

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved for the array that is written."""
        return box.shift(self._corner(eq)) if index == 1 else box

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved for the array that is written."""
        if index > 1:
            return Boxes.stack([], box.some)
        return box.shift(-self._corner(eq)) if index == 1 else box

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """Chosen by index."""
        mask = jnp.ones(size, bool)
        lengths = eq.in_shapes[1]
        for axis, (first, n) in enumerate(zip(self._corner(eq).tolist(), lengths, strict=True)):
            index = _index(starts, size, axis)
            mask = mask & jnp.broadcast_to((index >= first) & (index < first + n), size)
        return lax.select(mask, operands[1], operands[0])


class Cut(Rule):
    """dynamic_slice at indices that are known."""

    def _corner(self, eq: Equation) -> np.ndarray:
        return corner(eq, 1, eq.out_shapes[0])

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved."""
        return box.shift(-self._corner(eq))

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved."""
        return Boxes.stack([], box.some) if index else box.shift(self._corner(eq))

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The part itself."""
        return operands[0]


def corner(eq: Equation, first: int, lengths: Sequence[int]) -> np.ndarray:
    """Where a window of these lengths begins: known indices, kept inside as lax keeps them."""
    index = np.asarray([int(i.value) for i in eq.inputs[first:]], np.int64)  # type: ignore[union-attr]
    return np.clip(index, 0, np.asarray(eq.in_shapes[0]) - np.asarray(lengths))
