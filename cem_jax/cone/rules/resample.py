"""Resizing: outputs along one axis that take a few indices of an operand's axis each.

`jax.image.resize` multiplies each side by a matrix whose entries are zero but in a band, `jnp.take`
picks rows by a list. What the image cannot change, matrix or list, is known when the graph is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..graph import Band, Equation, Start
from ..regions import Boxes
from .axes import Dot
from .base import Rule


def find_band(
    params: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]],
    out: tuple[int, ...],
    operand: int,
    matrix: np.ndarray,
) -> Band | None:
    """The band of a product by a known matrix; None if it is not a resizing.

    An output takes the indices between its first and its last weight.

    Args:
        params: of dot_general.
        shapes: of both operands.
        out: shape of the output.
        operand: number of the operand that depends on the image.
        matrix: the other.
    """
    contracted, batch = params["dimension_numbers"]
    if matrix.ndim != 2 or len(contracted[0]) != 1 or batch[0]:
        return None
    weights = matrix != 0 if contracted[1 - operand][0] else matrix.T != 0  # [outputs, indices]
    length, some = weights.shape[1], weights.any(axis=1)
    if not some.any():
        return None
    # An output that takes nothing must not widen the band.
    lo = np.where(some, weights.argmax(axis=1), length - 1)
    hi = np.where(some, length - weights[:, ::-1].argmax(axis=1), 1)
    lo = np.minimum.accumulate(lo[::-1])[::-1].astype(np.int64)
    hi = np.maximum.accumulate(hi).astype(np.int64)
    axis = int(contracted[operand][0])
    band = Band(axis, len(out) - 1 if operand == 0 else 0, shapes[operand][axis], lo, hi)
    return band if band.width < band.length else None


class Blend(Dot):
    """dot_general by a matrix that is a band."""

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Along the band, outputs that take something of the box."""
        band, reach = _band(eq), super().forward(eq, index, box)
        intervals = [reach.axis(k) for k in range(reach.rank)]
        intervals[band.out] = band.forward(box.axis(band.axis))
        return Boxes.stack(intervals, box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Along the band, what the outputs take, of both operands."""
        band, part = _band(eq), super().need(eq, index, box)
        intervals = [part.axis(k) for k in range(part.rank)]
        axis = eq.params["dimension_numbers"][0][index][0]
        intervals[axis] = band.need(box.axis(band.out))
        return Boxes.stack(intervals, box.some)

    def multiply_adds(self, eq: Equation) -> float:
        """The width of the band."""
        return float(_band(eq).width)


class Pick(Rule):
    """Rows along one axis by indices that are known: no primitive, `Builder.pick` writes it."""

    placed = True

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The rows picked from the box."""
        band: Band = eq.params["band"]
        intervals = [box.axis(k) for k in range(box.rank)]
        intervals[band.out] = band.forward(box.axis(band.axis))
        return Boxes.stack(intervals, box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The rows between the first and the last that are picked."""
        band: Band = eq.params["band"]
        intervals = [box.axis(k) for k in range(box.rank)]
        intervals[band.axis] = band.need(box.axis(band.out))
        return Boxes.stack(intervals, box.some)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The same rows, counted from the first of the part."""
        (x,), band = operands, eq.params["band"]
        start, rows = starts[band.out], jnp.asarray(eq.params["rows"], jnp.int32)
        own = lax.dynamic_slice(rows, [start], [size[band.out]], allow_negative_indices=False)
        return eq.bind(x, rows=own - band.first(start, x.shape[band.axis]))[0]


def _band(eq: Equation) -> Band:
    assert eq.band is not None  # or there is no such rule: `rule_for`
    return eq.band
