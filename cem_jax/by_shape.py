"""How records of arrays show themselves: an array by its type and shape, not by its numbers."""

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def _brief(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape:
        return f"{value.dtype}{list(value.shape)}"
    return repr(value)


def by_shape(record: "DataclassInstance") -> str:
    """A dataclass's `__repr__`, with "float32[64, 64, 3]" for an array."""
    shown = ", ".join(
        f"{field.name}={_brief(getattr(record, field.name))}"
        for field in dataclasses.fields(record)
        if field.repr
    )
    return f"{type(record).__name__}({shown})"
