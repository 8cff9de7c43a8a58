"""Texts of strangers (names, messages) as terminals, pictures and pages can show them."""

import os
import reprlib

_JOINERS = "\u200c\u200d"
"""Invisible, but parts of words and of emoji."""

_MESSAGE = 1200
"""Characters of a message that are shown."""

_SHORT = reprlib.Repr()
"""Writes no more of lists than their beginning, however deep and long they are."""
_SHORT.maxlevel = 4
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxfrozenset = 12
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 400


def visible(text: str) -> str:
    r"""A text on one line: white space as single spaces, what cannot be printed as its code.

    Codes that move a terminal's cursor, turn the direction of writing or are half a character come
    out as their escapes.

    Args:
        text: any.

    Examples:
        >>> from cem_jax.plain_text import visible
        >>> print(visible("red:\x1b[31m\nand more"))
        red:\x1b[31m and more
    """
    return "".join(
        one if one.isprintable() or one in _JOINERS else one.encode("unicode_escape").decode()
        for one in " ".join(text.split())
    )


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, its middle left out.

    Args:
        text: any.
        most: characters, at least 3.

    Examples:
        >>> from cem_jax.plain_text import shortened
        >>> shortened("a-network-with-a-long-name", 15)
        'a-netwo…ng-name'
    """
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def quoted(value: object, most: int = 160) -> str:
    """What Python writes of a value, on one line and short: for messages about it.

    Args:
        value: anything that a user gives.
        most: characters, at least 3.

    Examples:
        >>> from cem_jax.plain_text import quoted
        >>> print(quoted(1000 * "x", 12))
        'xxxxx…xxxx'
    """
    try:
        text = visible(_SHORT.repr(value))
    except Exception:  # an object of somebody else's class, or a whole number of too many digits
        text = f"<{type(value).__name__}>"
    return shortened(text, most)


def path_text(path: object) -> str:
    """A path as messages name it; of what is none, what Python writes of it.

    Args:
        path: what a user gave.
    """
    text = str(path) if isinstance(path, os.PathLike) or hasattr(path, "as_posix") else path
    return quoted(text)


def reason(error: BaseException) -> str:
    """Why something could not be done: of the system its words alone, without the file's name.

    Args:
        error: any.
    """
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shortened(visible(text), 300)


def told(error: BaseException) -> str:
    """An error on one line; where it is no complaint of ours, with its kind in front.

    Args:
        error: any; of a text without end its beginning and its end.
    """
    try:
        text = shortened(visible(str(error)), _MESSAGE)
    except Exception:  # an error of somebody else's class
        text = ""
    if isinstance(error, ValueError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
