"""Text of strangers in messages: escaped, and cut to what a line can hold."""

from collections.abc import Iterable

_LONGEST = 120
_LISTED = 80


def escaped(text: object, most: int = _LONGEST) -> str:
    """A text without control characters, cut short; line feeds and escapes are shown.

    Args:
        text: what a file or a user calls something.
        most: characters that are shown.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in
                    str(text)[:most])  # fmt: skip
    return shown if len(str(text)) <= most else f"{shown}..."


def quoted(value: object) -> str:
    """What Python writes of a value, escaped and short.

    Args:
        value: anything that a user gives.
    """
    try:
        return escaped(repr(value))
    except Exception:  # an object of somebody else's class, or a whole number of too many digits
        return f"<{type(value).__name__}>"


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names in a row, escaped; of many the first, and how many there are.

    Args:
        names: what is listed.
        most: how many are shown.
    """
    every = [escaped(name, _LISTED) for name in names]
    row = ", ".join(every[:most])
    return row if len(every) <= most else f"{row}, ... ({len(every)} in all)"
