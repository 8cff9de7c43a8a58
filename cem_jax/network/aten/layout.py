"""Arrays whose axes lie otherwise than they are counted: views and permutations cost nothing.

torch counts an image's axes as [n, c, h, w] and views them at will: rows and columns become one
axis of tokens, tokens become windows. As XLA sees it, each such view is a copy, and hides that a
window holds neighbours. Here a counted axis is a group of the array's axes, in row-major order: a
permutation renames groups, a merging view joins them, and a splitting view reshapes one axis. Data
move only where an operation needs one axis as a whole.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

Group = tuple[int, ...]
"""The array's axes that a counted axis consists of, the outermost first; () if its length is 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Laid:
    """An array and how its axes are counted; none of the array's axes has length 1.

    Args:
        array: of JAX, or of numpy where it is known.
        axes: for each counted axis the array's axes that make it up; each is there once.
    """

    array: Any
    axes: tuple[Group, ...]

    @classmethod
    def of(cls, array: Any, order: Sequence[int] | None = None) -> "Laid":
        """An array as it lies.

        Args:
            array: any array.
            order: the counted axis that each of the array's axes is; None: they are the same.
        """
        order = range(array.ndim) if order is None else order
        axes: list[Group] = [()] * array.ndim
        kept = [(k, axis) for k, axis in enumerate(order) if array.shape[k] != 1]
        for place, (_, axis) in enumerate(kept):
            axes[axis] = (place,)
        if len(kept) < array.ndim:
            array = array.reshape([array.shape[k] for k, _ in kept])
        return cls(array, tuple(axes))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the counted axes."""
        return tuple(math.prod(self.sizes(axis)) for axis in range(len(self.axes)))

    @property
    def ndim(self) -> int:
        """Number of counted axes."""
        return len(self.axes)

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self.array.dtype

    def sizes(self, axis: int) -> tuple[int, ...]:
        """Lengths of the array's axes that a counted axis consists of."""
        return tuple(self.array.shape[k] for k in self.axes[axis])

    def like(self, array: Any) -> "Laid":
        """Another array that lies in the same way."""
        return Laid(array, self.axes)

    def arranged(self, order: Sequence[int]) -> Any:
        """An array with one axis for each counted one.

        Args:
            order: the counted axes, in the order that the array shall have.
        """
        shape = self.shape
        array = _transposed(self.array, [k for axis in order for k in self.axes[axis]])
        wanted = tuple(shape[axis] for axis in order)
        return array if array.shape == wanted else array.reshape(wanted)

    def plain(self) -> Any:
        """The array in the order in which its axes are counted."""
        return self.arranged(range(self.ndim))

    def merged(self, *wanted: int) -> "Laid":
        """The same with some of the counted axes as one axis each, where their first part lay."""
        split = {axis for axis in wanted if len(self.axes[axis]) > 1}
        if not split:
            return self
        units = [  # whole groups, or the axes of one, by where they begin
            (k, group if axis in split else (k,))
            for axis, group in enumerate(self.axes)
            for k in (group[:1] if axis in split else group)
        ]
        units.sort()
        place = {k: number for number, (k, _) in enumerate(units)}
        lengths = [math.prod(self.array.shape[k] for k in unit) for _, unit in units]
        array = _transposed(self.array, [k for _, unit in units for k in unit]).reshape(lengths)
        axes = (group[:1] if axis in split else group for axis, group in enumerate(self.axes))
        return Laid(array, tuple(tuple(place[k] for k in group) for group in axes))

    def split(self, parts: dict[int, Sequence[int]]) -> "Laid":
        """The same with axes of the array divided.

        Args:
            parts: lengths by axis of the array, the outermost first.
        """
        if not parts:
            return self
        places: list[Group] = []
        lengths: list[int] = []
        for k, length in enumerate(self.array.shape):
            own = list(parts.get(k, (length,)))
            places.append(tuple(range(len(lengths), len(lengths) + len(own))))
            lengths += own
        axes = tuple(tuple(p for k in group for p in places[k]) for group in self.axes)
        return Laid(self.array.reshape(lengths), axes)

    def conformed(self, axis: int, sizes: Sequence[int]) -> "Laid":
        """The same with a counted axis made up of axes of these lengths."""
        own, wanted = self.sizes(axis), tuple(sizes)
        if own == wanted:
            return self
        pieces = _pieces(own, wanted)
        if pieces is None or len(pieces) != len(wanted):
            merged = self.merged(axis)
            return merged.split({merged.axes[axis][0]: wanted} if len(wanted) > 1 else {})
        parts: dict[int, list[int]] = {}
        for number, size in pieces:
            parts.setdefault(self.axes[axis][number], []).append(size)
        return self.split({k: p for k, p in parts.items() if len(p) > 1})

    def permuted(self, order: Sequence[int]) -> "Laid":
        """The counted axes in another order."""
        return Laid(self.array, tuple(self.axes[axis] for axis in order))

    def viewed(self, shape: Sequence[int]) -> "Laid":
        """The same elements in row-major order, counted by axes of other lengths."""
        shape = tuple(shape)
        if shape == self.shape:
            return self
        order = [k for group in self.axes for k in group]
        pieces = _pieces([self.array.shape[k] for k in order], shape)
        if pieces is None:
            return Laid.of(self.plain().reshape(shape))
        parts: dict[int, list[int]] = {}
        for number, size in pieces:
            parts.setdefault(order[number], []).append(size)
        line = Laid(self.array, (tuple(order),))
        line = line.split({k: p for k, p in parts.items() if len(p) > 1})
        left, axes = list(line.axes[0]), []
        for length in shape:
            group: list[int] = []
            while length > 1:
                length //= line.array.shape[left[0]]
                group.append(left.pop(0))
            axes.append(tuple(group))
        return Laid(line.array, tuple(axes))

    def expanded(self, shape: Sequence[int]) -> "Laid":
        """Axes of length 1 repeated, new ones in front."""
        added = len(shape) - self.ndim
        axes = [*[()] * added, *self.axes]
        grown = [
            axis for axis, length in enumerate(shape)
            if length > 1 and not axes[axis]
        ]  # fmt: skip
        if not grown:
            return Laid(self.array, tuple(axes))
        lengths = [shape[axis] for axis in grown]
        array = jnp.broadcast_to(self.array, (*lengths, *self.array.shape))
        moved = [tuple(k + len(grown) for k in group) for group in axes]
        for place, axis in enumerate(grown):
            moved[axis] = (place,)
        return Laid(array, tuple(moved))

    def inserted(self, axis: int) -> "Laid":
        """A counted axis of length 1 more."""
        axis %= self.ndim + 1
        return Laid(self.array, (*self.axes[:axis], (), *self.axes[axis:]))

    def dropped(self, *gone: int) -> "Laid":
        """Without some counted axes of length 1."""
        some = {axis % self.ndim for axis in gone}
        kept = tuple(group for axis, group in enumerate(self.axes) if axis not in some)
        return Laid(self.array, kept)


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """Elements chosen by a mask that the image decides: all of them, and the mask.

    How many there are is not known, so only what can be done to every element alike is possible,
    and to put them back where they were.

    Args:
        values: what every element would be.
        mask: which are chosen.
    """

    values: Laid
    mask: Laid


def _pieces(sizes: Sequence[int], shape: Sequence[int]) -> list[tuple[int, int]] | None:
    """How axes are divided so that some of them make up each of other axes.

    Returns:
        Number of the axis and length of each piece, in order; None if they do not fit.
    """
    queue = [(number, size) for number, size in enumerate(sizes) if size != 1]
    found: list[tuple[int, int]] = []
    for length in shape:
        while length != 1:
            if not queue or not length:
                return None
            number, size = queue.pop(0)
            if length % size == 0:
                length //= size
            elif size % length == 0:
                queue.insert(0, (number, size // length))
                size, length = length, 1
            else:
                return None
            found.append((number, size))
    return None if queue else found


def _transposed(array: Any, perm: Sequence[int]) -> Any:
    return array if list(perm) == list(range(len(perm))) else array.transpose(perm)


def aligned(values: Sequence[Laid]) -> tuple[list[Any], tuple[Group, ...]]:
    """Arrays that broadcast as their counted axes do, and how the result is counted.

    They lie as the largest of them, and of equally large ones that of the fewest axes.
    """
    first = values[0]
    same = all(v.axes == first.axes and v.array.shape == first.array.shape for v in values)
    if same:
        return [v.array for v in values], first.axes
    ndim = max(v.ndim for v in values)
    values = [
        v if v.ndim == ndim else Laid(v.array, (*[()] * (ndim - v.ndim), *v.axes)) for v in values
    ]
    leader = max(values, key=lambda v: (v.array.size, -v.array.ndim))
    sizes: list[tuple[int, ...]] = []
    for axis in range(ndim):
        own = [v for v in (leader, *values) if v.axes[axis]]
        sizes.append(own[0].sizes(axis) if own else ())
    labels = {k: (axis, n) for axis, group in enumerate(leader.axes) for n, k in enumerate(group)}
    order = [
        (axis, n) for axis in range(ndim) if not leader.axes[axis] for n in range(len(sizes[axis]))
    ]
    order += [labels[k] for k in range(leader.array.ndim)]
    arrays = []
    for value in values:
        for axis in range(ndim):
            if value.axes[axis]:
                value = value.conformed(axis, sizes[axis])
        arrays.append(_spread(value, order))
    place = {label: k for k, label in enumerate(order)}
    axes = tuple(tuple(place[axis, n] for n in range(len(own))) for axis, own in enumerate(sizes))
    return arrays, axes


def _spread(value: Laid, order: Sequence[tuple[int, int]]) -> Any:
    """A conformed array with its axes in an order, and of length 1 where it has none."""
    if not value.array.ndim:
        return value.array
    own = [value.axes[axis][n] if value.axes[axis] else None for axis, n in order]
    array = _transposed(value.array, [k for k in own if k is not None])
    lengths = [1 if k is None else value.array.shape[k] for k in own]
    return array if list(array.shape) == lengths else array.reshape(lengths)


def known(value: Any) -> np.ndarray:
    """The value of a known array in plain order."""
    array = value.plain() if isinstance(value, Laid) else value
    if not isinstance(array, np.ndarray | np.generic | int | float | bool):
        raise NotImplementedError("an index that depends on the image")
    return np.asarray(array)
