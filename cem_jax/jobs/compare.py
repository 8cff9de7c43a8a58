"""Statistics over the maps of a job: the scene is the unit, and what compares is paired."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float64

from cem_jax.arguments import as_number, one_of, several
from cem_jax.jobs.table import read_table
from cem_jax.plain_text import quoted
from cem_jax.plans.estimate import CONFIDENCE
from cem_jax.store.objects import AnyPath, ObjectPath

NUMBERS = ("psnr_out", "positive", "negative", "zero", "min", "max")
"""Columns that are compared."""
BY = ("network", "task", "outcome")
"""Columns that tell groups apart."""
_REGION = ("scene", "y", "x", "height", "width")


@dataclasses.dataclass(frozen=True)
class SceneMean:
    """A mean over scenes, of one number of a group or of the difference of two.

    Args:
        group: the group, or the first of two.
        minus: the second of two; empty for a mean of one group.
        outcome: of the maps; empty where outcomes are the groups.
        number: the column of the table.
        mean: of the scenes' means, in the number's unit.
        low: lower end of its 95 % t interval, in the number's unit; NaN of a single scene.
        high: upper end, in the number's unit.
        scenes: how many; each counts once, whatever its number of regions.
        effect_size: of a difference, its mean over the standard deviation between scenes; else NaN.
    """

    group: str
    minus: str
    outcome: str
    number: str
    mean: float
    low: float
    high: float
    scenes: int
    effect_size: float = float("nan")


def compare(
    table: str | AnyPath | Sequence[Mapping[str, Any]],
    by: str = "network",
    numbers: Sequence[str] = NUMBERS,
) -> list[SceneMean]:
    """Compares groups of maps, such as networks, over the scenes of a job.

    The mean of each group comes first, then the difference of every two groups over the regions
    that both have maps of: pairs, so that what makes a scene hard for both cancels. Regions of a
    scene are averaged before scenes are: they are no independent samples. Intervals are of one
    comparison each; of twenty, one is expected to miss the truth.

    Args:
        table: from `job_table`, or its file.
        by: what tells groups apart: "network", "task" or "outcome".
        numbers: columns to compare, in their units: shares in %, effects in that of the outcome.

    Returns:
        Means and differences, by outcome and number.

    Raises:
        ValueError: no such column, no finished maps, or rows that do not tell of which map they are
            or contradict each other.

    Examples:
        >>> import cem_jax as cem
        >>> place = {"y": 0, "x": 0, "height": 8, "width": 8, "outcome": "psnr"}
        >>> table = [
        ...     {"network": network, "scene": scene, "positive": share, **place}
        ...     for network, shares in (("EDSR", (20, 30)), ("SwinIR", (31, 43)))
        ...     for scene, share in zip(("cabin", "pagoda"), shares)
        ... ]
        >>> for one in cem.compare(table, by="network", numbers=["positive"]):
        ...     print(one.group, one.minus, one.mean, one.scenes)
        EDSR  25.0 2
        SwinIR  37.0 2
        EDSR SwinIR -12.0 2
    """
    by = one_of("by", by, BY)
    if isinstance(numbers, str) or not isinstance(numbers, Sequence) or not numbers:
        raise ValueError(f"numbers={quoted(numbers)}: expected some of {', '.join(NUMBERS)}")
    for number in numbers:
        one_of("numbers", number, (*NUMBERS, "largest_standard_error", "evaluations", "seconds"))
    given = read_table(table) if isinstance(table, str | os.PathLike | ObjectPath) else table
    rows = several("table", given, Mapping, "rows, or the path of a table")
    made = [row for row in rows if not row.get("problem")]
    if not made:
        raise ValueError("table: expected finished maps, it has none")
    for row in made:
        lacking = [key for key in dict.fromkeys((by, "outcome", *_REGION)) if row.get(key) is None]
        if lacking:
            raise ValueError(f"table: a row of it does not tell {', '.join(lacking)}")
    outcomes = [""] if by == "outcome" else list(dict.fromkeys(row["outcome"] for row in made))
    found = []
    for outcome in outcomes:
        own = [row for row in made if outcome in ("", row["outcome"])]
        for number in numbers:
            found += _compared(own, by, outcome, number)
    return found


def _compared(
    rows: Sequence[Mapping[str, Any]], by: str, outcome: str, number: str
) -> list[SceneMean]:
    groups = list(dict.fromkeys(str(row[by]) for row in rows))
    beside = [key for key in BY if key != by]
    values: dict[str, dict[tuple[Any, ...], float]] = {group: {} for group in groups}
    for row in rows:
        given = row.get(number)
        value = as_number(given)
        if given is not None and not isinstance(given, Real):
            raise ValueError(f"table: {number}={quoted(given)}; expected a number")
        if math.isfinite(value):
            place = tuple(row.get(key) for key in (*_REGION, *beside))
            if values[str(row[by])].setdefault(place, value) != value:
                told = ", ".join(f"{key} {quoted(row[key])}" for key in (by, *_REGION))
                raise ValueError(f"table: two rows of {told} have different {number}")
    means = [
        SceneMean(group, "", outcome, number, *_over_scenes(values[group])) for group in groups
    ]
    pairs = []
    for place, first in enumerate(groups):
        for second in groups[place + 1 :]:
            both = values[first].keys() & values[second].keys()
            apart = {one: values[first][one] - values[second][one] for one in both}
            if apart:
                found = *_over_scenes(apart), _effect_size(apart)
                pairs.append(SceneMean(first, second, outcome, number, *found))
    return means + pairs


def _scene_means(values: Mapping[tuple[Any, ...], float]) -> Float64[np.ndarray, " scenes"]:
    by_scene: dict[Any, list[float]] = {}
    for place, value in values.items():
        by_scene.setdefault(place[0], []).append(value)
    return np.array([math.fsum(found) / len(found) for found in by_scene.values()])


def _over_scenes(values: Mapping[tuple[Any, ...], float]) -> tuple[float, float, float, int]:
    """Mean of the scenes' means, the ends of its interval, and how many scenes there are."""
    from scipy.special import stdtrit

    means = _scene_means(values)
    if len(means) < 2:
        mean = float(means[0]) if len(means) else math.nan
        return mean, math.nan, math.nan, len(means)
    mean, error = float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))
    half = float(stdtrit(len(means) - 1, (1 + CONFIDENCE) / 2)) * error
    return mean, mean - half, mean + half, len(means)


def _effect_size(values: Mapping[tuple[Any, ...], float]) -> float:
    means = _scene_means(values)
    spread = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return float(means.mean()) / spread if spread else math.nan


def as_rows(found: Sequence[SceneMean]) -> list[dict[str, float | int | str]]:
    """Means and differences as rows of a table for readers."""

    def shown(one: SceneMean) -> str:
        sign = "+" if one.minus else ""
        text = f"{one.mean:{sign}.3g}"
        return text if one.low != one.low else f"{text} [{one.low:.3g}, {one.high:.3g}]"

    return [
        {
            "of": f"{one.group} - {one.minus}" if one.minus else one.group,
            **({"outcome": one.outcome} if one.outcome else {}),
            "number": one.number, "mean over scenes": shown(one), "scenes": one.scenes,
        }
        for one in found
    ]  # fmt: skip
