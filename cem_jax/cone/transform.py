"""The causal cone of a function: interventions on blocks, computed only where they matter."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .analyse import (
    Rectangle,
    cone_work,
    dense_work,
    footprints,
    image_boxes,
    misunderstood,
    needs,
    spreading,
    with_params,
)
from .baseline import Baseline
from .classes import Costs, classes
from .execute import run
from .graph import Graph, trace
from .regions import Boxes
from .windows import Key, Planner, Program

_LEAST_GAIN = 1.5
"""Default of `least`."""


@dataclasses.dataclass(frozen=True)
class Work:
    """Multiply-adds of one intervention.

    Args:
        dense: the whole image.
        crop: the region's backward cone only.
        cone: the exact intersections of both cones, for every block, float64 [blocks].
        programs: the windows that are computed, for every block, float64 [blocks].
    """

    dense: float
    crop: float
    cone: np.ndarray
    programs: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """Everything about a cone but the numbers; serves any image and parameters of its shapes.

    Args:
        shape: of the image, [1, h, w, c].
        roi: region of the output, in output pixels.
        block: side of a block, in input pixels.
        origins: first row and column of each block, int64 [blocks, 2].
        program_of: which program each block has, int [blocks]; -1 for blocks that cannot reach the
            region: their effect is exactly zero.
        programs: one for each class of positions.
        offsets: for each block the data that its program takes, int32 [columns].
        dense: whether nothing was gained: all of the region's backward cone is computed.
        note: what was decided, in words.
        work: multiply-adds.
    """

    shape: tuple[int, ...]
    roi: Rectangle
    block: int
    origins: np.ndarray
    program_of: np.ndarray
    programs: tuple[Program, ...]
    offsets: tuple[np.ndarray, ...]
    dense: bool
    note: str
    work: Work
    _baseline: Baseline
    _keys: tuple[Key, ...]

    def prepare(self, x: jax.Array, params: Any = None) -> "Cone":
        """Runs the function once on an image.

        Args:
            x: the image, [1, h, w, c].
            params: the parameters, as the function takes them.

        Raises:
            ValueError: x has another shape.
        """
        if np.shape(x) != self.shape:
            raise ValueError(f"x has shape {np.shape(x)}; planned for {self.shape}")
        leaves, constants = jax.tree.leaves(params), self._baseline.graph.constants.values()
        arrays, region = _prepare(self._baseline, tuple(leaves), tuple(constants), jnp.asarray(x))
        caches = dict(zip(self._keys, arrays, strict=True))
        return Cone(self, tuple(tuple(caches[k] for k in p.keys) for p in self.programs), region)

    def index(self, origin: Sequence[int]) -> int:
        """The number of the block with that first row and column.

        Raises:
            ValueError: there is none.
        """
        found = np.flatnonzero((self.origins == np.asarray(origin)).all(axis=1))
        if not len(found):
            raise ValueError(f"origin={tuple(origin)}: not among the blocks planned for")
        return int(found[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Cone:
    """A plan with the baseline of one image.

    Args:
        plan: the plan.
        caches: for each program, the baseline arrays it takes.
        region: the region without an intervention, [h, w, c].
    """

    plan: Plan
    caches: tuple[tuple[jax.Array, ...], ...]
    region: jax.Array

    def evaluate(self, origin: Sequence[int], patches: jax.Array) -> jax.Array:
        """The region of f(x with each patch at one block).

        Args:
            origin: first row and column of the block; one of the plan's.
            patches: [n, block, block, c]; what leaves the image is cut off.

        Returns:
            [n, h, w, c'], equal to the dense computation up to rounding.

        Raises:
            ValueError: the block was not planned for, or the patches have another shape.
        """
        plan = self.plan
        index = plan.index(origin)
        expected = (plan.block, plan.block, plan.shape[3])
        if np.ndim(patches) != 4 or np.shape(patches)[1:] != expected:
            raise ValueError(f"patches has shape {np.shape(patches)}; expected [n, *{expected}]")
        program = int(plan.program_of[index])
        if program < 0:
            return jnp.broadcast_to(self.region, (len(patches), *self.region.shape))
        return _evaluate(
            plan.programs[program], self.caches[program], plan.offsets[index], jnp.asarray(patches)
        )


def plan(
    f: Callable[..., jax.Array],
    shape: Sequence[int],
    roi: Rectangle,
    block: int,
    *,
    origins: np.ndarray | None = None,
    params: Any = None,
    draws: tuple[int, int] = (50, 50),
    class_cost: float | None = None,
    least: float = _LEAST_GAIN,
) -> Plan:
    """Plans the evaluation of interventions on blocks.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; pure, [1, h, w, c] to [1, h', w', c'].
        shape: of x.
        roi: region of the output: top row, left column, height, width, in output pixels.
        block: side of a block, in input pixels.
        origins: first row and column of each block, int [blocks, 2]; None takes the grid that
            begins at the top left corner. Blocks may leave the image.
        params: a pytree of arrays or of their shapes.
        draws: evaluations expected at the blocks with the smallest cones, far from the region, and
            at those with the largest; more of them pay for more programs.
        class_cost: multiply-adds in whose time a program is compiled; None estimates.
        least: cost of the region's backward cone over that of the windows below which windows are
            not worth their copies: then all of the backward cone is computed.

    Raises:
        ValueError: a shape, the region or the block does not fit; the message says which.
    """
    shape, block = tuple(int(n) for n in shape), int(block)
    if len(shape) != 4 or shape[0] != 1:
        raise ValueError(f"shape={shape}: expected [1, height, width, channels]")
    if block < 1:
        raise ValueError(f"block={block}: expected at least 1")
    if origins is None:
        origins = np.stack(
            np.meshgrid(*(np.arange(0, n, block) for n in shape[1:3]), indexing="ij"), axis=-1
        )
    origins = np.asarray(origins, np.int64).reshape(-1, 2)
    call = with_params(f, params)
    graph = trace(call, params, shape, jnp.float32)
    y, x, h, w = (int(n) for n in roi)
    box = _region(graph, (y, x, h, w))
    region = needs(graph, box)
    blocks = image_boxes(origins, (block, block), shape[3])
    reaching = np.flatnonzero(blocks.meet(region[graph.image]).some)
    exact, crop = np.zeros(len(origins)), cone_work(graph, _everything(graph), region)[0]
    groups: list[np.ndarray] = []
    dense, note = False, "no block reaches the region"
    if len(reaching):
        reach = footprints(graph, blocks[reaching])
        exact[reaching] = cone_work(graph, reach, region)
        costs = Costs(graph, reach, region)
        first, last = draws
        share = exact[reaching] / max(exact.max(), 1.0)
        groups = classes(costs, first + (last - first) * share**2, class_cost)
        spent = sum(len(g) * costs.cost(costs.sizes[g].max(axis=0)) for g in groups)
        most = Costs(graph, _everything(graph), region)
        gain = len(reaching) * most.cost(most.sizes[0]) / spent
        dense = bool(gain < least)
        note = f"cone: {len(groups)} programs for {len(reaching)} blocks, gain {gain:.3g}"
        spread = spreading(graph, reach)
        note += f"; everything may change behind {', '.join(dict.fromkeys(spread))}" * bool(spread)
        unclear = dict.fromkeys(misunderstood(graph))
        note += f"; not understood in this JAX: {', '.join(unclear)}" * bool(unclear)
    whole = dense_work(graph)
    if dense:
        graph = trace(call, params, shape, jnp.float32, loops=False)
        region = needs(graph, box)
        note = f"dense, windows would gain a factor of {gain:.3g} only; as a {note}"
        groups, reach = [np.arange(len(reaching))], []
    planned = []
    for group in groups:
        picked = [None if boxes is None else boxes[group] for boxes in reach]
        if dense:
            picked = _everything(graph)
        planner = Planner(graph, blocks[reaching[group]], picked, region)
        planned.append((planner, planner.plan(box)))
    extents: dict[Key, Boxes] = {}
    for planner, _ in planned:
        for key, part in planner.extents.items():
            extents[key] = extents.get(key, Boxes.nothing(part.rank)).hull(part)
    origin_of = {key: part.lo[0] for key, part in extents.items()}
    program_of, offsets = np.full(len(origins), -1), [np.zeros(0, np.int32)] * len(origins)
    spent_by = np.zeros(len(origins))
    for number, (group, (planner, program)) in enumerate(zip(groups, planned, strict=True)):
        rows = planner.rows(origin_of)
        spent_by[reaching[group]] = program.work
        for row, position in zip(rows, reaching[group].tolist(), strict=True):
            program_of[position], offsets[position] = number, row
    return Plan(
        shape, (y, x, h, w), block, origins, program_of,
        tuple(program for _, program in planned), tuple(offsets), dense, note,
        Work(whole, float(crop), exact, spent_by),
        Baseline.make(graph, extents, box), tuple(extents),
    )  # fmt: skip


def cone(
    f: Callable[..., jax.Array],
    x: jax.Array,
    roi: Rectangle,
    block: int,
    *,
    origins: np.ndarray | None = None,
    params: Any = None,
    draws: tuple[int, int] = (50, 50),
) -> Cone:
    """`plan` and `Plan.prepare` in one: the cone of an image.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; pure, [1, h, w, c] to [1, h', w', c'].
        x: the image, float32 [1, h, w, c].
        roi: region of the output: top row, left column, height, width, in output pixels.
        block: side of a block, in input pixels.
        origins: first row and column of each block; None takes the grid of the image.
        params: the parameters' pytree.
        draws: evaluations expected, as in `plan`.
    """
    planned = plan(f, np.shape(x), roi, block, origins=origins, params=params, draws=draws)
    return planned.prepare(x, params)


def restricted(f: Callable[..., jax.Array], params: Any, x: jax.Array, roi: Rectangle) -> jax.Array:
    """A region of f's output, computing at each operation only what the region needs.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given.
        params: the parameters' pytree.
        x: images [n, h, w, c]; may be traced.
        roi: region of the output: top row, left column, height, width, in output pixels.

    Returns:
        [n, height, width, c'].
    """
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), jnp.result_type(a)), params)
    graph = trace(with_params(f, params), shapes, x.shape, x.dtype, loops=False)
    y, left, h, w = roi
    out = graph.shapes[graph.output]
    box = Boxes.of(np.array([[0, y, left, 0]]), (out[0], h, w, out[3]))
    leaves, constants = jax.tree.leaves(params), list(graph.constants.values())
    return Baseline.make(graph, {}, box).run(leaves, constants, x)[1]


_evaluate = functools.partial(jax.jit, static_argnums=0)(run)


@functools.partial(jax.jit, static_argnums=0)
def _prepare(
    baseline: Baseline, leaves: Sequence[jax.Array], constants: Sequence[jax.Array], x: jax.Array
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    arrays, region = baseline.run(leaves, constants, x)
    return arrays, region[0]


def _everything(graph: Graph) -> list[Boxes | None]:
    """Footprints of a change of the whole image."""
    return footprints(graph, Boxes.whole(graph.shapes[graph.raw]))


def _region(graph: Graph, roi: Rectangle) -> Boxes:
    """The region's box in the output."""
    out = graph.shapes[graph.output]
    if len(out) != 4 or out[0] != 1:
        raise ValueError(f"f: its result has shape {out}; expected [1, height, width, channels]")
    y, x, h, w = roi
    if min(y, x) < 0 or min(h, w) < 1 or y + h > out[1] or x + w > out[2]:
        raise ValueError(f"roi={roi}: expected a rectangle inside {out[1]} x {out[2]}")
    return image_boxes(np.asarray([[y, x]]), (h, w), out[3])
