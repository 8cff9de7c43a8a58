"""Records as rows of a table for readers, and as JSON for scripts."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cem_jax.arguments import several
from cem_jax.plain_text import visible


def _decimals(share: float) -> int:
    """Of a share in percent: one, or so many that neither some are none nor most are all."""
    least = min(share, 100 - share)
    return 1 if least >= 0.05 or least <= 0 else min(math.ceil(-math.log10(least)), 8)


def markdown_table(rows: Sequence[Mapping[str, float | int | str]]) -> str:
    """Rows of equal keys as a Markdown table; dB with three digits, shares with one or a sliver's.

    Args:
        rows: at least one, see `summarise`; nan is "unknown".

    Returns:
        The table, without a line break at its end.

    Raises:
        ValueError: there is no row, or something else is among them.

    Examples:
        >>> import cem_jax as cem
        >>> print(cem.markdown_table([{"network": "EDSR", "positive": 12.34, "max": 0.5}]))
        | network | positive | max   |
        | ------- | -------- | ----- |
        | EDSR    | 12.3 %   | 0.500 |
    """

    def cell(key: str, value: float | int | str) -> str:
        if not isinstance(value, float):
            return visible(str(value)).replace("|", r"\|")  # names may hold anything
        if math.isnan(value):
            return "unknown"
        if key in ("positive", "negative", "zero"):
            return f"{value:.{_decimals(value)}f} %"
        return f"{value:.1f}" if key == "seconds" else f"{value:.3f}"

    rows = several("rows", rows, Mapping, "rows")
    keys = list(rows[0])
    body = [[cell(key, row[key]) for key in keys] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(keys, *body, strict=True)]
    lines = [keys, ["-" * width for width in widths], *body]
    return "\n".join(
        "| " + " | ".join(text.ljust(n) for text, n in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def as_json(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as a JSON list for scripts.

    Args:
        records: of JSON values.

    Returns:
        The text; numbers that are not finite become null.
    """

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    found = [{key: finite(value) for key, value in record.items()} for record in records]
    return json.dumps(found, indent=1, allow_nan=False)
