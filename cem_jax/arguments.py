"""Checks of arguments at the boundary."""

import math
import operator
import os
from typing import Any


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """`value` as an int.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        least: smallest value that is accepted.
        most: largest one; None for no end.

    Raises:
        ValueError: no whole number, or one out of range.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name}={value!r}: expected a whole number") from None
    if number < least or (most is not None and number > most):
        accepted = f"at least {least}" if most is None else f"{least} .. {most}"
        raise ValueError(f"{name}={number}: expected {accepted}")
    return number


def positive_number(name: str, value: object) -> float:
    """`value` as a float.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: no finite number above 0.
    """
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name}={value!r}: expected a number above 0")
    return number


def number_in(
    name: str, value: object, least: float, most: float = math.inf, unit: str = ""
) -> float:
    """`value` as a float between two ends.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        least: smallest value that is accepted.
        most: largest one.
        unit: what it is counted in, for the message.

    Raises:
        ValueError: no finite number, a text, or one out of range.
    """
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and least <= number <= most):
        if math.isinf(most):
            accepted = "a finite number"
            accepted += "" if math.isinf(least) else f" of at least {least:g}"
        else:
            accepted = f"{least:g} .. {most:g}"
        raise ValueError(f"{name}={value!r}: expected {accepted}{unit and f', {unit}'}")
    return number


def truth(name: str, value: object) -> bool:
    """`value` as a bool.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: neither true nor false.
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's own
        return bool(value)
    raise ValueError(f"{name}={value!r}: expected True or False")


def as_text(name: str, value: object) -> str:
    """`value` as a str: a text or a path.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: something else, bytes among it.
    """
    if isinstance(value, str | os.PathLike):
        found = os.fspath(value)
        if isinstance(found, str):
            return str(found)
    raise ValueError(f"{name}={value!r}: expected a text")


def as_json_value(value: Any) -> Any:
    """What JSON has for a number or an array of numpy, or for a path (`default` of `json.dumps`).

    Raises:
        TypeError: JSON has nothing for it.
    """
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{value!r} is no JSON value")
