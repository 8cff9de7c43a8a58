"""Checks of arguments at the boundary."""

import operator


def whole_number(name: str, value: object, least: int) -> int:
    """`value` as an int.

    Args:
        name: the argument's name, for the message.
        value: what the user gave.
        least: smallest value that is accepted.

    Raises:
        ValueError: no whole number, or a smaller one.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name}={value!r}: expected a whole number") from None
    if number < least:
        raise ValueError(f"{name}={number}: expected at least {least}")
    return number
