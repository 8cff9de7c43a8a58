"""How an operation is entered in the table: under torch's names, by what it takes."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from .layout import Chosen, Laid, aligned

Operation = Callable[..., Any]
"""Takes torch's arguments, `Laid` for tensors; returns one `Laid`, or a tuple of them."""


def elementwise(function: Callable[..., Any]) -> Operation:
    """An operation of a function of arrays that broadcast; scalars stay what they are."""

    def operation(*args: Any, **options: Any) -> Any:
        masks = [value.mask for value in args if isinstance(value, Chosen)]
        if masks:
            if any(mask is not masks[0] for mask in masks):
                raise NotImplementedError("elements of two masks together")
            if any(isinstance(value, Laid) and value.ndim for value in args):
                raise NotImplementedError("chosen elements together with all of an array")
            whole = [value.values if isinstance(value, Chosen) else value for value in args]
            return Chosen(operation(*whole, **options), masks[0])
        arrays, axes = aligned([value for value in args if isinstance(value, Laid)])
        left = iter(arrays)
        own = [next(left) if isinstance(value, Laid) else value for value in args]
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
