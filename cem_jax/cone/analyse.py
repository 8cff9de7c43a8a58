"""What an intervention can change, and what a region needs: two passes over the graph."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, Integer

from .graph import Equation, Graph
from .regions import Boxes
from .rules import rule_for


def image_boxes(
    corners: Integer[np.ndarray, "positions 2"], size: Sequence[int], channels: int
) -> Boxes:
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


def at_once(eq: Equation, boxes: Sequence[Boxes]) -> list[Boxes]:
    """The same as windows: of one size for all positions where the operation has a rule."""
    whole = aligned(eq, boxes)
    if rule_for(eq) is None:
        return whole
    return [Boxes.of(whole[0].lo, whole[0].size().max(axis=0))]  # corners of a few residues


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


def intersections(
    eq: Equation, reach: Sequence[Boxes | None], region: Sequence[Boxes]
) -> Int64[np.ndarray, "positions rank"] | None:
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
