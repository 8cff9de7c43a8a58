"""What a rule says of a primitive."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ..graph import Equation, Start
from ..regions import Boxes


class Rule:
    """Locality of an operation with one output, and its evaluation on a window.

    Windows given to `need` and `evaluate` have corners at multiples of `align`, one size for all
    positions, and may leave the array; what is computed beyond its border is thrown away.
    """

    placed = False
    """Whether `evaluate` asks where its window lies."""

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The outputs that change at most if operand `index` changes inside `box`."""
        raise NotImplementedError

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The part of operand `index` that outputs in `box` need; it may leave the operand."""
        raise NotImplementedError

    def align(self, eq: Equation) -> tuple[int, ...]:
        """For each axis of the output, what corners of windows are multiples of."""
        return (1,) * len(eq.out_shapes[0])

    def fill(self, eq: Equation, index: int) -> Any:
        """The value that stands beyond the border of operand `index`; None if it has no effect."""
        return None

    def multiply_adds(self, eq: Equation) -> float:
        """Multiply-adds for one element of the output."""
        return 0.0

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The output's window of that size, from what `need` says of each operand.

        Args:
            eq: the operation.
            size: of the window.
            starts: first index of the window on each axis.
            operands: the parts of the operands.
        """
        raise NotImplementedError


def is_whole(interval: tuple[np.ndarray, np.ndarray], length: int) -> bool:
    """Whether an interval is all of an axis, at every position."""
    return bool(((interval[0] == 0) & (interval[1] == length)).all())
