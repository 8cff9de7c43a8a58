"""The run without an intervention, restricted to what the programs read of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, Shaped

from .analyse import aligned, need
from .graph import AnyArray, Graph, Known
from .regions import Boxes
from .rules import rule_for
from .windows import Key


@dataclasses.dataclass(frozen=True, eq=False)
class Baseline:
    """Static windows for every value.

    Args:
        graph: the function.
        extents: for each baseline array, its box; it may leave the value.
        roi: the box of the output that is returned.
        parts: the box of every value that is computed.
    """

    graph: Graph
    extents: dict[Key, Boxes]
    roi: Boxes
    parts: tuple[Boxes, ...]

    @classmethod
    def make(cls, graph: Graph, extents: dict[Key, Boxes], roi: Boxes) -> "Baseline":
        """Walks backwards from what is asked for."""
        parts = [Boxes.nothing(len(shape)) for shape in graph.shapes]
        parts[graph.output] = roi
        for (number, _), box in extents.items():
            parts[number] = parts[number].hull(box.clip(graph.shapes[number]))
        for eq in reversed(graph.equations):
            outputs = [parts[number] for number in eq.outputs]
            if not any(box.some[0] for box in outputs):
                continue
            boxes = aligned(eq, outputs)
            for index, number in enumerate(eq.inputs):
                if not isinstance(number, Known):
                    part = need(eq, index, boxes).clip(graph.shapes[number])
                    parts[number] = parts[number].hull(part)
        return cls(graph, extents, roi, tuple(parts))

    def run(
        self,
        leaves: Sequence[Shaped[AnyArray, "..."]],
        constants: Sequence[Any],
        x: Float[AnyArray, "n h w c"],
    ) -> tuple[tuple[Shaped[jax.Array, "..."], ...], Float[jax.Array, "n height width channels"]]:
        """The baseline arrays in the order of `extents`, and the region of the output.

        Args:
            leaves: of the parameters.
            constants: that the function closes over, in the graph's order.
            x: the image [1, h, w, c].
        """
        graph = self.graph
        values: dict[int, jax.Array] = {}
        given = [*zip(graph.params, leaves, strict=True), (graph.raw, x)]
        given += zip(graph.constants, constants, strict=True)
        for number, array in given:
            box = self.parts[number]
            if box.some[0]:
                values[number] = lax.slice(array, box.lo[0].tolist(), box.hi[0].tolist())

        def part(number: int, box: Boxes, fill: Any) -> jax.Array:
            own = self.parts[number]
            if number in values and (box.lo == own.lo).all() and (box.hi == own.hi).all():
                return values[number]  # also keys of random numbers, which cannot be padded
            value = jnp.asarray(0 if fill is None else fill, graph.dtypes[number])
            if number not in values:
                return jnp.full(tuple((box.hi - box.lo)[0].tolist()), value)
            before, behind = (own.lo - box.lo)[0].tolist(), (box.hi - own.hi)[0].tolist()
            config = [(lo, hi, 0) for lo, hi in zip(before, behind, strict=True)]
            return lax.pad(values[number], value, config)

        for eq in graph.equations:
            outputs = [self.parts[number] for number in eq.outputs]
            if not any(box.some[0] for box in outputs):
                continue
            boxes, rule, operands = aligned(eq, outputs), rule_for(eq), []
            for index, number in enumerate(eq.inputs):
                if isinstance(number, Known):
                    operands.append(jnp.asarray(number.value))
                    continue
                fill = rule.fill(eq, index) if rule is not None else None
                operands.append(part(number, need(eq, index, boxes), fill))
            if rule is None:
                results: Sequence[jax.Array] = eq.bind(*operands)
            else:
                size = tuple(boxes[0].size()[0].tolist())
                results = [rule.evaluate(eq, size, boxes[0].lo[0].tolist(), operands)]
            for number, box, whole, result in zip(eq.outputs, outputs, boxes, results, strict=True):
                if box.some[0]:
                    lo, hi = (box.lo - whole.lo)[0], (box.hi - whole.lo)[0]
                    values[number] = lax.slice(result, lo.tolist(), hi.tolist())
        arrays = tuple(part(number, box, fill) for (number, fill), box in self.extents.items())
        return arrays, part(graph.output, self.roi, None)
