"""Parts of a figure: what one network adds to it, computed here or taken from earlier results.

Networks are independent of each other, so that a figure of many of them can be computed a few at a
time, or on several machines, and put together.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.commit import commit
from cem_jax.experiments.figures.preset import Preset
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.subjects import Subject

Rows = Sequence[dict[str, Any]]
"""What was measured of a network, a row for each place."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """The networks' parts of figures.

    Args:
        preset: how much is computed.
        clock: times what is computed, and counts what earlier results took.
        earlier: results that are added to, or None.
    """

    preset: Preset
    clock: Clock
    earlier: Store | None = None

    @property
    def settings(self) -> str:
        """A fingerprint of preset and photographs: parts of others are not put together."""
        # How many networks a gallery shows says nothing of a part.
        facts = repr((dataclasses.replace(self.preset, most=0), cem.example_names()))
        return hashlib.sha256(facts.encode()).hexdigest()[:8]

    def known(self, figure: str) -> list[dict[str, Any]]:
        """The official networks' parts in the earlier results, as far as settings are the same."""
        record = None if self.earlier is None else self.earlier.read(figure)
        if record is None or not record["results"].get("official"):
            return []
        networks = record["results"]["networks"]
        return [one for one in networks if one.get("settings") == self.settings]

    def put_together(
        self, figure: str, subjects: Sequence[Subject], rows: Callable[[Subject], Rows]
    ) -> list[dict[str, Any]]:
        """The parts of a figure: all that are known, and those of the subjects that are not.

        Args:
            figure: its name.
            subjects: the networks that are here.
            rows: measures one of them.

        Returns:
            For each network its name, the fingerprints of its weights and of the settings, commit
            and seconds of its computation, and its rows.
        """
        known = {one["digest"]: one for one in self.known(figure)}
        for digest, one in known.items():
            self.clock.earlier[f"{figure}/{digest}"] = one["seconds"]
        found = dict(known)
        for subject in subjects:
            if subject.digest not in known:
                begun = self.clock.seconds
                measured = rows(subject)
                found[subject.digest] = {
                    "network": subject.label,
                    "digest": subject.digest,
                    "settings": self.settings,
                    "commit": commit(),
                    "seconds": round(self.clock.seconds - begun, 1),
                    "rows": measured,
                }
        return list(found.values())
