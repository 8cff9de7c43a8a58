"""Operations on axes that are stored as several: how each primitive is written on the factors.

An axis that an operation treats by index (a slice, a concatenation, a sum so far) is asked for in
one piece; all others may come in factors, and come out in the same.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax import lax

from .graph import Equation
from .jaxpr import ALONG, ELEMENTWISE, REDUCTIONS
from .rules.axes import Along

Lengths = tuple[tuple[int, ...], ...]
"""The lengths of the factors of every axis, as the function sees its axes."""


@dataclasses.dataclass(frozen=True, eq=False)
class Lifted:
    """An operation on factors.

    Args:
        inputs: how each operand is to be stored; None for scalars.
        params: the parameters that change.
        output: how the output comes.
        bind: applies the operation to operands so stored, if its primitive cannot.
    """

    inputs: tuple[Lengths | None, ...]
    params: Mapping[str, Any]
    output: Lengths
    bind: Callable[..., Sequence[jax.Array]] | None = None


_TREE = 32
"""On a CPU XLA makes windows of so many elements, along every axis, of longer reductions. Two axes
of them are slow, so that the factors of a longer axis are reduced as one."""

Given = Sequence[Lengths | None]
"""How operands are stored; None for known scalars."""

Runs = Sequence[Sequence[bool]]
"""For each axis of each operand, whether it runs along the image's rows or columns."""

Lift = Callable[[Equation, Given, Runs], Lifted]
"""From an operation, how its operands are stored, and which of their axes run along the image."""


def plain(shape: Sequence[int]) -> Lengths:
    """Every axis in one piece."""
    return tuple((n,) for n in shape)


def flat(lengths: Lengths) -> tuple[int, ...]:
    """The shape that is stored."""
    return tuple(n for axis in lengths for n in axis)


def places_of(lengths: Lengths) -> list[list[int]]:
    """For each axis, the stored axes of its factors."""
    found, position = [], 0
    for axis in lengths:
        found.append(list(range(position, position + len(axis))))
        position += len(axis)
    return found


def _whole(lengths: Lengths, shape: Sequence[int], axes: Sequence[int]) -> Lengths:
    """The same with these axes in one piece."""
    return tuple((shape[k],) if k in axes else axis for k, axis in enumerate(lengths))


def _agreed(candidates: Sequence[tuple[tuple[int, ...], bool]]) -> tuple[int, ...]:
    """Factors of an axis that several operands share; those that run along the image decide.

    Fewest factors: where two differ, the coarser holds what both know.
    """
    of_image = [axis for axis, runs in candidates if runs]
    return min(of_image or [axis for axis, _ in candidates], key=len)


def _elementwise(eq: Equation, given: Given, runs: Runs) -> Lifted:
    shapes = list(zip(given, eq.in_shapes, runs, strict=True))
    output = []
    for k, n in enumerate(eq.out_shapes[0]):
        same = [
            (old[k], r[k]) for old, shape, r in shapes if old is not None and shape[k:][:1] == (n,)
        ]
        output.append(_agreed(same or [((n,), True)]))
    inputs = tuple(
        None
        if lengths is None or not shape
        else tuple(
            axis if n == m else (1,) * len(axis)
            for axis, n, m in zip(output, shape, eq.out_shapes[0], strict=True)
        )
        for lengths, shape, _ in shapes
    )
    return Lifted(inputs, {}, tuple(output))


def _broadcast(eq: Equation, given: Given, runs: Runs) -> Lifted:
    (old,), (shape,) = given, eq.in_shapes
    assert old is not None  # a known scalar does not depend on the image
    axes, output = (
        [int(k) for k in eq.params["broadcast_dimensions"]],
        list(plain(eq.out_shapes[0])),
    )
    for k, out in enumerate(axes):
        if shape[k] == eq.out_shapes[0][out]:
            output[out] = old[k]
    places = places_of(tuple(output))
    own = [places[out][: len(axis)] for out, axis in zip(axes, old, strict=True)]
    dims = tuple(k for group in own for k in group)
    params = {"shape": flat(tuple(output)), "broadcast_dimensions": dims}
    return Lifted((old,), params, tuple(output))


def _transpose(eq: Equation, given: Given, runs: Runs) -> Lifted:
    (old,) = given
    assert old is not None
    permutation = [int(k) for k in eq.params["permutation"]]
    places = places_of(old)
    order = tuple(k for axis in permutation for k in places[axis])
    return Lifted((old,), {"permutation": order}, tuple(old[axis] for axis in permutation))


def _dropping(param: str, *, in_one_piece: bool = False) -> Lift:
    """Axes that go: squeezed, or reduced."""

    def lift(eq: Equation, given: Given, runs: Runs) -> Lifted:
        (old,) = given
        assert old is not None
        gone = [int(k) for k in eq.params[param]]
        if in_one_piece:
            old = _whole(old, eq.in_shapes[0], gone)
        places = places_of(old)
        axes = tuple(k for axis in gone for k in places[axis])
        output = tuple(axis for k, axis in enumerate(old) if k not in gone)
        return Lifted((old,), {param: axes}, output)

    return lift


def _reduction(eq: Equation, given: Given, runs: Runs) -> Lifted:
    lifted = _dropping("axes")(eq, given, runs)
    (old,), gone = lifted.inputs, eq.params["axes"]
    assert old is not None
    if not any(len(old[k]) > 1 and max(old[k]) > _TREE for k in gone):
        return lifted

    def bind(x: jax.Array) -> Sequence[jax.Array]:
        lengths = [tuple(x.shape[place] for place in axis) for axis in places_of(old)]
        merged = tuple((math.prod(axis),) if k in gone else axis for k, axis in enumerate(lengths))
        axes = tuple(places_of(merged)[k][0] for k in gone)
        # The barrier keeps XLA from reducing the factors after all.
        return eq.bind(lax.optimization_barrier(x.reshape(flat(merged))), axes=axes)

    return dataclasses.replace(lifted, bind=bind)


def _along(eq: Equation, given: Given, runs: Runs) -> Lifted:
    mixed, rank = Along().mixed(eq), len(eq.out_shapes[0])
    all_of = [(old, r) for old, r in zip(given, runs, strict=True) if old is not None]
    shared = tuple(_agreed([(old[k], r[k]) for old, r in all_of]) for k in range(rank))
    kept = _whole(shared, eq.in_shapes[0], mixed)
    inputs = tuple(None if old is None else kept for old in given)
    if eq.name == "fft":
        params = {}
    else:
        params = {"dimension" if eq.name == "sort" else "axis": places_of(kept)[mixed[0]][0]}
    return Lifted(inputs, params, _whole(kept, eq.out_shapes[0], mixed))


def _dot(eq: Equation, given: Given, runs: Runs) -> Lifted:
    contracted, batch = eq.params["dimension_numbers"]
    lengths = [list(old or plain(s)) for old, s in zip(given, eq.in_shapes, strict=True)]
    for pairs in (contracted, batch):
        for axes in zip(*pairs, strict=True):
            both = [(lengths[k][axis], runs[k][axis]) for k, axis in enumerate(axes)]
            for k, axis in enumerate(axes):
                lengths[k][axis] = _agreed(both)
    sides = [tuple(axes) for axes in lengths]
    places = [places_of(side) for side in sides]

    def stored(pairs: Any) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(p for axis in axes for p in places[k][axis]) for k, axes in enumerate(pairs)
        )

    free = [
        [axis for axis in range(len(side)) if axis not in contracted[k] and axis not in batch[k]]
        for k, side in enumerate(sides)
    ]
    output = [sides[0][axis] for axis in batch[0]]
    output += [sides[k][axis] for k in (0, 1) for axis in free[k]]
    params = {"dimension_numbers": (stored(contracted), stored(batch))}
    return Lifted(tuple(sides), params, tuple(output))


def _concatenate(eq: Equation, given: Given, runs: Runs) -> Lifted:
    along, rank = int(eq.params["dimension"]), len(eq.out_shapes[0])
    known = [(old, r) for old, r in zip(given, runs, strict=True) if old is not None]
    shared = [_agreed([(old[k], r[k]) for old, r in known]) for k in range(rank)]
    inputs = tuple(
        tuple((shape[k],) if k == along else shared[k] for k in range(rank))
        for shape in eq.in_shapes
    )
    output = tuple((eq.out_shapes[0][k],) if k == along else shared[k] for k in range(rank))
    return Lifted(inputs, {"dimension": places_of(output)[along][0]}, output)


def _repeated(values: Sequence[Any], lengths: Lengths, whole: Sequence[Any]) -> tuple[Any, ...]:
    """A parameter of every axis for every factor; factors of an untouched axis get `whole`."""
    return tuple(
        own
        for value, axis, rest in zip(values, lengths, whole, strict=True)
        for own in ([value] if len(axis) == 1 else [rest] * len(axis))
    )


def _slice(eq: Equation, given: Given, runs: Runs) -> Lifted:
    (old,), (shape,) = given, eq.in_shapes
    assert old is not None
    touched = [k for k, n in enumerate(eq.out_shapes[0]) if n != shape[k]]
    old = _whole(old, shape, touched)
    output = _whole(old, eq.out_shapes[0], touched)
    p = eq.params
    params: dict[str, Any] = {
        "start_indices": _repeated(p["start_indices"], old, [0] * len(old)),
        "limit_indices": tuple(
            n for axis, end in zip(old, p["limit_indices"], strict=True)
            for n in ([end] if len(axis) == 1 else axis)
        ),
        "strides": p["strides"] and _repeated(p["strides"], old, [1] * len(old)),
    }  # fmt: skip
    return Lifted((old,), params, output)


def _pad(eq: Equation, given: Given, runs: Runs) -> Lifted:
    old, config = given[0], eq.params["padding_config"]
    assert old is not None
    touched = [k for k, sides in enumerate(config) if any(sides)]
    old = _whole(old, eq.in_shapes[0], touched)
    params = {"padding_config": _repeated(config, old, [(0, 0, 0)] * len(old))}
    return Lifted((old, None), params, _whole(old, eq.out_shapes[0], touched))


def _reverse(eq: Equation, given: Given, runs: Runs) -> Lifted:
    (old,) = given
    assert old is not None
    places = places_of(old)
    dims = tuple(k for axis in eq.params["dimensions"] for k in places[axis])
    return Lifted((old,), {"dimensions": dims}, old)


def _pool(eq: Equation, given: Given, runs: Runs) -> Lifted:
    (old,), p = given, eq.params
    assert old is not None
    names = ("window_dimensions", "window_strides", "base_dilation", "window_dilation")
    touched = [
        k for k in range(len(old))
        if any(p[name][k] != 1 for name in names) or tuple(p["padding"][k]) != (0, 0)
    ]  # fmt: skip
    old = _whole(old, eq.in_shapes[0], touched)
    params: dict[str, Any] = {name: _repeated(p[name], old, [1] * len(old)) for name in names}
    params["padding"] = _repeated(p["padding"], old, [(0, 0)] * len(old))
    return Lifted((old,), params, _whole(old, eq.out_shapes[0], touched))


def _conv(eq: Equation, given: Given, runs: Runs) -> Lifted:
    """A batch of windows keeps its factors; what slides, and the kernel, come in one piece."""
    dims, old = eq.params["dimension_numbers"], given[0]
    batch, shape = dims.lhs_spec[0], eq.in_shapes[0]
    if old is None or runs[1].count(True):  # a kernel that is made of the image
        return Lifted(tuple(map(plain, eq.in_shapes)), {}, plain(eq.out_shapes[0]))
    old = _whole(old, shape, [k for k in range(len(shape)) if k != batch])
    output = list(plain(eq.out_shapes[0]))
    output[dims.out_spec[0]] = old[batch]
    count = len(old[batch])

    def spread(spec: Sequence[int]) -> tuple[int, ...]:
        return tuple(k + (count - 1) * (k > spec[0]) for k in spec)

    own = {"dimension_numbers": type(dims)(spread(dims.lhs_spec), dims.rhs_spec,
                                           spread(dims.out_spec))}  # fmt: skip
    first = (batch, dims.out_spec[0])

    def bind(x: jax.Array, kernel: jax.Array, **changed: Any) -> Sequence[jax.Array]:
        sizes, (i, o) = x.shape, first
        flat_x = x.reshape(*sizes[:i], -1, *sizes[i + count :])
        (y,) = eq.bind(flat_x, kernel, **changed)
        return [y.reshape(*y.shape[:o], *sizes[i : i + count], *y.shape[o + 1 :])]

    return Lifted((old, plain(eq.in_shapes[1])), {**own, "batches": count}, tuple(output), bind)


LIFTS: dict[str, Lift] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(REDUCTIONS, _reduction),
    **dict.fromkeys(("argmax", "argmin"), _dropping("axes", in_one_piece=True)),
    **dict.fromkeys((*ALONG, "sort", "top_k", "fft"), _along),
    **{f"reduce_window_{name}": _pool for name in ("sum", "max", "min")},
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "conv_general_dilated": _conv,
    "dot_general": _dot,
    "pad": _pad,
    "rev": _reverse,
    "slice": _slice,
    "squeeze": _dropping("dimensions"),
    "transpose": _transpose,
}
"""By primitive; the operands of others are stored as the function sees them."""
