"""Torch networks as functions of JAX: which operations are global, and are they truly.

    python benchmarks/torch_local.py [--only NAME ...] [--write docs/own-network.md]

Small networks of all architectures that spandrel knows are planned on two large images, of which
only shapes exist, and the change of a few pixels is followed. Where the share of a value that may
change stops falling as the images grow, an operation counts as global. Then it is asked whether it
is. Its operands are filled with random numbers, and changed where the pixel can have changed them:
it is global if its result changes along each axis over at least half of what was said to change. An
operation that only moves values to known places is not. Where all that takes its result changes
everywhere anyhow, as tokens in one line do when they are sorted, it costs nothing and is not told.
What counts as global is held, whatever it is, and the walk goes on behind it.

The last line counts the architectures without an operation that is local but counted as global.
`--write` puts the table into a page, between the lines <!-- local --> and <!-- end of local -->.
"""

import argparse
import collections
import dataclasses
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch_subjects import SUBJECTS, build, facts

import cem_jax as cem
from cem_jax.cone.analyse import forward, image_boxes
from cem_jax.cone.factors import apart
from cem_jax.cone.graph import Equation, Graph, Known
from cem_jax.cone.known import computed
from cem_jax.cone.regions import Boxes
from cem_jax.held.probe import computes
from cem_jax.held.traced import Traced
from cem_jax.network.network import Network

_SIDES = ((256, 512), (512, 1024), (1024, 2048))
"""Of both images, in pixels, until what is local has not reached all of the smaller one."""

_FIXED = {"IPT": ((96, 96),), "GFPGAN": ((512, 512),), "RestoreFormer": ((128, 256),)}
"""Where a network says how large its images are, or attends among more tokens than fit."""

_PLACES = np.array([3, 5]) / 8
"""Where the pixels lie, as shares of each side."""

_PERIOD = 64
"""Pixels after which every network's grid comes round again."""

_MOST = 2**27
"""Elements of a result up to which an operation is tried."""

_MARKED = re.compile(r"(?<=<!-- local -->\n).*?(?=<!-- end of local -->)", re.DOTALL)


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """An operation on the way, and what of its operands and results may change.

    Args:
        eq: the operation.
        name: as `cem.operations` tells it.
        given: boxes of its operands, one for each pixel.
        made: boxes of its results.
    """

    eq: Equation
    name: str
    given: Sequence[Boxes | None]
    made: Sequence[Boxes]

    @property
    def before(self) -> np.ndarray:
        """The largest share of an operand, for each pixel."""
        return _shares(self.given, self.eq.in_shapes)

    @property
    def after(self) -> np.ndarray:
        """The largest share of a result."""
        return _shares(self.made, self.eq.out_shapes)


def _shares(boxes: Sequence[Boxes | None], shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
    found = [np.zeros(len(_PLACES) ** 2)]
    found += [
        box.count() / max(math.prod(shape), 1)
        for box, shape in zip(boxes, shapes, strict=True) if box is not None
    ]  # fmt: skip
    return np.max(found, axis=0)


def follow(graph: Graph, names: dict[int, str], side: int) -> Any:
    """Yields the operations in order; sent back is whether one is held."""
    places = (_PLACES * side).astype(int) // _PERIOD * _PERIOD + _PERIOD // 2
    pixels = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    boxes: list[Boxes | None] = [None] * len(graph.shapes)
    boxes[graph.raw] = image_boxes(pixels, (1, 1), graph.shapes[graph.raw][3])
    for eq in graph.equations:
        given = [boxes[i] if isinstance(i, int) else None for i in eq.inputs]
        if not eq.depends or all(box is None for box in given):
            continue
        made = forward(eq, given)
        if (yield Step(eq, names.get(eq.outputs[0], eq.name), given, made)):
            continue
        for number, box in zip(eq.outputs, made, strict=True):
            boxes[number] = box


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found of a network.

    Args:
        sides: of both images, in pixels.
        true: kinds of the operations that are global, as often as there are.
        only: names of the operations that are local, but counted as global.
        share: the largest share of a value that may change in the smaller image by what is local.
    """

    sides: tuple[int, int]
    true: tuple[str, ...]
    only: tuple[str, ...]
    share: float


def looked_at(name: str, network: Network, channels: int) -> Verdict:
    """Which operations of a network are global."""
    found = None
    for sides in _FIXED.get(name, _SIDES):
        found = _compared(network, sides, channels)
        if found.share < 1:
            break
    assert found is not None
    return found


def _compared(network: Network, sides: tuple[int, int], channels: int) -> Verdict:
    graphs, walks = [], []
    for side in sides:
        traced = Traced.make(network, side, side, channels)
        graphs.append(apart(traced.graph))
        walks.append(follow(graphs[-1], traced.names, side))
    true, only, largest = [], [], 0.0
    for step, other, held in _steps(walks, math.log(sides[1] / sides[0])):
        if not held:
            largest = max(largest, float(step.after.max()))
        elif _moves_only(step.eq, graphs[0]):
            if not _leads_everywhere(step, graphs[0]):
                only.append(step.name)
        elif not (spreads(step, graphs[0]) and (_is_large(other.eq) or spreads(other, graphs[1]))):
            only.append(step.name)
        else:
            true.append(step.eq.name)
    return Verdict(sides, tuple(true), tuple(only), largest)


def _steps(walks: Sequence[Any], growth: float) -> Iterator[tuple[Step, Step, bool]]:
    """The operations on both images, and whether they count as global."""
    held = None
    while True:
        try:
            small, large = (next(w) if held is None else w.send(held) for w in walks)
        except (StopIteration, RuntimeError):  # as a generator's end is called inside another
            return
        if small.eq.name != large.eq.name:
            raise ValueError(f"on larger images it computes {large.name} in place of {small.name}")
        before = _falls(small.before, large.before, growth)
        after = _falls(small.after, large.after, growth)
        held = bool((after < np.minimum(before, 2) - 0.5).any())
        yield small, large, held


def _falls(small: np.ndarray, large: np.ndarray, growth: float) -> np.ndarray:
    """How shares fall as sides grow: by the power 2 where all is local."""
    some = (small > 0) & (large > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = (np.log(small) - np.log(large)) / growth if growth else 2.0 * (small < 1)
    return np.where(some, fall, 2.0)


def _moves_only(eq: Equation, graph: Graph) -> bool:
    """Whether every element of the result is one of an operand, at a place that is known."""
    index = eq.inputs[1] if eq.name == "gather" else None
    return not computes(eq) and not (isinstance(index, int) and graph.depends[index])


def _leads_everywhere(step: Step, graph: Graph) -> bool:
    """Whether all that takes a result changes everywhere, so that its strips cost nothing."""
    number, box = step.eq.outputs[0], step.made[0]
    for eq in (eq for eq in graph.equations if number in eq.inputs):
        made = forward(eq, [box if i == number else None for i in eq.inputs])
        if _shares(made, eq.out_shapes).min() < 1:
            return False
    return True


def _is_large(eq: Equation) -> bool:
    return math.prod(eq.out_shapes[0]) > _MOST


def spreads(step: Step, graph: Graph) -> bool:
    """Whether a result truly changes over half of its box along each axis, for the first pixel.

    One that is too large to be made is not shown to.
    """
    eq = step.eq
    if _is_large(eq):
        return False
    draws = np.random.default_rng(0)
    operands = [_filled(eq, k, graph, draws) for k in range(len(eq.inputs))]
    plain = np.asarray(eq.bind(*map(jnp.asarray, operands))[0])
    changed = np.zeros(plain.shape, bool)
    for sign in (1, -1):
        others = [
            _moved(eq, k, operand, box, sign, draws)
            for k, (operand, box) in enumerate(zip(operands, step.given, strict=True))
        ]
        changed |= np.asarray(eq.bind(*map(jnp.asarray, others))[0]) != plain
    box = step.made[0]
    return all(
        2 * changed.any(axis=tuple(i for i in range(changed.ndim) if i != k)).sum()
        >= box.hi[0, k] - box.lo[0, k]
        for k in range(changed.ndim)
    )


def _filled(eq: Equation, index: int, graph: Graph, draws: np.random.Generator) -> np.ndarray:
    """An operand: as it is where it is known, else random."""
    source, shape = eq.inputs[index], eq.in_shapes[index]
    if isinstance(source, Known):
        return source.value
    if not graph.depends[source] and source not in graph.params:
        leads = [e for e in graph.equations if not e.depends]
        roots = {i for e in leads for i in e.inputs if isinstance(i, int)}
        if not roots.intersection(graph.params):
            return computed(source, leads, graph.constants)
    dtype = graph.dtypes[source]
    if jnp.issubdtype(dtype, jnp.integer):
        return draws.integers(0, _ends(eq, index), shape).astype(dtype)
    numbers = draws.normal(size=shape)
    return numbers > 0 if dtype == np.dtype(bool) else numbers.astype(dtype)


def _ends(eq: Equation, index: int) -> Any:
    """Behind the largest integer that an operand may hold."""
    if eq.name != "gather" or not index:
        return 64
    dims, sizes = eq.params["dimension_numbers"], eq.params["slice_sizes"]
    return np.asarray([eq.in_shapes[0][k] - sizes[k] + 1 for k in dims.start_index_map])


def _moved(
    eq: Equation, index: int, operand: np.ndarray, box: Boxes | None, sign: int,
    draws: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """An operand that differs in the first pixel's box."""
    if box is None or not box.some[0]:
        return operand
    where = tuple(slice(lo, hi) for lo, hi in zip(box.lo[0], box.hi[0], strict=True))
    new = operand.copy()
    if operand.dtype == bool:
        new[where] ^= True
    elif np.issubdtype(operand.dtype, np.integer):
        new[where] = draws.integers(0, _ends(eq, index), new.shape)[where]
    else:
        new[where] += sign * (10 + np.abs(draws.normal(size=new[where].shape)))
    return new


def row(name: str) -> tuple[str, bool]:
    """One row of the table, and whether all that counts as global is."""
    _, _, _, scale, size = facts(name)
    network = cem.wrap_torch(build(name), scale=scale, name=name)
    jax.eval_shape(network.apply, network.params, jax.ShapeDtypeStruct((1, *size), jnp.float32))
    if network.on_host:  # as its own image shows
        return f"| {name} | | on the host | |", False
    found = looked_at(name, network, size[2])
    counted = collections.Counter(found.true)
    true = ", ".join(f"{n} {kind}" for kind, n in counted.items()) or "nothing"
    only = ", ".join(found.only[:3]) + (f" and {len(found.only) - 3} more" if len(found.only) > 3
                                        else "") or "nothing"  # fmt: skip
    told = f"{found.sides[0]}, {found.sides[1]}" + (" (all reached)" if found.share >= 1 else "")
    return f"| {name} | {told} | {true} | {only} |", not found.only


def table(names: Sequence[str]) -> str:
    """The table, printed row by row, and the count."""
    lines = [
        "| network | sides of both images | truly global | local, but counted as global |",
        "| --- | --- | --- | --- |",
    ]
    print(*lines, sep="\n")
    right: dict[str, bool] = {}
    for name in names:
        try:
            line, good = row(name)
        except Exception as error:  # one that fails must not hide the others
            text = " ".join(str(error).split())[:120]
            line, good = f"| {name} | | failed: {type(error).__name__}: {text} | |", False
        package = facts(name)[0]
        right[package] = right.get(package, True) and good
        lines.append(line)
        print(line, flush=True)
        jax.clear_caches()
    count = (
        f"{sum(right.values())} of {len(right)} architectures are functions of JAX without an "
        "operation that is local but counted as global."
    )
    print(f"\n{count}")
    return "\n".join([*lines, "", count])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--write", type=Path, default=None)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    versions = f"torch {torch.__version__}, jax {jax.__version__}"
    print(versions)
    found = table(args.only or list(SUBJECTS))
    if args.write is not None:
        page = args.write.read_text()
        args.write.write_text(_MARKED.sub(lambda _: f"\n{versions}\n\n{found}\n\n", page))


if __name__ == "__main__":
    main()
