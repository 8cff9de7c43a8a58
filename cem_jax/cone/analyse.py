"""What an intervention can change, and what a region needs: two passes over the graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .graph import Equation, Graph, trace
from .jaxpr import called, misread, within
from .regions import Boxes
from .rules import RULES, rule_for

Rectangle = tuple[int, int, int, int]
"""Top row, left column, height, width, in pixels."""

_GROWTH = 3
"""How often an image that is too small to show a receptive field is doubled."""


def image_boxes(corners: np.ndarray, size: Sequence[int], channels: int) -> Boxes:
    """Boxes [1, height, width, channels] at the given rows and columns, int [positions, 2]."""
    corners = np.asarray(corners, np.int64).reshape(-1, 2)
    full = np.zeros((len(corners), 4), np.int64)
    full[:, 1:3] = corners
    return Boxes.of(full, (1, *size, channels))


def forward(eq: Equation, boxes: Sequence[Boxes | None]) -> list[Boxes]:
    """The part of each output that can change with the given parts of the inputs."""
    rule, count = rule_for(eq), max(len(b.some) for b in boxes if b is not None)
    if rule is None:
        some = np.any([np.broadcast_to(b.some, count) for b in boxes if b is not None], axis=0)
        wholes = [Boxes.whole(shape, count) for shape in eq.out_shapes]
        return [Boxes(whole.lo, whole.hi, some) for whole in wholes]
    reach = Boxes.nothing(len(eq.out_shapes[0]), count)
    for index, box in enumerate(boxes):
        if box is not None:
            reach = reach.hull(rule.forward(eq, index, box).clip(eq.out_shapes[0]))
    return [reach]


def need(eq: Equation, index: int, boxes: Sequence[Boxes]) -> Boxes:
    """The part of input `index` that the given parts of the outputs need; it may leave the input.

    The boxes must be aligned, as `aligned` makes them, and of one size for all positions if a
    window of fixed size is asked for.
    """
    rule = rule_for(eq)
    if rule is not None:
        return rule.need(eq, index, boxes[0])
    whole = Boxes.whole(eq.in_shapes[index], len(boxes[0].some))
    return Boxes(whole.lo, whole.hi, np.any([box.some for box in boxes], axis=0))


def aligned(eq: Equation, boxes: Sequence[Boxes]) -> list[Boxes]:
    """The given parts of the outputs, grown to what the operation computes at once."""
    rule = rule_for(eq)
    if rule is not None:
        return [boxes[0].aligned(rule.align(eq))]
    some = np.any([box.some for box in boxes], axis=0)
    wholes = [Boxes.whole(shape, len(some)) for shape in eq.out_shapes]
    return [Boxes(whole.lo, whole.hi, some) for whole in wholes]


def footprints(graph: Graph, blocks: Boxes) -> list[Boxes | None]:
    """The part of every value that an intervention inside the image's `blocks` can change.

    Args:
        graph: the function.
        blocks: one box of the image for each position.

    Returns:
        For each value its boxes; None if it does not depend on the image.
    """
    found: list[Boxes | None] = [None] * len(graph.shapes)
    found[graph.raw] = blocks.clip(graph.shapes[graph.raw])
    for eq in graph.equations:
        if not eq.depends:
            continue
        boxes = [found[i] if isinstance(i, int) else None for i in eq.inputs]
        for number, box in zip(eq.outputs, forward(eq, boxes), strict=True):
            found[number] = box
    return found


def needs(graph: Graph, region: Boxes) -> list[Boxes]:
    """The part of every value that depends on the image and that the output's `region` needs."""
    found = [Boxes.nothing(len(shape), len(region.some)) for shape in graph.shapes]
    found[graph.output] = region.clip(graph.shapes[graph.output])
    for eq in reversed(graph.equations):
        outputs = [found[number] for number in eq.outputs]
        if not eq.depends or not any(box.some.any() for box in outputs):
            continue
        boxes = aligned(eq, outputs)
        for index, number in enumerate(eq.inputs):
            if isinstance(number, int) and graph.depends[number]:
                part = need(eq, index, boxes).clip(graph.shapes[number])
                found[number] = found[number].hull(part)
    return found


def work(eq: Equation, sizes: np.ndarray, elements: float = 0.0) -> np.ndarray:
    """Multiply-adds of an operation on windows.

    Args:
        eq: the operation; a global one counts its matrix products and convolutions.
        sizes: lengths of the first output's windows, int [..., rank].
        elements: what an element counts besides.

    Returns:
        float [...].
    """
    rule, count = rule_for(eq), np.prod(sizes, axis=-1, dtype=np.float64)
    if rule is None:
        return np.where(count > 0, _inner_work(eq.params), 0.0) + count * elements
    return count * (rule.work(eq) + elements)


def _inner_work(params: Mapping[str, Any]) -> float:
    """Multiply-adds of the jaxprs that a global operation (a loop) runs."""
    total = 0.0
    for eqn in within(params):
        inner, name = called(eqn), eqn.primitive.name
        total += _inner_work(eqn.params if inner is None else {"jaxpr": inner})
        if name in ("conv_general_dilated", "dot_general") and not misread(name, eqn.params):
            shapes = tuple(v.aval.shape for v in eqn.invars)
            like = SimpleNamespace(params=eqn.params, in_shapes=shapes)
            each = RULES[name].work(like)  # type: ignore[arg-type]
            total += each * math.prod(eqn.outvars[0].aval.shape)
    return total * params.get("length", 1)


def intersections(
    eq: Equation, reach: Sequence[Boxes | None], region: Sequence[Boxes]
) -> np.ndarray | None:
    """Lengths of what an operation computes of its first output, int64 [positions, rank].

    Args:
        eq: the operation; a global one computes all as soon as any output matters.
        reach: of `footprints`.
        region: of `needs`, with a single position.

    Returns:
        None if the operation does not depend on the image.
    """
    pairs = [(reach[number], region[number]) for number in eq.outputs]
    exact = [changed.meet(needed) for changed, needed in pairs if changed is not None]
    if not exact:
        return None
    if rule_for(eq) is not None:
        return exact[0].size()
    some = np.any([box.some for box in exact], axis=0)
    return some[:, None] * np.asarray(eq.out_shapes[0], np.int64)


def dense_work(graph: Graph) -> float:
    """Multiply-adds of the function on a whole image."""
    used = [eq for eq in graph.equations if eq.depends]
    return float(sum(work(eq, np.asarray(eq.out_shapes[0])) for eq in used))


def cone_work(graph: Graph, reach: Sequence[Boxes | None], region: Sequence[Boxes]) -> np.ndarray:
    """Multiply-adds of the exact intersections of both cones, float [positions].

    Args:
        graph: the function.
        reach: of `footprints`.
        region: of `needs`, with a single position.
    """
    total = np.zeros(1)
    for eq in graph.equations:
        sizes = intersections(eq, reach, region)
        if sizes is not None:
            total = total + work(eq, sizes)
    return total


def misunderstood(graph: Graph) -> tuple[str, ...]:
    """Operations that count as global because of parameters that are not understood."""
    found = (eq for eq in graph.equations if eq.depends and eq.misread)
    return tuple(f"{eq.name} ({', '.join(eq.misread)})" for eq in found)


def spreading(graph: Graph, reach: Sequence[Boxes | None]) -> tuple[str, ...]:
    """Operations behind which all of a value may change, though no operand changed in full."""
    whole = [False] * len(reach)
    for number, boxes in enumerate(reach):
        if boxes is not None:
            whole[number] = bool((boxes.size() == np.asarray(graph.shapes[number])).all())
    return tuple(
        eq.name
        for eq in graph.equations
        if eq.depends
        and whole[eq.outputs[0]]
        and not any(whole[i] for i in eq.inputs if isinstance(i, int) and graph.depends[i])
    )


def reachable(
    f: Callable[..., jax.Array],
    shape: Sequence[int],
    roi: Rectangle,
    origins: np.ndarray,
    block: int,
    params: Any = None,
) -> np.ndarray:
    """Which blocks of the input can change a region of the output.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given.
        shape: of x, [1, h, w, c].
        roi: region of the output, in output pixels.
        origins: first row and column of each block, int [blocks, 2], in input pixels.
        block: side of a block, in input pixels.
        params: a pytree of arrays or shapes.

    Returns:
        bool [blocks]; where False, the effect is exactly zero.
    """
    graph = trace(with_params(f, params), params, shape, jnp.float32)
    region = image_boxes(np.asarray([roi[:2]]), roi[2:], graph.shapes[graph.output][3])
    blocks = image_boxes(origins, (block, block), shape[3])
    return needs(graph, region)[graph.image].meet(blocks).some


def receptive_radius(
    f: Callable[..., jax.Array], shape: Sequence[int], params: Any = None
) -> int | None:
    """How far an output pixel sees, counted from its own input pixel to the farthest, per axis.

    An image that is smaller than the receptive field cannot show it: up to three times the sides
    are doubled.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; NHWC with an integer scale.
        shape: of x, [1, h, w, c].
        params: a pytree of arrays or shapes.

    Returns:
        Input pixels; None if some output pixel needs all rows or columns of even the largest image.

    Raises:
        ValueError: the output is not [1, h * scale, w * scale, c'].
    """
    call = with_params(f, params)
    for doubling in range(_GROWTH + 1):
        n, h, w, c = (int(v) for v in shape)
        size = (h << doubling, w << doubling)
        graph = trace(call, params, (n, *size, c), jnp.float32)
        radius = _radius(graph, size)
        if radius is not None:
            return radius
    return None


def _radius(graph: Graph, size: tuple[int, int]) -> int | None:
    out = graph.shapes[graph.output]
    if len(out) != 4 or any(n % m or not n for n, m in zip(out[1:3], size, strict=True)):
        raise ValueError(
            f"f: an image of {size} pixels becomes {out}; expected NHWC, a whole scale"
        )
    # Rows and columns in step along the diagonal meet every row and every column.
    index = np.arange(max(out[1:3]))
    pixels = np.stack([np.minimum(index, n - 1) for n in out[1:3]], axis=1)
    box = needs(graph, image_boxes(pixels, (1, 1), out[3]))[graph.image]
    radius = 0
    for axis in (0, 1):
        lo, hi = box.lo[:, axis + 1], box.hi[:, axis + 1]
        own = pixels[:, axis] // (out[axis + 1] // size[axis])
        if (box.some & (lo == 0) & (hi == size[axis])).any():
            return None
        distance = np.where(box.some, np.maximum(own - lo, hi - 1 - own), 0)
        radius = max(radius, int(distance.max()))
    return radius


def with_params(f: Callable[..., jax.Array], params: Any) -> Callable[..., jax.Array]:
    """`f(params, x)` of either form of f."""
    return f if params is not None else lambda _, x: f(x)
