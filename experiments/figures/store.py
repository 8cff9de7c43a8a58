"""The folder of the figures: maps and attributions by key, a record for each figure, pictures."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import cem_jax as cem


@dataclasses.dataclass(frozen=True)
class Store:
    """What figures are drawn from.

    Args:
        folder: with `maps/` and their `seconds/`, and for each figure NAME.json, NAME.png and
            NAME.pdf.
    """

    folder: Path

    @property
    def times(self) -> Path:
        """Where the time of each map is kept."""
        return self.folder / "seconds"

    def directory(self, key: str) -> Path:
        """Where a map, its sweep and what belongs to it lie."""
        return self.folder / "maps" / key

    def map(self, key: str) -> cem.EffectMap:
        """A map that was made.

        Raises:
            ValueError: it is not there.
        """
        return cem.EffectMap.load(self.directory(key) / "map.npz")

    def attribution(self, key: str) -> cem.Attribution:
        """The local attribution map that was made beside a map.

        Raises:
            ValueError: it is not there.
        """
        return cem.Attribution.load(self.directory(key) / "lam.npz")

    def write(self, name: str, record: dict[str, Any]) -> None:
        """Keeps a figure's record, or under `maps/KEY/NAME` what was found beside a map."""
        path = self.folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        partial.replace(path)

    def read(self, name: str) -> dict[str, Any] | None:
        """What was kept under that name, or None."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None
