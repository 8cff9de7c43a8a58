"""One class of positions as a program of fixed window sizes and offsets that are data.

For every operation the window's size is the largest intersection of the forward and the backward
cone among the class's positions, and each position places it around its own intersection, inside
the array; `pasting` makes some of them larger. Inside a window, what the region needs is exact: an
operand's element lies in the operand's window, or it is one that the intervention cannot change,
and then the baseline has it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64, Integer

from .analyse import at_once, need
from .counts import multiply_adds
from .graph import Equation, Graph, Known
from .pasting import pasted_early
from .regions import Boxes
from .rules import rule_for

Key = tuple[int, Any]
"""A baseline array: the value's number, and what stands beyond its border."""


@dataclasses.dataclass(frozen=True)
class Offset:
    """An index that is fixed for the class, or a column of its positions' offsets."""

    value: int = 0
    column: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Read:
    """How a part of a value is put together from its window and from the baseline.

    Args:
        number: of the value.
        size: of the part.
        cut_at: where the window is cut, on axes on which it always covers the part.
        cut: size of what is cut from the window; None if the value has no window in this class.
        key: baseline array; None if the window covers the part.
        base_at: where the part begins in the baseline array.
        margins: how far the cut window may stand out of the part, before and behind it.
        paste_at: where the cut window lies in the part with its margins.
        through: a broadcast that is done on the spot, and its operand or the reading of that.
    """

    number: int
    size: tuple[int, ...]
    cut_at: tuple[Offset, ...] = ()
    cut: tuple[int, ...] | None = None
    key: Key | None = None
    base_at: tuple[Offset, ...] = ()
    margins: tuple[tuple[int, int], ...] = ()
    paste_at: tuple[Offset, ...] = ()
    through: "tuple[Equation, Read | Known] | None" = None


@dataclasses.dataclass(frozen=True, eq=False)
class Keep:
    """The window of an output: its place in what was computed, and its size."""

    number: int
    at: tuple[Offset, ...]
    size: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One operation on its window.

    Args:
        eq: the operation.
        size: of the window that is computed.
        starts: its first indices, where the operation asks for them.
        reads: the operands.
        keeps: the windows of the outputs.
    """

    eq: Equation
    size: tuple[int, ...]
    starts: tuple[Offset, ...]
    reads: tuple[Read | Known, ...]
    keeps: tuple[Keep, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class WindowProgram:
    """What is compiled for a class.

    Args:
        steps: the operations.
        result: the reading of the region.
        keys: the baseline arrays, in the order in which they are passed.
        multiply_adds: of one evaluation.
    """

    steps: tuple[Step, ...]
    result: Read
    keys: tuple[Key, ...]
    multiply_adds: float


class Planner:
    """Plans one class.

    Args:
        graph: the function.
        blocks: the patches' boxes of the class's positions; they may leave the image.
        reach: of `footprints`, for the class's positions.
        region: of `needs`, with a single position.
    """

    def __init__(
        self, graph: Graph, blocks: Boxes, reach: Sequence[Boxes | None], region: Sequence[Boxes]
    ):
        self.graph = graph
        self.count = len(blocks.some)
        self.parts: list[tuple[np.ndarray, Key | None, int]] = []
        self.seen: dict[tuple[bytes, Key | None, int], int] = {}
        self.extents: dict[Key, Boxes] = {}
        self.spread = {
            number: eq
            for eq in graph.equations
            if not eq.depends and eq.name == "broadcast_in_dim"
            for number in eq.outputs
        }
        self.windows: dict[int, Boxes] = {graph.raw: blocks}
        for number, changed in enumerate(reach):
            if changed is None or number == graph.raw:
                continue
            exact = changed.meet(region[number])
            if exact.some.any():
                size = exact.size().max(axis=0)
                most = np.asarray(graph.shapes[number], np.int64) - size
                self.windows[number] = Boxes.of(np.clip(exact.lo, 0, most), size)
        self.windows |= pasted_early(graph, self.windows)

    def plan(self, roi: Boxes) -> WindowProgram:
        """The program that gives the output's part `roi`."""
        steps, total = [], 0.0
        for eq in self.graph.equations:
            if any(number in self.windows for number in eq.outputs):
                step = self._step(eq)
                steps.append(step)
                total += float(multiply_adds(eq, np.asarray(step.size, np.int64)))
        place = Boxes.of(np.repeat(roi.lo, self.count, axis=0), roi.size()[0])
        result = self._read(self.graph.output, place, None)
        return WindowProgram(tuple(steps), result, tuple(self.extents), total)

    def rows(
        self, origins: dict[Key, Int64[np.ndarray, "..."]]
    ) -> Int32[np.ndarray, "positions columns"]:
        """The positions' offsets, int32 [positions, columns].

        Args:
            origins: first element of each baseline array.
        """
        out = np.zeros((self.count, len(self.parts)), np.int32)
        for column, (index, key, axis) in enumerate(self.parts):
            out[:, column] = index if key is None else index - origins[key][axis]
        return out

    def _step(self, eq: Equation) -> Step:
        # An operation with several outputs is global and computes all of them in full.
        some = next(self.windows[number] for number in eq.outputs if number in self.windows)
        kept = [self.windows.get(number, some) for number in eq.outputs]
        whole, rule = at_once(eq, kept), rule_for(eq)
        reads: list[Read | Known] = []
        for index, number in enumerate(eq.inputs):
            if isinstance(number, Known):
                reads.append(number)
                continue
            fill = rule.fill(eq, index) if rule is not None else None
            part = need(eq, index, whole).evened(self.graph.shapes[number])
            reads.append(self._read(number, part, fill))
        keeps = tuple(
            Keep(number, self._relative(kept[k].lo - whole[k].lo), _size(kept[k]))
            for k, number in enumerate(eq.outputs)
            if number in self.windows
        )
        placed = rule is not None and rule.placed
        starts = self._relative(whole[0].lo) if placed else ()
        return Step(eq, _size(whole[0]), starts, tuple(reads), keeps)

    def _read(self, number: int, part: Boxes, fill: Any) -> Read:
        window, size = self.windows.get(number), _size(part)
        if window is None:
            return self._baseline(number, part, fill)
        lengths, own = np.asarray(size, np.int64), np.asarray(_size(window), np.int64)
        # Where they do not meet, how far they are apart does not matter.
        ahead = np.clip(window.lo - part.lo, -own, lengths)
        covers = ((ahead <= 0) & (ahead + own >= lengths)).all(axis=0)
        cut = np.where(covers, lengths, own)
        cut_at = self._relative(np.where(covers, -ahead, 0))
        if covers.all():
            return Read(number, size, cut_at, tuple(cut.tolist()))
        ahead = np.where(covers, 0, ahead)
        before = np.maximum(-ahead, 0).max(axis=0)
        behind = np.maximum(ahead + cut - lengths, 0).max(axis=0)
        base = self._baseline(number, part, fill)
        return dataclasses.replace(
            base,
            cut_at=cut_at,
            cut=tuple(cut.tolist()),
            margins=tuple(zip(before.tolist(), behind.tolist(), strict=True)),
            paste_at=self._relative(ahead + before),
        )

    def _baseline(self, number: int, part: Boxes, fill: Any) -> Read:
        size, shape = _size(part), np.asarray(self.graph.shapes[number], np.int64)
        inside = fill is None or bool(((part.lo >= 0) & (part.hi <= shape)).all())
        if number in self.spread and inside:
            eq = self.spread[number]
            operand = eq.inputs[0]
            if not isinstance(operand, Known):
                operand = self._baseline(operand, need(eq, 0, [part]), None)
            return Read(number, size, through=(eq, operand))
        key = (number, 0 if fill is None else fill)
        extent = self.extents.get(key, Boxes.nothing(part.rank))
        self.extents[key] = extent.hull(part.union())
        at = tuple(self._column(part.lo[:, axis], key, axis) for axis in range(part.rank))
        return Read(number, size, key=key, base_at=at)

    def _relative(self, index: Integer[np.ndarray, "positions rank"]) -> tuple[Offset, ...]:
        """Offsets int64 [positions, rank]; those equal at all positions are fixed."""
        fixed = (index == index[0]).all(axis=0).tolist()
        return tuple(
            Offset(first) if same else self._column(index[:, axis], None, 0)
            for axis, (first, same) in enumerate(zip(index[0].tolist(), fixed, strict=True))
        )

    def _column(
        self, index: Integer[np.ndarray, " positions"], key: Key | None, axis: int
    ) -> Offset:
        same = (index.tobytes(), key, axis)
        if same not in self.seen:
            self.seen[same] = len(self.parts)
            self.parts.append((np.array(index), key, axis))
        return Offset(column=self.seen[same])


@dataclasses.dataclass(frozen=True, eq=False)
class Programs:
    """What all classes of positions run, and what they read.

    Args:
        all: one program for each class.
        of: which of them each position has, int64 [positions].
        offsets: for each position the data that its program takes, int32 [columns].
        extents: for each baseline array, its box; it may leave the value.
    """

    all: tuple[WindowProgram, ...]
    of: Int64[np.ndarray, " positions"]
    offsets: tuple[Int32[np.ndarray, "..."], ...]
    extents: dict[Key, Boxes]

    def bytes(self, graph: Graph) -> int:
        """What the baseline arrays take."""
        return sum(
            int(box.count()[0]) * graph.dtypes[number].itemsize
            for (number, _), box in self.extents.items()
        )


def programs(
    graph: Graph,
    roi: Boxes,
    groups: Sequence[Integer[np.ndarray, "..."]],
    blocks: Boxes,
    reach: Sequence[Boxes | None],
    region: Sequence[Boxes],
) -> Programs:
    """Plans every class.

    Args:
        graph: the function.
        roi: the part of the output that is returned.
        groups: the positions of each class.
        blocks: the patches' boxes; they may leave the image.
        reach: of `footprints`; with one position if it is the same for all.
        region: of `needs`, with a single position.
    """
    planned: list[tuple[Planner, WindowProgram]] = []
    extents: dict[Key, Boxes] = {}
    for group in groups:
        shared = [None if b is None else b if len(b.some) == 1 else b[group] for b in reach]
        planner = Planner(graph, blocks[group], shared, region)
        planned.append((planner, planner.plan(roi)))
        for key, part in planner.extents.items():
            extents[key] = extents.get(key, Boxes.nothing(part.rank)).hull(part)
    first = {key: part.lo[0] for key, part in extents.items()}
    of, offsets = np.zeros(len(blocks.some), np.int64), [np.zeros(0, np.int32)] * len(blocks.some)
    for number, (group, (planner, _)) in enumerate(zip(groups, planned, strict=True)):
        for row, position in zip(planner.rows(first), group.tolist(), strict=True):
            of[position], offsets[position] = number, row
    return Programs(tuple(program for _, program in planned), of, tuple(offsets), extents)


def _size(boxes: Boxes) -> tuple[int, ...]:
    """The one size of boxes that all have it."""
    return tuple((boxes.hi[0] - boxes.lo[0]).tolist())
