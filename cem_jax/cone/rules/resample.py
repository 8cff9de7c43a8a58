"""Resizing: outputs along one axis that take a few indices of an operand's axis each.

`jax.image.resize` multiplies each side by a matrix whose entries are zero but in a band, `jnp.take`
picks rows by a list. What the image cannot change, matrix or list, is known when the graph is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..graph import Band, Equation, Start
from ..regions import Boxes
from .axes import Dot
from .base import Rule


def find_band(
    name: str,
    params: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]],
    out: tuple[int, ...],
    operand: int,
    known: np.ndarray,
) -> Band | None:
    """The band of an operation whose other operand is known; None if it is not a resizing.

    Args:
        name: "dot_general" or "gather".
        params: of the primitive.
        shapes: of both operands.
        out: shape of the output.
        operand: number of the operand that depends on the image.
        known: value of the other.
    """
    found = (_blended if name == "dot_general" else _picked)(params, shapes, out, operand, known)
    if found is None:
        return None
    axis, along, lo, hi = found
    lo = np.minimum.accumulate(lo[::-1])[::-1].astype(np.int64)
    hi = np.maximum.accumulate(hi).astype(np.int64)
    band = Band(axis, along, shapes[operand][axis], lo, hi)
    return band if len(lo) and band.width < band.length else None


_Found = tuple[int, int, np.ndarray, np.ndarray] | None


def _blended(params: Any, shapes: Any, out: Any, operand: int, matrix: np.ndarray) -> _Found:
    """Sums by a matrix: an output takes the indices between its first and last weight."""
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
    along = len(out) - 1 if operand == 0 else 0
    return int(contracted[operand][0]), along, lo, hi


def _picked(params: Any, shapes: Any, out: Any, operand: int, index: np.ndarray) -> _Found:
    """Rows by a list of indices along one axis, as `jnp.take` picks them."""
    dims, shape = params["dimension_numbers"], shapes[0]
    if operand or len(dims.start_index_map) != 1 or index.ndim != 2 or index.shape[1] != 1:
        return None
    axis = int(dims.start_index_map[0])
    others = tuple(k for k in range(len(shape)) if k != axis)
    sizes = tuple(1 if k == axis else n for k, n in enumerate(shape))
    rows = index[:, 0].astype(np.int64)
    if params["mode"] == jax.lax.GatherScatterMode.CLIP:
        rows = np.clip(rows, 0, shape[axis] - 1)
    fits = (
        tuple(dims.collapsed_slice_dims) == (axis,)
        and tuple(dims.offset_dims) == others
        and tuple(params["slice_sizes"]) == sizes
        and not dims.operand_batching_dims
        and bool(((rows >= 0) & (rows < shape[axis])).all())
    )
    return (axis, axis, rows, rows + 1) if fits else None


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
    """gather of rows along one axis by indices that are known."""

    placed = True

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The rows picked from the box."""
        band = _band(eq)
        intervals = [box.axis(k) for k in range(box.rank)]
        intervals[band.out] = band.forward(box.axis(band.axis))
        return Boxes.stack(intervals, box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The rows between the first and the last that are picked; their indices."""
        band = _band(eq)
        if index:
            return Boxes.stack([box.axis(band.out), (0, 1)], box.some)
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
        (x, rows), band = operands, _band(eq)
        own = rows - band.first(starts[band.out], x.shape[band.axis]).astype(rows.dtype)
        sizes = tuple(1 if k == band.axis else n for k, n in enumerate(x.shape))
        return eq.bind(x, own, slice_sizes=sizes)[0]


def _band(eq: Equation) -> Band:
    assert eq.band is not None  # or there is no such rule: `rule_for`
    return eq.band


RESAMPLING: dict[str, Rule] = {"dot_general": Blend(), "gather": Pick()}
"""By primitive; for equations that have a band."""
