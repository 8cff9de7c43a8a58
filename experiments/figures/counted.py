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


LARGE = 16
"""Side of the blocks by which variants of a network are compared, in output pixels: a quarter of
the usual number, for networks that must restore the whole image for every block."""


def rows(study: Study, subject: Subject, task: str) -> Rows:
    """The maps of one network at all counted places, with their measures and keys."""
    keys = study.counted_maps(subject, task, cem.Fixed(study.preset.draws))
    return _measured(study, keys)


def compared(study: Study, subject: Subject, task: str, each: int | None = None) -> Rows:
    """The same by large blocks, replaced by patches of the other photographs."""
    plan = cem.Fixed(study.preset.compared_draws)
    keys = study.counted_maps(subject, task, plan, block=LARGE, pool="others", each=each)
    return _measured(study, keys, each)


def _measured(study: Study, keys: Sequence[str], each: int | None = None) -> Rows:
    return [
        {
            "scene": place.name,
            "region": [place.roi.y, place.roi.x],
            "map": key,
            **measure(study.store.map(key)),
        }
        for place, key in zip(
            study.counted if each is None else study.places(each), keys, strict=True
        )
    ]


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
