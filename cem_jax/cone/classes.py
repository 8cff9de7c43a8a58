"""Positions in few classes: what larger windows cost against what a program costs to compile."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Integer, Real

from .analyse import footprints, intersections, misunderstood, spreading
from .counts import ELEMENT, multiply_adds, of_both_cones, to_compile
from .graph import Graph
from .regions import Boxes

LEAST_GAIN = 1.5
"""Gain below which windows are not worth their copies."""

_MOST = 256
"""Distinct sizes that are compared pair by pair."""


class Costs:
    """Cost of an evaluation from the sizes of its windows.

    Args:
        graph: the function.
        reach: of `footprints`.
        region: of `needs`, with a single position.
    """

    def __init__(self, graph: Graph, reach: Sequence[Boxes | None], region: Sequence[Boxes]):
        rows: dict[bytes, tuple[np.ndarray, float]] = {}
        self.compile = 0.0
        for eq in graph.equations:
            sizes = intersections(eq, reach, region)
            if sizes is None or eq.name == "copy" or not sizes.any():
                continue
            # Axes of one length everywhere become part of the factor.
            varies = (sizes != sizes[:1]).any(axis=0)
            one = np.where(varies, 1, sizes.max(axis=0))
            factor = float(multiply_adds(eq, one, ELEMENT))
            self.compile += to_compile(eq)
            axes = np.flatnonzero(varies)
            for_two = np.ones((len(sizes), max(2, len(axes))), np.int64)
            for_two[:, : len(axes)] = sizes[:, axes]
            key = for_two.tobytes() + bytes([for_two.shape[1]])
            rows[key] = (for_two, rows.get(key, (for_two, 0.0))[1] + factor)
        if not rows:  # the identity
            rows[b""] = (np.ones((len(reach[graph.raw].some), 2), np.int64), 1.0)  # type: ignore[union-attr]
        rank = max(sizes.shape[1] for sizes, _ in rows.values())
        padded = [
            np.pad(s, ((0, 0), (0, rank - s.shape[1])), constant_values=1) for s, _ in rows.values()
        ]
        self.sizes = np.stack(padded, axis=1)
        """[positions, operations, axes]."""
        self.factors = np.array([factor for _, factor in rows.values()])

    def cost(
        self, sizes: Integer[np.ndarray, "*classes operations axes"]
    ) -> Float64[np.ndarray, "*classes"]:
        """Multiply-adds of windows of these sizes [..., operations, axes]."""
        return np.asarray(np.prod(sizes, axis=-1, dtype=np.float64) @ self.factors)


def classes(
    costs: Costs,
    draws: Real[np.ndarray, " positions"],
    class_cost: float | None = None,
    speed: float = 1.0,
) -> list[Integer[np.ndarray, "..."]]:
    """Groups positions, merging the cheapest pair while that saves time.

    Args:
        costs: of every position.
        draws: evaluations expected at each position, [positions].
        class_cost: multiply-adds in whose time a program is compiled; None estimates.
        speed: of the devices, as many times a CPU's: it enters that estimate.

    Returns:
        The positions of each class.
    """
    extra = costs.compile * speed if class_cost is None else class_cost
    sizes, step = costs.sizes, 1
    while True:
        rounded = -(-sizes // step)
        _, group = np.unique(rounded.reshape(len(sizes), -1), axis=0, return_inverse=True)
        if group.max() < _MOST:
            break
        step *= 2
    members = [np.flatnonzero(group == k) for k in range(group.max() + 1)]
    windows = np.stack([sizes[m].max(axis=0) for m in members])
    count = np.array([draws[m].sum() for m in members], np.float64)
    own = costs.cost(windows)

    def loss(k: int) -> Float64[np.ndarray, " groups"]:
        """What merging group k with each other one adds."""
        both = costs.cost(np.maximum(windows[k], windows))
        return (count + count[k]) * both - count * own - count[k] * own[k]

    table = np.stack([loss(k) for k in range(len(members))])
    np.fill_diagonal(table, np.inf)
    while len(members) > 1:
        a, b = np.unravel_index(np.argmin(table), table.shape)
        if not table[a, b] < extra:
            break
        windows[a] = np.maximum(windows[a], windows[b])
        members[a] = np.concatenate([members[a], members[b]])
        count[a] += count[b]
        keep = np.arange(len(members)) != b
        windows, count, own = windows[keep], count[keep], own[keep]
        members = [m for m, kept in zip(members, keep, strict=True) if kept]
        table = table[keep][:, keep]
        a = int(a) - int(b < a)
        own[a] = costs.cost(windows[a])
        table[a] = table[:, a] = loss(a)
        table[a, a] = np.inf
    return [np.sort(m) for m in members]


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """Which positions share a program, or that windows are not worth it.

    Args:
        groups: the positions of each class; all in one where the computation is dense.
        reach: of `footprints`.
        exact: multiply-adds of both cones intersected, float64 [positions].
        dense: whether all of the region's backward cone is to be computed.
        note: what was decided, in words: the method, a colon, and why.
    """

    groups: list[Integer[np.ndarray, "..."]]
    reach: list[Boxes | None]
    exact: Float64[np.ndarray, " positions"]
    dense: bool
    note: str

    def without_windows(self, note: str) -> "Choice":
        """All of the backward cone, for another reason, in words."""
        group = [np.arange(len(self.exact))]
        return dataclasses.replace(self, groups=group, dense=True, note=f"dense: {note}")


def choose(
    graph: Graph,
    blocks: Boxes,
    region: Sequence[Boxes],
    draws: tuple[int, int],
    class_cost: float | None = None,
    least: float = LEAST_GAIN,
    speed: float = 1.0,
) -> Choice:
    """Weighs larger windows against more programs, and both against none.

    Args:
        graph: the function.
        blocks: of the image, for each position that reaches the region.
        region: of `needs`, with a single position.
        draws: evaluations expected at the positions with the smallest cones and with the largest.
        class_cost: multiply-adds in whose time a program is compiled; None estimates.
        least: cost of the region's backward cone over that of the windows below which the
            computation is dense.
        speed: of the devices, as many times a CPU's.
    """
    count = len(blocks.some)
    if not count:
        return Choice([], [], np.zeros(0), False, "no block reaches the region")
    reach = footprints(graph, blocks)
    exact = of_both_cones(graph, reach, region) + np.zeros(count)
    costs, (first, last) = Costs(graph, reach, region), draws
    share = exact / max(exact.max(), 1.0)
    groups = classes(costs, first + (last - first) * share**2, class_cost, speed)
    spent = sum(len(g) * costs.cost(costs.sizes[g].max(axis=0)) for g in groups)
    most = Costs(graph, everything(graph), region)
    gain = count * most.cost(most.sizes[0]) / spent
    several = "s" * (len(groups) != 1)
    programs = f"{len(groups)} program{several} for {count} block{'s' * (count != 1)}"
    why = ""
    for what, names in (
        ("everything may change behind", spreading(graph, reach)),
        ("operations that are not understood in this JAX:", misunderstood(graph)),
    ):
        why += f"; {what} {', '.join(dict.fromkeys(names))}" * bool(names)
    if gain >= least:
        verb = "save" if several else "saves"
        note = f"cone: {programs} {verb} a factor of {gain:.3g}{why}"
        return Choice(groups, reach, exact, False, note)
    note = f"causal cones would save a factor of only {gain:.3g}, by {programs}{why}"
    return Choice(groups, reach, exact, False, "").without_windows(note)


def everything(graph: Graph) -> list[Boxes | None]:
    """Footprints of a change of the whole image."""
    return footprints(graph, Boxes.whole(graph.shapes[graph.raw]))
