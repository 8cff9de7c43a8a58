"""Elements picked and replaced by index: along single axes where the indices allow it."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .layout import Chosen, Laid, known
from .operation import Operation, elementwise, plain
from .shape import cat, cut, flip


def take(x: Laid, axis: int, index: np.ndarray) -> Laid:
    """X at known indices along a counted axis: in a few runs as slices, else picked."""
    axis %= x.ndim
    length = x.shape[axis]
    index = np.where(index < 0, index + length, index).astype(np.int64)
    if index.size and (index.min() < 0 or index.max() >= length):
        raise NotImplementedError("an index beyond its axis")
    line = index.reshape(-1)
    if not x.axes[axis]:
        y = x.expanded((*x.shape[:axis], line.size, *x.shape[axis + 1 :]))
    else:
        y = _runs(x, axis, line)
        if y is None:
            x = x.merged(axis)
            place = x.axes[axis][0]
            ordered = bool((np.diff(line) >= 0).all())
            array = jnp.take(
                jnp.asarray(x.array), line, place, mode="clip", indices_are_sorted=ordered
            )
            y = x.like(array) if line.size != 1 else Laid(
                array.reshape([n for k, n in enumerate(array.shape) if k != place]),
                tuple(
                    () if i == axis else tuple(k - (k > place) for k in g)
                    for i, g in enumerate(x.axes)
                ),
            )  # fmt: skip
    return y.viewed((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _runs(x: Laid, axis: int, line: np.ndarray) -> Laid | None:
    """A few slices, forwards or backwards, one behind the other; None if there are too many."""
    if line.size == 1:
        return cut(x, axis, int(line[0]), int(line[0]) + 1)
    steps = np.diff(line)
    starts = [0]
    while starts[-1] < line.size and len(starts) < 10:
        first = starts[-1]
        if first == line.size - 1:
            starts.append(line.size)
            break
        step = steps[first] if abs(steps[first]) <= 8 and steps[first] else 1
        end = first + 1
        while end < line.size and steps[end - 1] == step:
            end += 1
        starts.append(end)
    if starts[-1] < line.size or len(starts) > 9 or line.size < 4 * (len(starts) - 2):
        return None
    parts = []
    for first, end in itertools.pairwise(starts):
        own = line[first:end]
        step = int(own[1] - own[0]) if len(own) > 1 else 1
        low, high = int(own.min()), int(own.max())
        part = cut(x, axis, low, high + 1, abs(step))
        parts.append(flip(part, [axis]) if step < 0 else part)
    return parts[0] if len(parts) == 1 else cat(parts, axis)


def _index(x: Laid, indices: Sequence[Any]) -> Laid | Chosen:
    """x[indices], None for axes that are taken whole."""
    indices = list(indices)
    if len(indices) == 1 and indices[0].dtype == bool and indices[0].shape == x.shape:
        return Chosen(x, indices[0])
    own = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    values = [(axis, index.array) for axis, index in own]
    if all(isinstance(array, np.ndarray) for _, array in values):
        taken = _outer(x, [(axis, known(index)) for axis, index in own])
        if taken is not None:
            return taken
    arrays = [slice(None) if index is None else _whole(index) for index in indices]
    return Laid.of(jnp.asarray(x.plain())[tuple(arrays)])


def _whole(index: Laid) -> Any:
    array = index.plain()
    if array.dtype == bool:
        raise NotImplementedError("a mask of a part of the axes")
    return array


def _outer(x: Laid, own: Sequence[tuple[int, np.ndarray]]) -> Laid | None:
    """Known indices that form rows times columns are taken along one axis after the other."""
    axes = [axis for axis, _ in own]
    if any(index.dtype == bool for _, index in own):
        return None
    if len(own) == 1:
        return take(x, *own[0])
    if axes != list(range(axes[0], axes[0] + len(axes))):
        return None
    ndim = max(index.ndim for _, index in own)
    shaped = [index.reshape((1,) * (ndim - index.ndim) + index.shape) for _, index in own]
    full = np.broadcast_shapes(*(index.shape for index in shaped))
    lines: list[tuple[int, np.ndarray, list[int]]] = []
    seen: set[int] = set()
    for axis, index in zip(axes, shaped, strict=True):
        varies = [k for k in range(ndim) if index.shape[k] > 1]
        if seen & set(varies):
            return None
        seen.update(varies)
        lines.append((axis, index, varies))
    if [k for _, _, varies in lines for k in varies] != [k for k in range(ndim) if full[k] > 1]:
        return None
    for axis, index, _ in lines:
        x = take(x, axis, index.reshape(-1))
    return x.viewed((*x.shape[: axes[0]], *full, *x.shape[axes[-1] + 1 :]))


def _index_put(x: Laid, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Laid:
    """X with x[indices] replaced, or added to."""
    mask = indices[0]
    if len(indices) == 1 and mask is not None and mask.dtype == bool and not accumulate:
        if isinstance(values, Chosen):
            if values.mask is not mask:
                raise NotImplementedError("elements of one mask put where another one is")
            values = values.values
        elif values.ndim:
            raise NotImplementedError("a mask with values of their own for each element")
        spread = Laid(mask.array, (*mask.axes, *[()] * (x.ndim - mask.ndim)))
        return elementwise(jnp.where, chooses=0)(spread, values, x)
    return plain(_put)(x, indices, values, accumulate)


def _put(x: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    where = tuple(slice(None) if index is None else index for index in indices)
    spot, values = jnp.asarray(x).at[where], jnp.asarray(values, x.dtype)
    return spot.add(values) if accumulate else spot.set(values)


def _along(x: Any, axis: int, index: Any, value: Any, *, reduce: str | None = None) -> Any:
    """X with elements replaced at an index along an axis."""
    x, ndim = jnp.asarray(x), x.ndim
    where = list(jnp.indices(index.shape, sparse=True))
    where[axis % ndim] = index
    if not isinstance(value, int | float):
        value = value[tuple(slice(0, n) for n in index.shape)]
    value = jnp.asarray(value, x.dtype)
    spot = x.at[tuple(where)]
    if reduce is None:
        return spot.set(value)
    return spot.add(value) if reduce in ("add", "sum") else spot.multiply(value)


def _scatter(x: Laid, axis: int, index: Laid, value: Any, *, reduce: str | None = None) -> Laid:
    """Replaced at an index along an axis; where that is one a line, by asking every element."""
    axis %= x.ndim
    lines = tuple(1 if k == axis else n for k, n in enumerate(x.shape))
    number = isinstance(value, int | float)
    if reduce is not None or index.shape != lines or not (number or value.shape == lines):
        return plain(_along)(x, axis, index, value, reduce=reduce)
    places = np.arange(x.shape[axis], dtype=np.int32)
    asked = Laid.of(places.reshape([-1 if k == axis else 1 for k in range(x.ndim)]))
    hit = elementwise(jnp.equal)(index, asked)
    return elementwise(jnp.where, chooses=0)(hit, value, x)


def _scatter_reduce(
    x: Any, axis: int, index: Any, value: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """X with the elements that go to one place reduced, together with what was there or not."""
    x = jnp.asarray(x)
    where = list(jnp.indices(index.shape, sparse=True))
    where[axis % x.ndim] = jnp.asarray(index)
    value = jnp.asarray(value[tuple(slice(0, n) for n in index.shape)], x.dtype)
    spot = tuple(where)
    if not include_self:
        first = jnp.zeros_like(x).at[spot].set(value)  # of several one, whichever
        x = x.at[spot].set({"prod": 1, "sum": 0, "mean": 0}.get(reduce, first[spot]))
    if reduce != "mean":
        kinds = {"sum": "add", "prod": "multiply", "amax": "max", "amin": "min"}
        return getattr(x.at[spot], kinds[reduce])(value)
    counts = jnp.ones(x.shape, x.dtype)
    counts = (counts if include_self else counts.at[spot].set(0)).at[spot].add(1)
    return x.at[spot].add(value) / jnp.maximum(counts, 1)


def _masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """X with the elements of a mask replaced by those of a source, in order."""
    mask = jnp.broadcast_to(mask, x.shape)
    place = jnp.cumsum(mask.reshape(-1)).reshape(x.shape) - 1
    return jnp.where(mask, jnp.take(source.reshape(-1), place, mode="clip"), x)


def _gather(x: Laid, axis: int, index: Laid, **_: Any) -> Laid:
    own = jnp.asarray(x.plain())
    where = index.plain()
    cuts = tuple(
        slice(None) if k == axis % own.ndim else slice(0, n) for k, n in enumerate(where.shape)
    )
    return Laid.of(jnp.take_along_axis(own[cuts], jnp.asarray(where), axis % own.ndim, mode="clip"))


def _index_select(x: Laid, axis: int, index: Laid) -> Laid:
    if isinstance(index.array, np.ndarray):
        return take(x, axis, known(index))
    return Laid.of(jnp.take(jnp.asarray(x.plain()), index.plain(), axis, mode="clip"))


def _embedding(weight: Any, index: Any, *_: Any) -> Any:
    return jnp.take(jnp.asarray(weight), index, 0, mode="clip")


OPERATIONS: dict[str, Operation] = {
    "embedding": plain(_embedding),
    "gather": _gather,
    "index": _index,
    "index_put": _index_put,
    "index_select": _index_select,
    "masked_scatter": plain(_masked_scatter),
    "scatter": _scatter,
    "scatter_add": plain(lambda x, axis, index, value: _along(x, axis, index, value, reduce="add")),
    "scatter_reduce": plain(_scatter_reduce),
}
