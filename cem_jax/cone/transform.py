"""The causal cone of a function: interventions on blocks, computed only where they matter."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64, Int32, Int64, Integer, Real

from .analyse import image_boxes, needs
from .baseline import Baseline
from .classes import LEAST_GAIN, choose, everything
from .counts import of_both_cones, of_whole
from .execute import run
from .graph import AnyArray, Graph
from .reach import Rectangle, with_params
from .regions import Boxes
from .trace import trace
from .windows import WindowProgram, programs

Call = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]
"""From a function, its static arguments and its arrays to its result."""


@dataclasses.dataclass(frozen=True, eq=False)
class MultiplyAdds:
    """What one intervention costs, in multiply-adds.

    Args:
        dense: the whole image.
        crop: the region's backward cone only.
        cone: the exact intersections of both cones, for every block, float64 [blocks].
        programs: the windows that are computed, for every block, float64 [blocks].
    """

    dense: float
    crop: float
    cone: Float64[np.ndarray, " blocks"]
    programs: Float64[np.ndarray, " blocks"]


@dataclasses.dataclass(frozen=True, eq=False)
class Code:
    """What of a plan is traced, and needed no more where that was compiled before.

    Args:
        programs: one for each class of positions.
        baseline: the run without an intervention.
    """

    programs: tuple[WindowProgram, ...]
    baseline: Baseline


@dataclasses.dataclass(frozen=True, eq=False)
class ConePlan:
    """Everything about a cone but the numbers; serves any image and parameters of its shapes.

    Args:
        shape: of the image, [1, h, w, c].
        roi: region of the output, in output pixels.
        block: side of a block, in input pixels.
        origins: first row and column of each block, int64 [blocks, 2].
        program_of: which program each block has, int [blocks]; -1 for blocks that cannot reach the
            region: their effect is exactly zero.
        offsets: for each block the data that its program takes, int32 [columns].
        dense: whether nothing was gained: all of the region's backward cone is computed.
        note: what was decided, in words.
        multiply_adds: of one intervention.
        reads: for each program, the numbers of the baseline arrays that it takes.
        constants: arrays that the function closes over.
        make: gives the code; it is called when something is traced.
    """

    shape: tuple[int, ...]
    roi: Rectangle
    block: int
    origins: Int64[np.ndarray, "blocks 2"]
    program_of: Integer[np.ndarray, " blocks"]
    offsets: tuple[Int32[np.ndarray, "..."], ...]
    dense: bool
    note: str
    multiply_adds: MultiplyAdds
    reads: tuple[tuple[int, ...], ...]
    constants: tuple[Any, ...]
    make: Callable[[], Code]

    @functools.cached_property
    def code(self) -> Code:
        """What is traced."""
        return self.make()

    @property
    def programs(self) -> tuple[WindowProgram, ...]:
        """One for each class of positions."""
        return self.code.programs

    def prepare(
        self, x: Float[AnyArray, "1 h w c"], params: Any = None, call: Call | None = None
    ) -> "Cone":
        """Runs the function once on an image.

        Args:
            x: the image, [1, h, w, c].
            params: the parameters, as the function takes them.
            call: calls a function of `jax.jit` with static arguments, which come first, and arrays;
                None simply calls it.

        Raises:
            ValueError: x has another shape.
        """
        if np.shape(x) != self.shape:
            raise ValueError(f"x has shape {np.shape(x)}; planned for {self.shape}")
        args = (tuple(jax.tree.leaves(params)), self.constants, jnp.asarray(x))
        arrays, region = _prepare(self, *args) if call is None else call(_prepare, (self,), args)
        return Cone(self, tuple(tuple(arrays[k] for k in reads) for reads in self.reads), region)

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

    plan: ConePlan
    caches: tuple[tuple[jax.Array, ...], ...]
    region: Float[jax.Array, "h w c"]

    def evaluate(
        self, origin: Sequence[int], patches: Float[AnyArray, "n block block c"]
    ) -> Float[jax.Array, "n h w channels"]:
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
    origins: Sequence[Sequence[int]] | Integer[AnyArray, "blocks 2"] | None = None,
    params: Any = None,
    draws: tuple[int, int] = (50, 50),
    class_cost: float | None = None,
    least: float = LEAST_GAIN,
    speed: float = 1.0,
    memory: float = math.inf,
) -> ConePlan:
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
        speed: of the devices, as many times a CPU's: the faster they are, the fewer programs.
        memory: bytes that baseline arrays may take; where windows would need more, all of the
            backward cone is computed.

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
    box = region_of(graph, (y, x, h, w))
    blocks = image_boxes(origins, (block, block), shape[3])
    region = needs(graph, box)
    near = np.flatnonzero(blocks.meet(region[graph.image]).some)
    chosen = choose(graph, blocks[near], region, draws, class_cost, least, speed)
    counts = MultiplyAdds(
        of_whole(graph),
        float(of_both_cones(graph, everything(graph), region)[0]),
        _spread(chosen.exact, near, len(origins), 0.0),
        np.zeros(len(origins)),
    )
    found = None
    if not chosen.dense:
        found = programs(graph, box, chosen.groups, blocks[near], chosen.reach, region)
        if found.bytes(graph) > memory:
            wanted, have = (f"{size / 2**30:.3g} GiB" for size in (found.bytes(graph), memory))
            chosen = chosen.without_windows(
                f"causal cones would keep {wanted} of the network's values, and {have} are free "
                "for them"
            )
    if found is None or chosen.dense:
        graph = trace(call, params, shape, jnp.float32, loops=False)
        region = needs(graph, box)
        found = programs(graph, box, chosen.groups, blocks[near], everything(graph), region)
    each = np.asarray([program.multiply_adds for program in found.all])
    offsets = [np.zeros(0, np.int32)] * len(origins)
    for position, row in zip(near.tolist(), found.offsets, strict=True):
        offsets[position] = row
    baseline = Baseline.make(graph, found.extents, box)
    code, order = Code(found.all, baseline), {key: k for k, key in enumerate(found.extents)}
    return ConePlan(
        shape, (y, x, h, w), block, origins, _spread(found.of, near, len(origins), -1),
        tuple(offsets), chosen.dense, chosen.note,
        dataclasses.replace(counts, programs=_spread(each[found.of], near, len(origins), 0.0)),
        tuple(tuple(order[key] for key in program.keys) for program in found.all),
        tuple(graph.constants.values()), lambda: code,
    )  # fmt: skip


def _spread(
    values: Real[np.ndarray, " places"],
    places: Integer[np.ndarray, " places"],
    count: int,
    other: float,
) -> Real[np.ndarray, " {count}"]:
    """An array of that many elements with values at places and another value elsewhere."""
    out = np.full(count, other, values.dtype)
    out[places] = values
    return out


def cone(
    f: Callable[..., jax.Array],
    x: Float[AnyArray, "1 h w c"],
    roi: Rectangle,
    block: int,
    *,
    origins: Sequence[Sequence[int]] | Integer[AnyArray, "blocks 2"] | None = None,
    params: Any = None,
    draws: tuple[int, int] = (50, 50),
) -> Cone:
    """`plan` and `ConePlan.prepare` in one: the cone of an image.

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


def restricted(
    f: Callable[..., jax.Array], params: Any, x: Float[AnyArray, "n h w c"], roi: Rectangle
) -> Float[jax.Array, "n height width channels"]:
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
    plan: ConePlan, leaves: Sequence[jax.Array], constants: Sequence[jax.Array], x: jax.Array
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    arrays, region = plan.code.baseline.run(leaves, constants, x)
    return arrays, region[0]


def region_of(graph: Graph, roi: Rectangle) -> Boxes:
    """The region's box in the output."""
    out = graph.shapes[graph.output]
    if len(out) != 4 or out[0] != 1:
        raise ValueError(f"f: its result has shape {out}; expected [1, height, width, channels]")
    y, x, h, w = roi
    if min(y, x) < 0 or min(h, w) < 1 or y + h > out[1] or x + w > out[2]:
        raise ValueError(f"roi={roi}: expected a rectangle inside {out[1]} x {out[2]}")
    return image_boxes(np.asarray([[y, x]]), (h, w), out[3])
