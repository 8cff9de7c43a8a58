"""How records of arrays show themselves: an array by its type and shape, not by its numbers."""

from typing import Any

_WIDTH = 100
"""Characters beyond which a record takes a line for each field."""


def _array(value: Any) -> Any:
    """An array in a few characters; None leaves all else to the printer."""
    import wadler_lindig

    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape:
        return wadler_lindig.TextDoc(f"{value.dtype}{list(value.shape)}")
    return None


def by_shape(self: Any) -> str:
    """A dataclass's `__repr__`, with "float32[64, 64, 3]" for an array."""
    import wadler_lindig

    return wadler_lindig.pformat(self, width=_WIDTH, hide_defaults=False, custom=_array)
