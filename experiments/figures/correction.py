"""Verdicts of several claims together: Holm's correction for their number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t

from cem_jax.experiments.figures.statistics import CONFIDENCE


def p_value(found: Mapping[str, Any], bound: float) -> float | None:
    """Of the hypothesis that the mean is the bound, two-sided; None without an interval.

    Args:
        found: mean and interval; with "degrees" where these are not the scenes less one.
        bound: of the claim.
    """
    if found["low"] is None:
        return None
    degrees = found.get("degrees") or found["scenes"] - 1
    error = (found["high"] - found["low"]) / 2 / t.ppf((1 + CONFIDENCE) / 2, degrees)
    distance = abs(found["mean"] - bound)
    if error == 0:
        return 1.0 if distance == 0 else 0.0
    return float(2 * t.sf(distance / error, degrees))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected p-values of a family (Holm, 1979); what is None stays, and counts as one of them.

    Args:
        p_values: of all its claims.
    """
    count = len(p_values)
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * count
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (count - rank) * p))
        corrected[place] = largest
    return corrected


def verdicts(claims: Sequence[tuple[Mapping[str, Any], float]]) -> list[str]:
    """Verdicts of a family of claims, each that a mean exceeds a bound.

    Args:
        claims: mean and interval, and bound.

    Returns:
        For each "supported" or "refuted" where the corrected p-value is below 0.05, by the side
        on which the mean lies; else "undecided".
    """
    corrected = holm([p_value(found, bound) for found, bound in claims])
    told = []
    for (found, bound), p in zip(claims, corrected, strict=True):
        if p is None or p >= 1 - CONFIDENCE or not np.isfinite(p):
            told.append("undecided")
        else:
            told.append("supported" if found["mean"] > bound else "refuted")
    return told
