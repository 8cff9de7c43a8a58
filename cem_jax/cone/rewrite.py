"""Operations that are others in disguise, written as those whose locality shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jax import lax

from .builder import Builder
from .graph import Known

Rewrite = Callable[[Builder, Mapping[str, Any], Sequence[Any]], Sequence[int | Known] | None]
"""From parameters and operands to outputs; None where nothing simpler is the same."""

_JOINED = {
    "scatter-add": ("add", lax.add),
    "scatter-mul": ("mul", lax.mul),
    "scatter-min": ("min", lax.min),
    "scatter-max": ("max", lax.max),
}
"""How what is written and what was there become one."""


def _stack(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int]:
    return [builder.stack(inputs, params["axis"])]


def _unstack(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int]:
    whole, axis = inputs[0], params["axis"]
    return [builder.take(whole, k, axis) for k in range(builder.shapes[whole][axis])]


def _tile(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int]:
    whole = inputs[0]
    for along, count in enumerate(params["reps"]):
        whole = whole if count == 1 else builder.join([whole] * int(count), along)
    return [whole]


def _split(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int]:
    sizes = [int(n) for n in params["sizes"]]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    axis = params["axis"]
    return [builder.cut(inputs[0], axis, s, n) for s, n in zip(starts, sizes, strict=True)]


def _slice(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int] | None:
    """Of values that were joined, a piece of each, so that it does not see the others."""
    value, strides = inputs[0], params["strides"]
    starts, ends = params["start_indices"], params["limit_indices"]
    shape = builder.shapes[value]
    cut = [k for k, n in enumerate(shape) if ends[k] - starts[k] != n]
    if strides is not None and any(n != 1 for n in strides):
        return None
    if not any(builder.is_joined(value, k) for k in cut):
        return None
    # Along the axis where they were joined first: the others are cut from its pieces.
    for k in sorted(cut, key=lambda k: not builder.is_joined(value, k)):
        value = builder.cut(value, k, int(starts[k]), int(ends[k] - starts[k]))
    return [value]


def _barrier(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> Sequence[Any]:
    return inputs


def _inside(index: np.ndarray, most: np.ndarray, mode: Any) -> np.ndarray | None:
    """Indices that all lie inside, clipped if the operation says so; else None."""
    index = index.astype(np.int64)
    if mode == lax.GatherScatterMode.CLIP:
        index = np.clip(index, 0, most)
    return index if bool(((index >= 0) & (index <= most)).all()) else None


def _gather(builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]) -> list[int] | None:
    """Known indices that are an outer product: rows are picked along one axis after the other."""
    value, index = inputs[0], builder.known(inputs[1])
    dims, sizes = params["dimension_numbers"], [int(n) for n in params["slice_sizes"]]
    if index is None or isinstance(value, Known) or dims.operand_batching_dims:
        return None
    shape, mapped = builder.shapes[value], [int(axis) for axis in dims.start_index_map]
    most = np.asarray([shape[axis] - sizes[axis] for axis in mapped])
    found = _inside(index, most, params["mode"])
    if found is None:
        return None
    batch, labels, owned = found.shape[:-1], [], set()
    split: list[int] = []
    for axis, length in enumerate(sizes):
        rows, own = np.arange(length), []
        if axis in mapped:
            starts = found[..., mapped.index(axis)]
            own = [k for k, n in enumerate(batch) if n > 1 and np.ptp(starts, axis=k).any()]
            if owned & set(own):
                return None
            owned |= set(own)
            starts = starts[tuple(slice(None) if k in own else 0 for k in range(len(batch)))]
            rows = (starts[..., None] + rows).reshape(-1)
        value = builder.pick(value, axis, rows)
        labels += [("batch", k) for k in own]
        split += [batch[k] for k in own]
        if axis not in dims.collapsed_slice_dims:
            labels.append(("offset", axis))
            split.append(length)
    lacking = [k for k in range(len(batch)) if k not in owned]
    if any(batch[k] != 1 for k in lacking):
        return None
    labels += [("batch", k) for k in lacking]
    value = builder.reshape(value, [*split, *(1 for _ in lacking)])
    kept = [axis for axis in range(len(shape)) if axis not in dims.collapsed_slice_dims]
    offsets = dict(zip(dims.offset_dims, kept, strict=True))
    others = iter(range(len(batch)))
    order = [
        ("offset", offsets[k]) if k in offsets else ("batch", next(others))
        for k in range(len(labels))
    ]
    return [builder.transpose(value, [labels.index(label) for label in order])]


def _scatter(name: str) -> Rewrite:
    """One window at known indices: written there, after it was joined with what was there."""

    def rewrite(
        builder: Builder, params: Mapping[str, Any], inputs: Sequence[Any]
    ) -> list[int] | None:
        index, dims = builder.known(inputs[1]), params["dimension_numbers"]
        if index is None or index.size != index.shape[-1] or dims.operand_batching_dims:
            return None
        value, update = builder.solid(inputs[0]), builder.solid(inputs[2])
        shape, given = builder.shapes[value], iter(dims.update_window_dims)
        window = [
            1 if axis in dims.inserted_window_dims else builder.shapes[update][next(given)]
            for axis in range(len(shape))
        ]
        corner = np.zeros(len(shape), np.int64)
        corner[list(dims.scatter_dims_to_operand_dims)] = index.reshape(-1)
        found = _inside(corner, np.asarray(shape) - window, params["mode"])
        if found is None:
            return None
        update = builder.reshape(update, window)
        if name in _JOINED:
            old = value
            for axis, (first, n) in enumerate(zip(found.tolist(), window, strict=True)):
                old = builder.cut(old, axis, first, n)
            kind, join = _JOINED[name]
            update = builder.one(kind, {}, [old, update], window, join)
        at = [Known(np.asarray(k, np.int32)) for k in found]

        def write(x: Any, y: Any, *start: Any) -> Any:
            return lax.dynamic_update_slice(x, y, start)

        return [builder.one("dynamic_update_slice", {}, [value, update, *at], shape, write)]

    return rewrite


REWRITES: dict[str, Rewrite] = {
    "gather": _gather,
    "optimization_barrier": _barrier,
    "slice": _slice,
    "split": _split,
    "stack": _stack,
    "tile": _tile,
    "unstack": _unstack,
    **{name: _scatter(name) for name in ("scatter", *_JOINED)},
}
"""By primitive; for operations that depend on the image."""
