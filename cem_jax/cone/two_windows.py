"""Interventions computed around the block and around the region only: close, cheap, not exact.

A network that sums over the whole image has no cone. But what a block changes far from itself and
from the region matters by those sums alone. So every map is computed in two windows, around the
block and around the region, and keeps its unperturbed values elsewhere; a sum over the image is the
unperturbed one and what the windows changed in it; what is small, or has no place in the image, is
computed in full. Where the two windows would meet, one is laid around both.

How far the result is from the truth is not known: it is to be corrected, as `Corrected` does.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .analyse import image_boxes, needs
from .baseline import Baseline
from .counts import multiply_adds, of_whole
from .geometry import Run, runs
from .graph import Equation, Graph, Known
from .reach import Rectangle, with_params
from .regions import Boxes
from .rules import rule_for
from .trace import trace
from .transform import Code, ConePlan, MultiplyAdds, region_of
from .windows import Keep, Planner, Read, Step, WindowProgram

_SMALL = 16
"""A map with less than this part of the image's pixels is computed in full."""

_MARGIN = 4
"""Fewest pixels around block and region, where nothing else is said."""

_SUMS = ("reduce_sum", "dot_general")
"""Operations that are sums over what they bring together."""

_DELTA, _JOIN = "sum of windows", "select_n"

_FULL, _BLOCK, _REGION, _UNPERTURBED = range(4)
"""Forms in which a value is computed: in full, around the block (or around both), around the
region; and as it is without an intervention. Form k of value n has the number n + k * (number of
values)."""


def two_windows(
    f: Callable[..., Any],
    shape: Sequence[int],
    roi: Rectangle,
    block: int,
    *,
    origins: np.ndarray,
    params: Any = None,
    margin: int | None = None,
) -> ConePlan | None:
    """Plans interventions that are computed in two windows.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; pure, [1, h, w, c] to [1, h', w', c'].
        shape: of x.
        roi: region of the output: top row, left column, height, width, in output pixels.
        block: side of a block, in input pixels.
        origins: first row and column of each block, int [blocks, 2]; blocks may leave the image.
        params: a pytree of arrays or of their shapes.
        margin: input pixels by which the windows are larger than block and region, on every side;
            None takes a thirty-second of the image's longer side, and at least four.

    Returns:
        The plan; None if nothing is known of where the image lies in the function's values.
    """
    shape = tuple(int(n) for n in shape)
    margin = max(max(shape[1:3]) // 32, _MARGIN) if margin is None else int(margin)
    call = with_params(f, params)
    graph = trace(call, params, shape, jnp.float32)
    box = region_of(graph, roi)
    places = runs(call, params, shape, jnp.float32, graph)
    if places is None or not places[graph.output]:
        return None
    places = [own if _is_map(graph, n, own, shape) else () for n, own in enumerate(places)]
    region = needs(graph, box)
    origins = np.asarray(origins, np.int64).reshape(-1, 2)
    blocks = image_boxes(origins, (block, block), shape[3])
    scale = np.array([graph.shapes[graph.output][k] / shape[k] for k in (1, 2)])
    seen = np.array([roi[:2], np.add(roi[:2], roi[2:])]) / scale
    around = [np.floor(seen[0]).astype(int) - margin, np.ceil(seen[1]).astype(int) + margin]
    own = [origins - margin, origins + block + margin]
    meet = ((own[0] < around[1] + margin) & (own[1] > around[0] - margin)).all(axis=1)
    both = [np.minimum(own[0], around[0]), np.maximum(own[1], around[1])]
    program_of, planned = np.zeros(len(origins), np.int64), []
    for one in (False, True):
        group = np.flatnonzero(meet == one)
        if not len(group):
            continue
        program_of[group] = len(planned)
        windows = {_BLOCK: [side[group] for side in (both if one else own)]}
        if not one:
            windows[_REGION] = [np.repeat(side[None], len(group), axis=0) for side in around]
        planner = _TwoWindows(graph, blocks[group], places, region, windows, shape)
        planned.append((group, planner, planner.plan(box)))
    extents: dict[Any, Boxes] = {}
    for _, planner, _ in planned:
        for key, part in planner.extents.items():
            extents[key] = extents.get(key, Boxes.nothing(part.rank)).hull(part)
    first = {key: part.lo[0] for key, part in extents.items()}
    offsets = [np.zeros(0, np.int32)] * len(origins)
    for group, planner, _ in planned:
        for row, position in zip(planner.rows(first), group.tolist(), strict=True):
            offsets[position] = row
    found = tuple(program for _, _, program in planned)
    code, order = (
        Code(found, Baseline.make(graph, extents, box)),
        {k: n for n, k in enumerate(extents)},
    )
    whole, each = of_whole(graph), np.array([program.multiply_adds for program in found])
    work = MultiplyAdds(whole, whole, each[program_of], each[program_of])
    note = (
        f"two windows: they reach {margin} pixels beyond block and region, and outcomes are close, "
        "but not exact"
    )
    return ConePlan(
        shape, tuple(int(n) for n in roi), block, origins, program_of, tuple(offsets), False, note,  # type: ignore[arg-type]
        work, tuple(tuple(order[key] for key in program.keys) for program in found),
        tuple(graph.constants.values()), lambda: code,
    )  # fmt: skip


def _is_map(graph: Graph, number: int, own: tuple[Run, ...], shape: Sequence[int]) -> bool:
    """Whether a value is worth windows: it has places of the image, and not only a few."""
    sides = [graph.shapes[number][run.axis] for run in own]
    return bool(own) and sides[0] * sides[1] * _SMALL > shape[1] * shape[2]


class _TwoWindows(Planner):
    """Plans one class.

    Args:
        graph: the function.
        blocks: the patches' boxes of the class's positions.
        places: for each value, how its axes run along the image; nothing where it is computed in
            full.
        region: of `needs`.
        windows: by form, first and last rows and columns in the image, each int [positions, 2].
        shape: of the image.
    """

    def __init__(
        self,
        graph: Graph,
        blocks: Boxes,
        places: Sequence[tuple[Run, ...]],
        region: Sequence[Boxes],
        windows: dict[int, list[np.ndarray]],
        shape: Sequence[int],
    ):
        self.values = len(graph.shapes)
        super().__init__(graph, blocks, [None] * self.values, region)
        self.places, self.region, self.own, self.image = places, region, windows, shape
        self.source = graph
        self.sums: dict[int, list[tuple[int, ...]]] = {}
        equations = self._expanded()
        output = next(
            (k * self.values + graph.output for k in (_REGION, _BLOCK)
             if k * self.values + graph.output in self.windows), graph.output,
        )  # fmt: skip
        self.graph = dataclasses.replace(
            graph, equations=_used(equations, output), shapes=graph.shapes * 4,
            dtypes=graph.dtypes * 4, depends=graph.depends * 4, output=output,
        )  # fmt: skip

    def _box(self, number: int, form: int) -> Boxes | None:
        """The window of a value in a form, one size for all positions; None if none is needed."""
        shape = np.asarray(self.source.shapes[number])
        if form == _FULL:
            return Boxes.whole(shape.tolist(), self.count)
        lo, hi = np.zeros((self.count, len(shape)), np.int64), np.tile(shape, (self.count, 1))
        for run in self.places[number]:
            first, last = (side[:, run.along] for side in self.own[form])
            lo[:, run.axis] = np.floor(run.rate * first + run.first + 1e-6)
            hi[:, run.axis] = np.ceil(run.rate * last + run.first - 1e-6)
        part = Boxes(lo, hi, np.ones(self.count, bool)).clip(shape.tolist())
        part = part.meet(self.region[number])
        if not part.some.any():
            return None
        size = part.size().max(axis=0)
        return Boxes.of(np.clip(part.lo, 0, shape - size), size)

    def _expanded(self) -> list[Equation]:
        """The equations in all forms whose operands change; fills `windows`."""
        found: list[Equation] = []
        for eq in self.source.equations:
            if not eq.depends:
                continue
            if rule_for(eq) is not None and self.places[eq.outputs[0]]:
                for form in self.own:
                    self._in_form(eq, form, found)
            else:
                self._in_full(eq, found)
        return found

    def _changed(self, number: int | Known, form: int) -> int | None:
        """The number of a value in a form, or in full, if it changes there."""
        if isinstance(number, Known):
            return None
        if number == self.source.raw:
            return number if form == _BLOCK else None
        for k in (form, _FULL):
            if number + k * self.values in self.windows:
                return number + k * self.values
        return None

    def _in_form(self, eq: Equation, form: int, found: list[Equation]) -> None:
        changed = [self._changed(number, form) for number in eq.inputs]
        box = self._box(eq.outputs[0], form)
        if box is None or all(one is None for one in changed):
            return
        out = eq.outputs[0] + form * self.values
        inputs = tuple(
            self._still(n) if c is None else c for n, c in zip(eq.inputs, changed, strict=True)
        )
        self.windows[out] = box
        found.append(dataclasses.replace(eq, inputs=inputs, outputs=(out,)))

    def _still(self, number: int | Known) -> int | Known:
        """A value as it is without an intervention, whatever changes of it."""
        return number if isinstance(number, Known) else number + _UNPERTURBED * self.values

    def _forms(self, number: int | Known) -> list[int]:
        """The numbers of the windows in which a value changes."""
        if isinstance(number, Known):
            return []
        numbers = [number + form * self.values for form in self.own]
        return [one for one in numbers if one in self.windows]

    def _in_full(self, eq: Equation, found: list[Equation]) -> None:
        forms = [self._forms(number) for number in eq.inputs]
        full = [isinstance(n, int) and n in self.windows for n in eq.inputs]
        full = [one and n != self.source.raw for one, n in zip(full, eq.inputs, strict=True)]
        if not any(forms) and not any(full):
            return
        for number in eq.outputs:
            self.windows[number] = Boxes.whole(self.source.shapes[number], self.count)
        if self._is_sum(eq, forms, full):
            self.sums[eq.outputs[0]] = list(zip(*(f for f in forms if f), strict=True))
            inputs = tuple(k for group in forms for k in group)
            found.append(dataclasses.replace(eq, name=_DELTA, inputs=inputs, params={"of": eq}))
            return
        inputs = []
        for number, own in zip(eq.inputs, forms, strict=True):
            if isinstance(number, Known) or number in self.windows:
                inputs.append(number)
                continue
            if not own:
                inputs.append(self._still(number))
                continue
            self.windows[number] = Boxes.whole(self.source.shapes[number], self.count)
            found.append(self._joined(number, own))
            inputs.append(number)
        found.append(dataclasses.replace(eq, inputs=tuple(inputs)))

    def _joined(self, number: int, forms: Sequence[int]) -> Equation:
        """A value in full, from its windows: each read into the unperturbed value."""
        shape = self.source.shapes[number]

        def bind(*parts: Any, **_: Any) -> list[Any]:
            out = parts[0]
            for changed, base in zip(parts[2::2], parts[3::2], strict=True):
                out = jnp.where(changed == base, out, changed)
            return [out]

        base = self._still(number)
        inputs = tuple(k for form in forms for k in (form, base))
        return Equation(
            _JOIN, {}, inputs, (number,), bind, (shape,) * len(inputs), (shape,),
            self.source.dtypes[number], True,
        )  # fmt: skip

    def _is_sum(self, eq: Equation, forms: Sequence[list[int]], full: Sequence[bool]) -> bool:
        """Whether all that changes lies in windows, and is summed over them."""
        if eq.name not in _SUMS or rule_for(eq) is None or any(full):
            return False
        counts = {len(own) for own in forms if own}
        axes = eq.params["axes"] if eq.name == "reduce_sum" else None
        sides: list[list[tuple[int, ...]]] = []
        for index, (number, own) in enumerate(zip(eq.inputs, forms, strict=True)):
            if not own:  # what is summed with the image would have to be cut as it is
                return False
            assert isinstance(number, int)
            gone = eq.params["dimension_numbers"][0][index] if axes is None else axes
            if not {run.axis for run in self.places[number]} <= set(map(int, gone)):
                return False
            cut = [self.windows[k].hi - self.windows[k].lo for k in own]
            sides.append([tuple(size[0, list(gone)].tolist()) for size in cut])
        return len(counts) == 1 and all(side == sides[0] for side in sides)

    def _step(self, eq: Equation) -> Step:
        if eq.name != _DELTA:
            return super()._step(eq)
        of: Equation = eq.params["of"]
        (number,) = of.outputs
        whole = Boxes.whole(self.source.shapes[number], self.count)
        reads: list[Read | Known] = [self._baseline(number, whole, None)]
        work = 0.0
        for group in self.sums[number]:
            windows = [self.windows[k] for k in group]
            reads += [self._read(k, box, None) for k, box in zip(group, windows, strict=True)]
            reads += [self._baseline(k, box, None) for k, box in zip(group, windows, strict=True)]
            share = windows[0].count()[0] / max(
                np.prod(self.source.shapes[group[0] % self.values]), 1
            )
            work += 2 * share * float(multiply_adds(of, np.asarray(of.out_shapes[0])))
        count = len(self.sums[number][0])

        def bind(base: Any, *parts: Any, **_: Any) -> list[Any]:
            out = base
            for k in range(0, len(parts), 2 * count):
                new, old = parts[k : k + count], parts[k + count : k + 2 * count]
                out = out + (of.bind(*new)[0] - of.bind(*old)[0])
            return [out]

        self.delta_work += work
        own = dataclasses.replace(of, name=_DELTA, bind=bind, params={})
        keep = Keep(number, self._relative(whole.lo), tuple(of.out_shapes[0]))
        return Step(own, tuple(of.out_shapes[0]), (), tuple(reads), (keep,))

    delta_work = 0.0

    def plan(self, roi: Boxes) -> WindowProgram:
        """The program that gives the output's part `roi`."""
        found = super().plan(roi)
        return dataclasses.replace(found, multiply_adds=found.multiply_adds + self.delta_work)

    def _read(self, number: int, part: Boxes, fill: Any) -> Read:
        found = super()._read(number, part, fill)
        # Where it is put together, the window is that of the form, the rest is the same in all.
        return found if found.cut is None else dataclasses.replace(found, number=number)

    def _baseline(self, number: int, part: Boxes, fill: Any) -> Read:
        return super()._baseline(number % self.values, part, fill)


def _used(equations: Sequence[Equation], output: int) -> list[Equation]:
    """The equations that lead to the output; the first one stands for the image."""
    wanted, kept = {output}, []
    for eq in reversed(equations):
        if not wanted.isdisjoint(eq.outputs) or eq is equations[0]:
            kept.append(eq)
            wanted.update(i for i in eq.inputs if isinstance(i, int))
    return kept[::-1]
