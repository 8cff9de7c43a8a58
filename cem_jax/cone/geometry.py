"""Where rows and columns of the image lie in every value, also behind operations that see it all.

The function is traced on a much larger image, of which only shapes exist, and single pixels are
followed through it. Where the box that a pixel can change moves with the pixel, row by row or
column by column, at a fixed rate, an axis of the value runs along the image. Where it does not move
at all, everything was brought together: nothing is followed through there, so that what comes
behind shows by its other operands.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .analyse import forward, image_boxes
from .graph import Graph
from .regions import Boxes
from .trace import trace

_LARGE = 2048
"""Rows and columns added for the larger image: most networks' receptive fields are smaller."""

_STEP = 192
"""Pixels between those that are followed: a multiple of most periods, for one phase of all."""


@dataclasses.dataclass(frozen=True)
class Run:
    """How an axis of a value runs along the image.

    Args:
        axis: of the value.
        along: 0 for the image's rows, 1 for its columns.
        rate: elements per pixel.
        first: where the image's first pixel begins.
    """

    axis: int
    along: int
    rate: float
    first: float


def runs(
    f: Callable[..., Any], params: Any, shape: Sequence[int], dtype: Any, graph: Graph
) -> list[tuple[Run, ...]] | None:
    """For every value, the axes that run along the image: one for its rows, one for its columns.

    Args:
        f: `f(params, x)`.
        params: a pytree of arrays or of their shapes.
        shape: of x.
        dtype: of x.
        graph: of f on that shape.

    Returns:
        Nothing for values in which rows or columns are brought together; None if the function is
        another one on a larger image.
    """
    n, h, w, c = shape
    try:
        large = trace(f, params, (n, h + _LARGE, w + _LARGE, c), dtype)
    except Exception:  # a user's function may raise anything on another shape
        return None
    same = [eq.name for eq in large.equations] == [eq.name for eq in graph.equations]
    if not same or any(
        one.outputs != two.outputs or one.inputs != two.inputs
        for one, two in zip(graph.equations, large.equations, strict=True)
        if one.depends and not any(not isinstance(i, int) for i in one.inputs)
    ):
        return None
    middle = np.array([(h + _LARGE) // 2, (w + _LARGE) // 2]) // 64 * 64 + 32
    moves = np.array([(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)]) * _STEP
    pixels = middle - _STEP + moves
    found: list[tuple[Run, ...]] = [() for _ in graph.shapes]
    boxes: list[Boxes | None] = [None] * len(large.shapes)
    boxes[large.raw] = image_boxes(pixels, (1, 1), c)
    found[graph.raw] = _runs(boxes[large.raw], pixels)  # type: ignore[arg-type]
    for eq in large.equations:
        given = [boxes[i] if isinstance(i, int) else None for i in eq.inputs]
        if not eq.depends or all(box is None for box in given):
            continue
        for number, box in zip(eq.outputs, forward(eq, given), strict=True):
            own = _runs(box, pixels)
            if own:
                boxes[number], found[number] = box, own
    return found


def _runs(box: Boxes, pixels: np.ndarray) -> tuple[Run, ...]:
    """The axes along which a box moves with the pixel; nothing where rows or columns are lost."""
    if not box.some.all():
        return ()
    found = []
    middle = (box.lo + box.hi) / 2
    for along, (near, far) in enumerate(((1, 2), (3, 4))):
        moved = middle[[near, far]] - middle[0]
        axes = np.flatnonzero(moved.any(axis=0))
        if len(axes) != 1 or not moved[0, axes[0]] or moved[1, axes[0]] != 2 * moved[0, axes[0]]:
            return ()
        axis = int(axes[0])
        rate = float(moved[0, axis] / _STEP)
        found.append(
            Run(axis, along, rate, float(middle[0, axis] - rate * (pixels[0, along] + 0.5)))
        )
    return tuple(found) if found[0].axis != found[1].axis else ()
