"""Maps of many scenes and regions, and what is counted of them, for the statistics."""

from collections.abc import Mapping, Sequence
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import statistics
from cem_jax.experiments.figures.measures import measure
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Subject

Rows = list[dict[str, Any]]
"""One for each region: "scene", "region" and its numbers."""


def rows(study: Study, subject: Subject, task: str) -> Rows:
    """The maps of one network at all counted places, with their measures and keys."""
    plan = cem.Fixed(study.preset.draws)
    found = []
    for place in study.counted:
        key = study.map(subject, task, place, plan=plan)
        roi = [place.roi.y, place.roi.x]
        row = {"scene": place.name, "region": roi, "map": key, **measure(study.store.map(key))}
        found.append(row)
    return found


def by_scene(found: Sequence[Mapping[str, Any]], number: str) -> dict[str, list[float]]:
    """One number of rows, by scene; what is not known is NaN."""
    values: dict[str, list[float]] = {}
    for row in found:
        value = row[number]
        values.setdefault(row["scene"], []).append(float("nan") if value is None else value)
    return values


def mean(found: Sequence[Mapping[str, Any]], number: str) -> dict[str, Any]:
    """A number's mean, with its interval over scenes."""
    return statistics.over_scenes(by_scene(found, number))


def differences(
    first: Sequence[Mapping[str, Any]],
    second: Sequence[Mapping[str, Any]],
    numbers: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """The paired mean differences first - second, by number."""
    return {
        number: statistics.paired(by_scene(first, number), by_scene(second, number))
        for number in numbers
    }
