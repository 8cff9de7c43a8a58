"""Sums, means, extremes and norms over counted axes; cumulative sums; sorting."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .layout import Laid
from .operation import Operation, elementwise, plain


def places(x: Laid, axes: Any) -> tuple[int, ...]:
    """The array's axes that make up some counted ones; all for None or ()."""
    if axes is None or axes == []:
        return tuple(range(x.array.ndim))
    axes = [axes] if isinstance(axes, int) else axes
    return tuple(k for axis in axes for k in x.axes[axis])


def reduced(x: Laid, array: Any, axes: Any, keep: bool) -> Laid:
    """What is left after a reduction over counted axes.

    Args:
        x: what was reduced.
        array: the result, without the reduced axes.
        axes: the counted axes; all for None or ().
        keep: whether these are still counted, as of length 1.
    """
    if axes is None or axes == []:
        axes = range(x.ndim)
    some = [axes] if isinstance(axes, int) else axes
    gone = {axis % max(x.ndim, 1) for axis in some}
    dropped = sorted(k for axis in gone for k in x.axes[axis])
    kept = [k for k in range(x.array.ndim) if k not in dropped]
    place = {k: number for number, k in enumerate(kept)}
    left = []
    for axis, group in enumerate(x.axes):
        if axis in gone:
            left += [()] * keep
        else:
            left.append(tuple(place[k] for k in group))
    return Laid(array, tuple(left))


def _reduction(function: Callable[..., Any]) -> Operation:
    def operation(x: Laid, axes: Any = None, keepdim: bool = False, **_: Any) -> Laid:
        return reduced(x, function(x.array, axis=places(x, axes)), axes, keepdim)

    return operation


def _mean(x: Any, axis: Sequence[int]) -> jax.Array:
    count = int(np.prod([x.shape[k] for k in axis]))
    return jnp.sum(x, axis=tuple(axis)) / jnp.asarray(count, x.dtype)


def _moments(
    x: Laid, axes: Any = None, *, correction: Any = None, keepdim: bool = False
) -> tuple[Laid, Laid]:
    """Variance and mean; the sum of squares is divided by the count less `correction`."""
    own = places(x, axes)
    count = int(np.prod([x.array.shape[k] for k in own]))
    mean = jnp.mean(x.array, axis=own, keepdims=True)
    divisor = count - (1 if correction is None else correction)
    variance = jnp.sum(jnp.square(x.array - mean), axis=own) / divisor
    flat = mean.reshape(variance.shape)
    return reduced(x, variance, axes, keepdim), reduced(x, flat, axes, keepdim)


def _norm(x: Laid, order: Any = 2, axes: Any = None, keepdim: bool = False, **_: Any) -> Laid:
    own = places(x, axes)
    size = jnp.abs(x.array)
    if order == 2:
        norm = jnp.sqrt(jnp.sum(jnp.square(size), axis=own))
    elif order == 1:
        norm = jnp.sum(size, axis=own)
    elif order == float("inf"):
        norm = jnp.max(size, axis=own)
    else:
        norm = jnp.sum(size**order, axis=own) ** (1 / order)
    return reduced(x, norm, axes, keepdim)


def _extreme(value: Callable[..., Any], index: Callable[..., Any]) -> Operation:
    def operation(x: Laid, axis: Any = None, keepdim: bool = False) -> Any:
        if axis is None:
            return reduced(x, value(x.array), None, False)
        x = x.merged(axis % x.ndim)
        own = places(x, axis)
        if not own:
            first = x.like(jnp.zeros(x.array.shape, jnp.int32))
            return (x, first) if keepdim else (x.dropped(axis), first.dropped(axis))
        return (
            reduced(x, value(x.array, axis=own), axis, keepdim),
            reduced(x, index(x.array, axis=own[0]), axis, keepdim),
        )

    return operation


def _arg(index: Callable[..., Any]) -> Operation:
    def operation(x: Laid, axis: int | None = None, keepdim: bool = False) -> Laid:
        if axis is None:
            return Laid.of(index(x.plain().reshape(-1)))
        x = x.merged(axis % x.ndim)
        own = places(x, axis)
        if not own:
            raise NotImplementedError("the place of an extreme along an axis of length 1")
        return reduced(x, index(x.array, axis=own[0]), axis, keepdim)

    return operation


def _cumulative(function: Callable[..., Any]) -> Operation:
    def operation(x: Laid, axis: int, **_: Any) -> Laid:
        x = x.merged(axis % x.ndim)
        return x.like(function(x.array, axis=x.axes[axis][0])) if x.axes[axis] else x

    return operation


def _running(function: Callable[..., Any]) -> Operation:
    """Extremes of all up to each element, and the places of the last of them."""

    def operation(x: Any, axis: int) -> tuple[Any, Any]:
        axis %= max(x.ndim, 1)
        x = jnp.asarray(x)
        found = function(x, axis=axis)
        place = lax.broadcasted_iota(jnp.int32, x.shape, axis)
        return found, lax.cummax(jnp.where(x == found, place, 0), axis=axis)

    return plain(operation)


def _kth(x: Any, k: int, axis: int = -1, keepdim: bool = False) -> tuple[Any, Any]:
    """The k-th smallest elements, counted from 1, and their places."""
    ranked = lax.slice_in_dim(jnp.argsort(x, axis=axis), k - 1, k, axis=axis)
    found = jnp.take_along_axis(jnp.asarray(x), ranked, axis=axis)
    return (found, ranked) if keepdim else (found.squeeze(axis), ranked.squeeze(axis))


def _median(x: Any, axis: int | None = None, keepdim: bool = False) -> Any:
    """The lower one of two in the middle; with its place along an axis."""
    if axis is None:
        return jnp.sort(x.reshape(-1))[(x.size - 1) // 2]
    return _kth(x, (x.shape[axis] + 1) // 2, axis, keepdim)


def _sort(x: Any, *args: Any, stable: bool | None = None, dim: int = -1, descending: bool = False):
    """Equal elements keep their order; torch leaves theirs open unless asked for a stable sort."""
    positional = [value for value in args if value is not None]
    if positional and not isinstance(positional[0], bool):
        dim = positional.pop(0)
    descending = positional[0] if positional else descending
    order = jnp.argsort(x, axis=dim, stable=True, descending=descending)
    return jnp.take_along_axis(x, order, axis=dim), order


def _topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    moved = jnp.moveaxis(x, dim, -1)
    values, index = lax.top_k(moved if largest else -moved, k)
    values = values if largest else -values
    return jnp.moveaxis(values, -1, dim), jnp.moveaxis(index, -1, dim)


def _distance(a: Laid, b: Laid, order: Any = 2) -> Laid:
    return _norm(elementwise(jnp.subtract)(a, b), order)


OPERATIONS: dict[str, Operation] = {
    "all": _reduction(jnp.all),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "any": _reduction(jnp.any),
    "argmax": _arg(jnp.argmax),
    "argmin": _arg(jnp.argmin),
    "argsort": plain(lambda x, *args, **options: _sort(x, *args, **options)[1]),
    "cummax": _running(lax.cummax),
    "cummin": _running(lax.cummin),
    "cumprod": _cumulative(jnp.cumprod),
    "cumsum": _cumulative(jnp.cumsum),
    "dist": _distance,
    "kthvalue": plain(_kth),
    "linalg_vector_norm": _norm,
    "logsumexp": _reduction(jax.nn.logsumexp),
    "max": _extreme(jnp.max, jnp.argmax),
    "mean": _reduction(_mean),
    "median": plain(_median),
    "min": _extreme(jnp.min, jnp.argmin),
    "prod": _reduction(jnp.prod),
    "sort": plain(_sort),
    "sum": _reduction(jnp.sum),
    "topk": plain(_topk),
    "var": lambda *args, **options: _moments(*args, **options)[0],
    "var_mean": _moments,
}
