"""How records of arrays show themselves: an array by its type and shape, not by its numbers."""

import dataclasses
from typing import Any


def _brief(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape:
        return f"{value.dtype}{list(value.shape)}"
    return repr(value)


def by_shape(self: Any) -> str:
    """A dataclass's `__repr__`, with "float32[64, 64, 3]" for an array."""
    shown = ", ".join(
        f"{field.name}={_brief(getattr(self, field.name))}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{type(self).__name__}({shown})"
