"""The restored image among what a torch module returns."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any


def image_of(torch: Any, result: Any) -> Any:
    """The one tensor in a result: itself, or in lists, mappings and dataclasses.

    Args:
        torch: the package.
        result: what a module returned.

    Raises:
        ValueError: there is none, or there are several.
    """
    found = [one for one in _leaves(result) if isinstance(one, torch.Tensor)]
    if len(found) != 1:
        kinds = ", ".join(type(one).__name__ for one in _leaves(result)) or "nothing"
        raise ValueError(
            f"it returned a {type(result).__name__} of {kinds}; expected one tensor: wrap a "
            "module that returns the restored image alone"
        )
    return found[0]


def _leaves(value: Any) -> Iterator[Any]:
    """All that containers hold; None is nothing."""
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        if value is not None:
            yield value
        return
    for one in inner:
        yield from _leaves(one)
