"""Operations whose output axes each follow one axis of an operand, or none.

Element-wise operations, broadcasting, transposes, reductions, matrix products, and operations along
one axis (cumulative sums, softmax's parts) differ only in which axis follows which.
"""

from collections.abc import Sequence
from typing import Any

import jax

from ..graph import Equation, Start
from ..regions import Boxes, Interval
from .base import Rule

Links = tuple[int | None, ...]
"""For each axis of an operand, the axis of the output that follows it; None if it is mixed."""


class AxisRule(Rule):
    """Base: `links` says it all; an axis without a link is needed in full."""

    def links(self, eq: Equation, index: int) -> Links:
        """The links of operand `index`."""
        raise NotImplementedError

    def changed(self, eq: Equation, size: tuple[int, ...]) -> dict[str, Any]:
        """Parameters that depend on the window's size."""
        return {}

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Linked axes keep their interval, the others change in full."""
        reach: list[Interval] = [(0, n) for n in eq.out_shapes[0]]
        for axis, out in enumerate(self.links(eq, index)):
            if out is not None:
                reach[out] = box.axis(axis)
        return Boxes.stack(reach, box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """Linked axes keep their interval, the others are needed in full."""
        links, shape = self.links(eq, index), eq.in_shapes[index]
        pairs = zip(links, shape, strict=True)
        return Boxes.stack([(0, n) if k is None else box.axis(k) for k, n in pairs], box.some)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The operation itself, on smaller operands."""
        return eq.bind(*operands, **self.changed(eq, size))[0]


class Elementwise(AxisRule):
    """Any number of operands; scalars and axes of length 1 are broadcast."""

    def links(self, eq: Equation, index: int) -> Links:
        """Every axis to itself."""
        return _same(eq.in_shapes[index], eq.out_shapes[0], range(len(eq.in_shapes[index])))


class Broadcast(AxisRule):
    """broadcast_in_dim."""

    def links(self, eq: Equation, index: int) -> Links:
        """As the parameter says; axes of length 1 are repeated."""
        dims = eq.params["broadcast_dimensions"]
        return _same(eq.in_shapes[index], eq.out_shapes[0], dims)

    def changed(self, eq: Equation, size: tuple[int, ...]) -> dict[str, Any]:
        """The window's shape."""
        return {"shape": size}


class Transpose(AxisRule):
    """transpose."""

    def links(self, eq: Equation, index: int) -> Links:
        """The inverse permutation."""
        permutation = [int(axis) for axis in eq.params["permutation"]]
        return tuple(permutation.index(axis) for axis in range(len(permutation)))


class Squeeze(AxisRule):
    """squeeze."""

    def links(self, eq: Equation, index: int) -> Links:
        """The axes that stay, in order."""
        return _remaining(len(eq.in_shapes[index]), eq.params["dimensions"])


class Reduce(AxisRule):
    """Reductions over axes; those over channels are local."""

    def links(self, eq: Equation, index: int) -> Links:
        """The axes that stay, in order."""
        return _remaining(len(eq.in_shapes[index]), eq.params["axes"])


class Along(AxisRule):
    """Operations along some axes, which are mixed: sums so far, sorting, Fourier transforms."""

    def mixed(self, eq: Equation) -> tuple[int, ...]:
        """The axes that are mixed."""
        rank = len(eq.in_shapes[0])
        if eq.name == "fft":
            return tuple(range(rank - len(eq.params["fft_lengths"]), rank))
        return (int(eq.params["dimension" if eq.name == "sort" else "axis"]) % rank,)

    def links(self, eq: Equation, index: int) -> Links:
        """All axes but the mixed ones."""
        mixed = self.mixed(eq)
        return tuple(None if k in mixed else k for k in range(len(eq.in_shapes[index])))

    def align(self, eq: Equation) -> tuple[int, ...]:
        """The mixed axes are computed in full."""
        mixed = self.mixed(eq)
        return tuple(n if k in mixed else 1 for k, n in enumerate(eq.out_shapes[0]))


class Gather(AxisRule):
    """gather by indices that may depend on the image: whole along the axes that they index."""

    def links(self, eq: Equation, index: int) -> Links:
        """Sliced axes follow the output's offsets; batch axes and the indices' own the others."""
        dims, rank = eq.params["dimension_numbers"], len(eq.in_shapes[0])
        places = [k for k in range(len(eq.out_shapes[0])) if k not in dims.offset_dims]
        if index:
            return (*places, None)
        gone = {*dims.collapsed_slice_dims, *dims.operand_batching_dims}
        links: list[int | None] = [None] * rank
        for axis, out in zip(
            (k for k in range(rank) if k not in gone), dims.offset_dims, strict=True
        ):
            links[axis] = out if axis not in dims.start_index_map else None
        pairs = zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True)
        for axis, place in pairs:
            links[axis] = places[place]
        return tuple(links)

    def align(self, eq: Equation) -> tuple[int, ...]:
        """Slices along indexed axes are taken in full."""
        linked = {k for index in (0, 1) for k in self.links(eq, index)}
        return tuple(1 if k in linked else n for k, n in enumerate(eq.out_shapes[0]))

    def changed(self, eq: Equation, size: tuple[int, ...]) -> dict[str, Any]:
        """The slices' sizes: those of the window where it follows the operand."""
        sizes = list(eq.params["slice_sizes"])
        for axis, out in enumerate(self.links(eq, 0)):
            if out is not None and axis not in eq.params["dimension_numbers"].operand_batching_dims:
                sizes[axis] = size[out]
        return {"slice_sizes": tuple(sizes)}


class Dot(AxisRule):
    """dot_general: contracted axes are mixed; batch axes and free axes are linked."""

    def links(self, eq: Equation, index: int) -> Links:
        """Batch axes come first in the output, then the left operand's, then the right's."""
        contracted, batch = eq.params["dimension_numbers"]
        mine, own_batch = contracted[index], batch[index]
        ranks = [len(shape) for shape in eq.in_shapes]
        taken = [len(c) + len(b) for c, b in zip(contracted, batch, strict=True)]
        position = len(own_batch) + (ranks[0] - taken[0] if index else 0)
        links: list[int | None] = []
        for axis in range(ranks[index]):
            if axis in mine:
                links.append(None)
            elif axis in own_batch:
                links.append(list(own_batch).index(axis))
            else:
                links.append(position)
                position += 1
        return tuple(links)

    def multiply_adds(self, eq: Equation) -> float:
        """The length of the contraction."""
        product = 1.0
        for axis in eq.params["dimension_numbers"][0][0]:
            product *= eq.in_shapes[0][axis]
        return product


def _same(shape: tuple[int, ...], out: tuple[int, ...], axes: Sequence[int]) -> Links:
    return tuple(int(k) if n == out[k] else None for k, n in zip(axes, shape, strict=True))


def _remaining(rank: int, gone: Sequence[int]) -> Links:
    kept = [axis for axis in range(rank) if axis not in gone]
    return tuple(kept.index(axis) if axis in kept else None for axis in range(rank))
