"""Boxes: one interval on every axis of an array, for many positions at once.

Every axis is treated alike: an axis that an operation mixes (channels) simply has its full
interval, so nothing needs to know which axes are spatial, also between the reshapes and transposes
of a pixel shuffle.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, Integer

Interval = tuple[Any, Any]
"""First index and the index behind the last: int64 [positions] each, or one int for all."""


@dataclasses.dataclass(frozen=True, eq=False)
class Boxes:
    """A box of an array for each of several positions; some may be empty.

    Args:
        lo: first index on each axis, int64 [positions, rank].
        hi: index behind the last, int64 [positions, rank].
        some: whether the box has an element, bool [positions].
    """

    lo: Int64[np.ndarray, "positions rank"]
    hi: Int64[np.ndarray, "positions rank"]
    some: Bool[np.ndarray, " positions"]

    @classmethod
    def of(
        cls, corner: Integer[np.ndarray, "positions rank"], size: Sequence[int] | np.ndarray
    ) -> "Boxes":
        """Boxes of one size with their first corners at `corner`, int [positions, rank]."""
        lo = np.asarray(corner, np.int64)
        return cls(lo, lo + np.asarray(size, np.int64), np.ones(len(lo), bool))

    @classmethod
    def whole(cls, shape: Sequence[int], count: int = 1) -> "Boxes":
        """All of an array of that shape."""
        return cls.of(np.zeros((count, len(shape)), np.int64), shape)

    @classmethod
    def nothing(cls, rank: int, count: int = 1) -> "Boxes":
        """Empty boxes."""
        zero = np.zeros((count, rank), np.int64)
        return cls(zero, zero, np.zeros(count, bool))

    @classmethod
    def stack(cls, intervals: Sequence[Interval], some: Bool[np.ndarray, " positions"]) -> "Boxes":
        """Boxes from an interval on each axis; an interval may be shorter than `some`."""
        lo, hi = np.zeros((2, len(some), len(intervals)), np.int64)
        for axis, (first, end) in enumerate(intervals):
            lo[:, axis], hi[:, axis] = first, end
        return cls(lo, hi, some & (hi > lo).all(axis=1))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self.lo.shape[1]

    def axis(self, axis: int) -> Interval:
        """The intervals on one axis."""
        return self.lo[:, axis], self.hi[:, axis]

    def size(self) -> Int64[np.ndarray, "positions rank"]:
        """Lengths, int64 [positions, rank]; 0 where a box is empty."""
        return np.where(self.some[:, None], self.hi - self.lo, 0)

    def count(self) -> Int64[np.ndarray, " positions"]:
        """Numbers of elements, int64 [positions]."""
        return np.where(self.some, np.prod(self.hi - self.lo, axis=1), 0)

    def __getitem__(self, positions: np.ndarray) -> "Boxes":
        return Boxes(self.lo[positions], self.hi[positions], self.some[positions])

    def shift(self, by: np.ndarray) -> "Boxes":
        """The same boxes, moved."""
        return Boxes(self.lo + by, self.hi + by, self.some)

    def meet(self, other: "Boxes") -> "Boxes":
        """Intersections; one of the two may hold a single position for all."""
        lo, hi = np.maximum(self.lo, other.lo), np.minimum(self.hi, other.hi)
        return Boxes(lo, hi, self.some & other.some & (hi > lo).all(axis=1))

    def clip(self, shape: Sequence[int]) -> "Boxes":
        """What lies inside an array of that shape."""
        return self.meet(Boxes.whole(shape))

    def hull(self, other: "Boxes") -> "Boxes":
        """The smallest boxes around both; one of the two may hold a single position for all."""
        one, two = self.some[:, None], other.some[:, None]
        lo = np.where(one & two, np.minimum(self.lo, other.lo), np.where(two, other.lo, self.lo))
        hi = np.where(one & two, np.maximum(self.hi, other.hi), np.where(two, other.hi, self.hi))
        return Boxes(lo, hi, self.some | other.some)

    def union(self) -> "Boxes":
        """The smallest single box around those of all positions."""
        if not self.some.any():
            return Boxes.nothing(self.rank)
        here = self[self.some]
        one = np.ones(1, bool)
        return Boxes(here.lo.min(axis=0)[None], here.hi.max(axis=0)[None], one)

    def aligned(self, multiples: Sequence[int]) -> "Boxes":
        """The smallest boxes around these whose corners are multiples of the given numbers."""
        m = np.asarray(multiples, np.int64).reshape(1, -1)
        return Boxes(self.lo // m * m, -(-self.hi // m) * m, self.some)

    def evened(self, shape: Sequence[int]) -> "Boxes":
        """These grown to one size: behind, and before where an array of that shape ends."""
        lengths = self.hi - self.lo
        size = lengths.max(axis=0)
        grows = (lengths != size).any(axis=0)
        ends = np.minimum(self.lo, np.asarray(shape, np.int64) - size)
        return Boxes.of(np.where(grows, ends, self.lo), size)

    def cover(self, other: "Boxes") -> bool:
        """Whether these hold all of the other ones, at every position."""
        return bool(((self.lo <= other.lo) & (self.hi >= other.hi)).all())
