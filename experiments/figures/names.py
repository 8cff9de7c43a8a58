"""The names of the figures, without what makes them: a wrong one is told at once."""

NAMES = (
    "teaser", "graph", "lam", "sr", "dn", "dr", "more-information", "official", "texture",
    "capacity", "channel-attention", "mediation", "multi-task", "patch-size", "pool",
    "sensitivity", "sampling",
)  # fmt: skip
"""In the order of the paper."""


def check_name(name: str) -> str:
    """A figure's name.

    Raises:
        ValueError: there is no such figure.
    """
    if name not in NAMES:
        raise ValueError(f"figure {name!r}: expected one of {', '.join(NAMES)}")
    return name
