"""Checks of arguments at the boundary."""

import math
import operator
import os
from collections.abc import Iterable
from typing import Any

from cem_jax.plain_text import quoted


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
        number = None if _is_truth(value) else operator.index(value)  # type: ignore[arg-type]
    except Exception:  # an object of somebody else's class
        number = None
    if number is None:
        raise ValueError(f"{name}={quoted(value)}: expected a whole number")
    if number < least or (most is not None and number > most):
        accepted = f"at least {least}" if most is None else f"{least} .. {most}"
        raise ValueError(f"{name}={quoted(number)}: expected {accepted}")
    return number


def as_number(value: object) -> float:
    """`value` as a float; NaN where it is no number: a text, True and False, an array.

    Args:
        value: what the user gave.
    """
    if isinstance(value, str | bytes) or _is_truth(value) or getattr(value, "ndim", 0):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except Exception:  # an object of somebody else's class
        return math.nan


def _is_truth(value: object) -> bool:
    """Whether it is True or False, which Python counts as 1 and 0."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"


def positive_number(name: str, value: object) -> float:
    """`value` as a float.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: no finite number above 0.
    """
    number = as_number(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name}={quoted(value)}: expected a number above 0")
    return number


def probability(name: str, value: object) -> float:
    """`value` as a float above 0 and below 1.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: no such number.
    """
    number = as_number(value)
    if not 0 < number < 1:
        raise ValueError(f"{name}={quoted(value)}: expected a number between 0 and 1")
    return number


def part(name: str, value: object) -> float:
    """`value` as a float above 0, at most 1.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.

    Raises:
        ValueError: no such number.
    """
    number = as_number(value)
    if not 0 < number <= 1:
        raise ValueError(f"{name}={quoted(value)}: expected a number above 0, at most 1")
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
    number = as_number(value)
    if not (math.isfinite(number) and least <= number <= most):
        if math.isinf(most):
            accepted = "a finite number"
            accepted += "" if math.isinf(least) else f" of at least {least:g}"
        else:
            accepted = f"{least:g} .. {most:g}"
        raise ValueError(f"{name}={quoted(value)}: expected {accepted}{unit and f', {unit}'}")
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
    raise ValueError(f"{name}={quoted(value)}: expected True or False")


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuses an argument of another class.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        kind: one of the package's public classes.

    Raises:
        ValueError: the message names it.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name}={quoted(value)}: expected a cem_jax.{kind.__name__}")


def one_of(name: str, value: object, accepted: Iterable[str]) -> str:
    """`value` as one of several texts.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        accepted: the texts.

    Raises:
        ValueError: none of them.
    """
    texts = tuple(accepted)
    if isinstance(value, str) and value in texts:
        return value
    raise ValueError(f"{name}={quoted(value)}: expected one of {', '.join(texts)}")


def several(name: str, value: object, kind: type | tuple[type, ...], what: str) -> list[Any]:
    """`value` as a list of things of one kind.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        kind: of each; several where any of them will do.
        what: they are, for the message.

    Raises:
        ValueError: something else, or nothing.
    """
    found = list(value) if isinstance(value, Iterable) and not hasattr(value, "dtype") else []
    if not found or not all(isinstance(one, kind) for one in found):
        raise ValueError(f"{name}={quoted(value)}: expected {what}, at least one")
    return found


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
    raise ValueError(f"{name}={quoted(value)}: expected a text")


def as_json_value(value: Any) -> Any:
    """What JSON has for a number or an array of numpy, or for a path (`default` of `json.dumps`).

    Raises:
        TypeError: JSON has nothing for it.
    """
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{quoted(value)} is no JSON value")
