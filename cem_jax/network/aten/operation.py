"""How an operation is entered in the table: under torch's names, by what it takes."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .layout import Chosen, Laid, aligned

Operation = Callable[..., Any]
"""Takes torch's arguments, `Laid` for tensors; returns one `Laid`, or a tuple of them."""


_DEFAULTS = {int: np.dtype(np.int32), float: np.dtype(np.float32), complex: np.dtype(np.complex64)}
"""Types of numbers where no tensor is of their kind."""


def _kind(dtype: Any) -> int:
    """Truth values, whole numbers, real numbers, complex numbers: 0 to 3."""
    kinds = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)
    return next(k for k, kind in enumerate(kinds) if jnp.issubdtype(dtype, kind))


def _wider(a: Any, b: Any) -> Any:
    """The type of one kind that holds both; numpy knows none for the two halves."""
    halves = {jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16)}
    return np.dtype(np.float32) if {a, b} == halves else np.promote_types(a, b)


def promoted(values: Sequence[Laid], numbers: Sequence[Any] = ()) -> list[Laid]:
    """Arrays of one type, as torch's operations have it that take several.

    Whole numbers become real ones beside real ones, and so on. Within such a kind, arrays decide
    before single elements, and these before numbers.

    Args:
        values: arrays that enter one operation.
        numbers: numbers that enter it with them; other things are left out.
    """
    groups = (
        [value.dtype for value in values if value.ndim],
        [value.dtype for value in values if not value.ndim],
        [_DEFAULTS[type(number)] for number in numbers if type(number) in _DEFAULTS],
    )
    common: Any = None
    for group in filter(None, groups):
        kind = max(map(_kind, group))
        if common is None or kind > _kind(common):
            own = [dtype for dtype in group if _kind(dtype) == kind]
            common = functools.reduce(_wider, own)
    if all(value.dtype == common for value in values):
        return list(values)
    common = jax.dtypes.canonicalize_dtype(common)
    return [value.like(value.array.astype(common)) for value in values]


def elementwise(function: Callable[..., Any], chooses: int | None = None) -> Operation:
    """An operation of a function of arrays that broadcast; scalars stay what they are.

    Args:
        function: of arrays and numbers.
        chooses: the place of a mask, which has no part in the type of the result.
    """

    def operation(*args: Any, **options: Any) -> Any:
        masks = [value.mask for value in args if isinstance(value, Chosen)]
        if masks:
            if any(mask is not masks[0] for mask in masks):
                raise NotImplementedError("elements of two masks together")
            if any(isinstance(value, Laid) and value.ndim for value in args):
                raise NotImplementedError("chosen elements together with all of an array")
            whole = [value.values if isinstance(value, Chosen) else value for value in args]
            return Chosen(operation(*whole, **options), masks[0])
        places = [k for k, value in enumerate(args) if isinstance(value, Laid)]
        mixed = [k for k in places if k != chooses]
        numbers = [value for value in (*args, *options.values()) if not isinstance(value, Laid)]
        own = list(args)
        for k, value in zip(mixed, promoted([args[k] for k in mixed], numbers), strict=True):
            own[k] = value
        arrays, axes = aligned([own[k] for k in places])
        for k, array in zip(places, arrays, strict=True):
            own[k] = array
        return Laid(function(*own, **options), axes)

    return operation


def plain(function: Callable[..., Any]) -> Operation:
    """An operation of a function of arrays in the order in which axes are counted."""

    def operation(*args: Any, **options: Any) -> Any:
        args, options = _taken((args, options))
        return jax.tree.map(Laid.of, function(*args, **options))

    return operation


def _taken(value: Any) -> Any:
    if isinstance(value, Laid):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _taken(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_taken(own) for own in value)
    return value


def pair(values: Any, count: int = 2) -> tuple[int, ...]:
    """One number for every axis; torch lets a single one stand for all."""
    values = [values] if isinstance(values, int) else list(values)
    return tuple(values * count) if len(values) == 1 else tuple(values)


def channels_last(x: Laid) -> Any:
    """Images [n, c, ...] as an array [n, ..., c]."""
    return x.arranged((0, *range(2, x.ndim), 1))


def images(array: Any) -> Laid:
    """An array [n, ..., c] counted as [n, c, ...]."""
    return Laid.of(array, (0, *range(2, array.ndim), 1))
