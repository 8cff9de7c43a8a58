"""Axes of which the function makes one, told apart again: windows stay squares of rows and columns.

A box is one interval on every axis. Where a function merges rows and columns into one axis (of
windows, of tokens), such an interval holds strips of the image, or all of it. So every axis of a
value is a product of factors, and the value is stored with one axis for each. A merging of axes is
then no operation at all, a splitting is one only where no boundary between factors lies there, and
what stands between them (element-wise operations, products, reductions, transposes) works on the
factors.

Which factors are to stay apart is followed from the image's rows and columns through every
operation, never told by lengths. Factors are merged again where one interval of the product says as
much: an inner factor that no part of the image moves along (channels), or the next digit of the
same axis (the rows inside a window behind the rows of windows).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from .builder import Builder
from .graph import Equation, Graph, Known
from .lift import LIFTS, Lengths, Lifted, flat, places_of, plain
from .regions import Boxes
from .rules import Rule, rule_for
from .rules.axes import AxisRule


@dataclasses.dataclass(frozen=True)
class Factor:
    """A part of an axis.

    Args:
        length: number of indices.
        along: which of the image's axes it runs along.
        step: what one index is, counted in the unit of the axis that was split.
        span: what all of them are: `step` of the factor outside of it, if that is the next digit.
    """

    length: int
    along: frozenset[int] = frozenset()
    step: int = 1
    span: int = 1

    @classmethod
    def axis(cls, length: int, along: frozenset[int] = frozenset()) -> "Factor":
        """A whole axis."""
        return cls(length, along, 1, length)

    def split(self, outer: int) -> "tuple[Factor, Factor]":
        """Both digits of the index, the outer with that length."""
        inner = self.length // outer
        step = self.step if self.span == self.step * self.length else 1
        return (
            Factor(outer, self.along, step * inner, step * self.length),
            Factor(inner, self.along, step, step * inner),
        )

    def joined(self, inner: "Factor") -> "Factor | None":
        """One factor in place of two, if an interval of it says as much."""
        length = self.length * inner.length
        if not inner.along:
            return Factor(length, self.along, self.step, self.span)
        if self.along == inner.along and self.step == inner.span:
            return Factor(length, self.along, inner.step, self.span)
        return None


Layout = tuple[tuple[Factor, ...], ...]
"""The factors of every axis of a value, as the function sees its axes."""


def apart(graph: Graph) -> Graph:
    """The same function; axes that run along rows and columns are stored apart.

    A graph that merges none is returned as it is.
    """
    walk = _Walk(graph)
    for eq in graph.equations:
        walk.equation(eq)
    if not walk.merged:
        return graph
    output = walk.stored(graph.output, plain(graph.shapes[graph.output]))
    return dataclasses.replace(
        graph,
        equations=_used(walk.builder.equations, output),
        shapes=walk.builder.shapes,
        dtypes=walk.builder.dtypes,
        depends=walk.builder.depends,
        output=output,
    )


def _used(equations: Sequence[Equation], output: int) -> list[Equation]:
    """The equations that lead to the output."""
    wanted, kept = {output}, []
    for eq in reversed(equations):
        if not wanted.isdisjoint(eq.outputs):
            kept.append(eq)
            wanted.update(i for i in eq.inputs if isinstance(i, int))
    return kept[::-1]


class _Walk:
    """Writes a graph anew, equation by equation; values keep their numbers.

    Args:
        graph: the function.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.builder = Builder()
        self.builder.shapes = list(graph.shapes)
        self.builder.dtypes = list(graph.dtypes)
        self.builder.depends = list(graph.depends)
        rows_and_columns = {1: frozenset({1}), 2: frozenset({2})}
        shape = graph.shapes[graph.raw]
        self.layouts: dict[int, Layout] = {
            graph.raw: tuple(
                (Factor.axis(n, rows_and_columns.get(k, frozenset())),) for k, n in enumerate(shape)
            )
        }
        self.places: dict[tuple[int, Lengths], int] = {}
        self.spread = {
            eq.outputs[0]: eq
            for eq in graph.equations
            if eq.name == "broadcast_in_dim" and not eq.depends
        }
        self.reshaped: dict[int, int] = {}
        self.merged = False

    def layout(self, number: int) -> Layout:
        """The factors of a value; those of one that the image does not reach are its axes."""
        if number in self.layouts:
            return self.layouts[number]
        return tuple((Factor.axis(n),) for n in self.graph.shapes[number])

    def lengths(self, number: int) -> Lengths:
        """The lengths of a value's factors."""
        return tuple(tuple(f.length for f in axis) for axis in self.layout(number))

    def runs(self, value: int | Known) -> list[bool]:
        """For each axis of a value, whether it runs along the image's rows or columns."""
        if isinstance(value, Known):
            return []
        return [any(f.along for f in axis) for axis in self.layout(value)]

    def stored(self, number: int, lengths: Lengths) -> int:
        """The number of a value as it is stored with these factors."""
        if lengths == self.lengths(number):
            return number
        if (number, lengths) not in self.places:
            whole = lengths == plain(self.graph.shapes[number])
            source = self.reshaped.get(number, number) if whole else number
            self.places[number, lengths] = (
                self.repeated(self.spread[number], lengths)
                if number in self.spread
                else self.builder.reshape(source, flat(lengths))
            )
        return self.places[number, lengths]

    def repeated(self, eq: Equation, lengths: Lengths) -> int:
        """A broadcast of what the image does not reach, on factors: it is done where it is read."""
        (operand,), (shape,), (number,) = eq.inputs, eq.in_shapes, eq.outputs
        places, out = places_of(lengths), self.graph.shapes[number]
        axes = [int(k) for k in eq.params["broadcast_dimensions"]]
        if isinstance(operand, int):
            own = (
                lengths[k] if n == out[k] else (1,) * len(lengths[k])
                for k, n in zip(axes, shape, strict=True)
            )  # fmt: skip
            operand = self.stored(operand, tuple(own))
        dims = tuple(place for k in axes for place in places[k])
        params = {"shape": flat(lengths), "broadcast_dimensions": dims}

        def bind(x: jax.Array, **changed: Any) -> list[jax.Array]:
            return [lax.broadcast_in_dim(x, **{**params, **changed})]

        made = [(flat(lengths), self.graph.dtypes[number])]
        return self.builder.add("broadcast_in_dim", params, [operand], made, bind)[0]

    def relaid(self, number: int, lengths: Lengths) -> Layout:
        """The factors of a value as it is stored with these lengths."""
        found = []
        for axis, wanted in zip(self.layout(number), lengths, strict=True):
            along = frozenset().union(*(f.along for f in axis))
            same = tuple(f.length for f in axis) == wanted
            joined = _joined(axis)
            if same:
                found.append(axis)
            elif len(joined) == len(wanted) == 1:
                found.append(joined)
            else:
                found.append(tuple(Factor.axis(n, along) for n in wanted))
        return tuple(found)

    def equation(self, eq: Equation) -> None:
        """Appends an operation, on factors where it can be."""
        numbers = [i for i in eq.inputs if isinstance(i, int) and self.graph.depends[i]]
        if not numbers:
            self.builder.equations.append(eq)
            return
        if eq.name == "reshape" and rule_for(eq) is not None and self.reshape(eq):
            return
        given = [None if isinstance(i, Known) else self.lengths(i) for i in eq.inputs]
        whole = [None if isinstance(i, Known) else plain(self.graph.shapes[i]) for i in eq.inputs]
        lift = LIFTS.get(eq.name) if rule_for(eq) is not None and eq.band is None else None
        if given == whole or lift is None:
            self.append(eq, whole)
            return
        lifted = lift(eq, given, [self.runs(i) for i in eq.inputs])
        self.append(eq, lifted.inputs, lifted)

    def append(
        self,
        eq: Equation,
        wanted: Sequence[Lengths | None],
        lifted: Lifted | None = None,
    ) -> None:
        """Appends an operation on operands that are stored in the wanted way."""
        new, changed = eq, {} if lifted is None else dict(lifted.params)
        inputs = tuple(
            i if isinstance(i, Known) or lengths is None else self.stored(i, lengths)
            for i, lengths in zip(eq.inputs, wanted, strict=True)
        )
        if lifted is not None or inputs != eq.inputs:
            shapes = eq.out_shapes if lifted is None else (flat(lifted.output),)
            new = dataclasses.replace(
                eq,
                params={**eq.params, **changed},
                inputs=inputs,
                in_shapes=tuple(
                    self.builder.shapes[i] if isinstance(i, int) else () for i in inputs
                ),
                out_shapes=shapes,
                bind=(lifted and lifted.bind)
                or (lambda *xs, **p: eq.bind(*xs, **{**changed, **p})),
            )
            for number, shape in zip(eq.outputs, shapes, strict=True):
                self.builder.shapes[number] = shape
        self.builder.equations.append(new)
        given: list[list[Factor]] = [
            [] if lengths is None or isinstance(i, Known) or not self.graph.depends[i]
            else [f for axis in self.relaid(i, lengths) for f in axis]
            for i, lengths in zip(eq.inputs, wanted, strict=True)
        ]  # fmt: skip
        for number, factors in zip(eq.outputs, followed(new, given), strict=True):
            axes = plain(self.graph.shapes[number]) if lifted is None else lifted.output
            places = iter(factors)
            self.layouts[number] = tuple(tuple(next(places) for _ in axis) for axis in axes)

    def reshape(self, eq: Equation) -> bool:
        """Regroups the factors; False if a boundary lies within one that cannot be split there."""
        (number,), (out,) = eq.inputs, eq.outputs
        assert isinstance(number, int)  # it depends on the image
        factors = [f for axis in self.layout(number) for f in axis if f.length != 1]
        groups = _regrouped(factors, self.graph.shapes[out])
        if groups is None:
            return False
        layout = tuple(_joined(group) for group in groups)
        self.layouts[out] = layout
        lengths = tuple(tuple(f.length for f in axis) for axis in layout)
        if lengths != plain(self.graph.shapes[out]):
            self.merged = True
            self.reshaped[out] = number
        elif self.lengths(number) == plain(self.graph.shapes[number]):
            self.builder.equations.append(eq)
            return True
        made = self.builder.reshape(number, flat(lengths))
        if made == number:  # stored as it was: the same elements under another number
            made = self.builder.one("copy", {}, [number], flat(lengths), lambda x: x)
        last = self.builder.equations.pop()
        self.builder.equations.append(dataclasses.replace(last, outputs=(out,)))
        self.builder.shapes[out] = flat(lengths)
        return True


def followed(eq: Equation, given: Sequence[Sequence[Factor]]) -> list[list[Factor]]:
    """The factors of each output: an axis runs along what the operands' axes do that it follows.

    Args:
        eq: the operation, on factors.
        given: the factors of each operand; none for one that the image does not reach.
    """
    rule = rule_for(eq)
    found = [[Factor.axis(n) for n in shape] for shape in eq.out_shapes]
    if rule is None:
        return found
    out = found[0]
    for index, factors in enumerate(given):
        if not factors:
            continue
        for axis, follows in enumerate(_links(rule, eq, index)):
            for k in follows:
                one, other = out[k], factors[axis]
                if not other.along <= one.along:
                    same = not one.along and one.length == other.length
                    along = one.along | other.along
                    out[k] = other if same else Factor.axis(one.length, along)
    return found


def _links(rule: Rule, eq: Equation, index: int) -> list[list[int]]:
    """For each axis of an operand, the output's axes whose interval moves with its interval."""
    if isinstance(rule, AxisRule):
        return [[] if k is None else [k] for k in rule.links(eq, index)]
    shape, out = eq.in_shapes[index], eq.out_shapes[0]
    # On each axis its first index and its last, on the others everything.
    ends = Boxes.whole(shape, 2 * len(shape))
    lo, hi = ends.lo.copy(), ends.hi.copy()
    for axis, length in enumerate(shape):
        hi[2 * axis, axis], lo[2 * axis + 1, axis] = 1, length - 1
    reach = rule.forward(eq, index, Boxes(lo, hi, ends.some)).clip(out)
    moves = (reach.lo[::2] != reach.lo[1::2]) | (reach.hi[::2] != reach.hi[1::2])
    return [np.flatnonzero(row).tolist() for row in moves]


def _joined(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """Neighbours made one where nothing is lost; at least one factor."""
    found: list[Factor] = []
    for factor in factors:
        last = found[-1].joined(factor) if found else None
        found[len(found) - (last is not None) :] = [factor if last is None else last]
    return tuple(found) or (Factor.axis(1),)


def _regrouped(factors: Sequence[Factor], shape: Sequence[int]) -> list[list[Factor]] | None:
    """The factors for each axis of a shape; None if one cannot be split so."""
    if 0 in shape:  # nothing to tell apart
        return None
    left, groups = list(factors), []
    for length in shape:
        group: list[Factor] = []
        while length > 1:
            factor = left.pop(0)
            if length % factor.length and factor.length % length:
                return None
            if factor.length > length:
                factor, inner = factor.split(length)
                left.insert(0, inner)
            group.append(factor)
            length //= factor.length
        groups.append(group)
    return groups
