"""Published figures drawn anew: only the maps that a picture shows are made again.

The numbers of the record stay; a map that does not repeat its own is refused.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import repeat
from cem_jax.experiments.figures.keys import Asked, made_again, subjects_here
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Subject


@dataclasses.dataclass(frozen=True)
class Remade(Store):
    """A store whose maps are made when they are asked for, of networks that are here.

    Args:
        folder: where they are kept.
        study: makes them in the same folder.
        subjects: the networks, see `keys.subjects_here`.
        rows: what a record tells of single maps, by key.
    """

    study: Study
    subjects: Mapping[str, Subject]
    rows: Mapping[str, dict[str, Any]]

    @classmethod
    def of(cls, study: Study, record: dict[str, Any]) -> "Remade":
        """The maps of a published record.

        Args:
            study: makes them; its folder of weights holds the official checkpoints.
            record: of the figure.
        """
        subjects = subjects_here(study.weights, study.store, study.tell)
        rows = {row["map"]: row for row in repeat.published(record["results"])}
        return cls(study.store.folder, study, subjects, rows)

    def _made(self, key: str) -> str:
        """The key of a map that was made, with the numbers of the record."""
        made = made_again(self.study, key, self.subjects)
        if key in self.rows:
            found = repeat.differences(self.study, made, self.rows[key])
            if not repeat.within_tolerances(found):
                raise ValueError(f"{key}: differs from the published numbers by {found}")
        return made

    def map(self, key: str) -> cem.EffectMap:
        """A map, made if it was not there.

        Raises:
            ValueError: it cannot be made, or its numbers are not those of the record.
        """
        return super().map(self._made(key))

    def attribution(self, key: str) -> cem.Attribution:
        """The local attribution map beside a map, made if it was not there.

        Raises:
            ValueError: the map cannot be made, or its numbers are not those of the record.
        """
        made, asked = self._made(key), Asked.of(key)
        return self.study.attribution(self.subjects[asked.identity], asked.task, asked.place, made)
