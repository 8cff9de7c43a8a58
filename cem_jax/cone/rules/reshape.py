"""reshape: axes split and merged, as in pixel shuffle and unshuffle."""

import math
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from ..graph import Equation, Start
from ..regions import Boxes, Interval
from .base import Rule

Group = tuple[list[int], list[int]]
"""Axes of the operand and of the output that hold the same elements; none has length 1."""


def groups(before: Sequence[int], after: Sequence[int]) -> Iterator[Group]:
    """The finest groups of axes that a reshape takes into each other."""
    sides = [[axis for axis, n in enumerate(shape) if n != 1] for shape in (before, after)]
    while sides[0] and sides[1]:
        taken: Group = ([sides[0].pop(0)], [sides[1].pop(0)])
        sizes = [before[taken[0][0]], after[taken[1][0]]]
        while sizes[0] != sizes[1]:
            side = int(sizes[0] > sizes[1])
            axis = sides[side].pop(0)
            taken[side].append(axis)
            sizes[side] *= (before, after)[side][axis]
        yield taken


class Reshape(Rule):
    """Windows run along the outermost axis of each group; its other axes are computed in full."""

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Rows of each group between the first and the last element that change."""
        return self._map(eq.in_shapes[0], eq.out_shapes[0], box)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Rows of each group between the first and the last element that are needed."""
        return self._map(eq.out_shapes[0], eq.in_shapes[0], box)

    def _map(self, before: Sequence[int], after: Sequence[int], box: Boxes) -> Boxes:
        reach: list[Interval] = [(0, n) for n in after]
        for sources, targets in groups(before, after):
            if len(sources) == len(targets) == 1:
                reach[targets[0]] = box.axis(sources[0])
                continue
            first, last = np.int64(0), np.int64(0)
            for axis in sources:
                lo, hi = box.axis(axis)
                first, last = first * before[axis] + lo, last * before[axis] + hi - 1
            row = math.prod(after[axis] for axis in targets[1:])
            reach[targets[0]] = first // row, last // row + 1
        return Boxes.stack(reach, box.some)

    def align(self, eq: Equation) -> tuple[int, ...]:
        """Whole rows of the operand, and whole inner axes."""
        before, after = eq.in_shapes[0], eq.out_shapes[0]
        align = [1] * len(after)
        for sources, targets in groups(before, after):
            if len(sources) == len(targets) == 1:
                continue
            row = math.prod(before[axis] for axis in sources[1:])
            own = math.prod(after[axis] for axis in targets[1:])
            align[targets[0]] = row // math.gcd(row, own)
            for axis in targets[1:]:
                align[axis] = after[axis]
        return tuple(align)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The same elements in the window's shape."""
        return operands[0].reshape(size)
