"""How a region is written: `96,112,32,32`, `40%,30%,32,32`, `auto`, or a rule's name."""

import re

from cem_jax.plain_text import quoted

RULES = ("structure", "centre", "lost")
"""Where the clean image varies most; its middle; where the input has lost most."""
AUTO = "auto"

EXPECTED = (
    "expected Y,X,H,W in output pixels or percent (96,112,32,32 or 40%,30%,32,32), "
    f"{AUTO}, {', '.join(RULES)}"
)
"""What is accepted, for messages."""
_PART = re.compile(r"(-?[0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]{1,6})?)%")


def split_roi(text: str) -> str | list[int | float]:
    """What a text says, before it is known of which image.

    Args:
        text: see above; blanks and capitals do not matter.

    Returns:
        `AUTO` or one of `RULES`, or four numbers: pixels as int, shares as float.

    Raises:
        ValueError: another text.
    """
    word = text.strip().lower() if isinstance(text, str) else ""
    if word in (AUTO, *RULES):
        return word
    parts = [_PART.fullmatch(part.strip()) for part in word.split(",")]
    found = [part for part in parts if part]
    if len(parts) != 4 or len(found) != 4:
        raise ValueError(f"roi={quoted(text)}: {EXPECTED}")
    return [int(part[1]) if part[1] else float(part[2]) / 100 for part in found]
