"""How long a figure takes from an empty folder, also where its maps were made before."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Clock:
    """Counts the time of a figure, and that which its maps took in earlier runs.

    Args:
        folder: where the time of every map is kept.
        begun: `time.perf_counter()` when the figure was begun.
        earlier: seconds spent before, by the key of each map that the figure has asked for.
    """

    folder: Path
    begun: float = dataclasses.field(default_factory=time.perf_counter)
    earlier: dict[str, float] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def making(self, key: str) -> Iterator[None]:
        """Times the making of a map, and keeps that for later runs, also if it is interrupted.

        Args:
            key: of the map.
        """
        path = self.folder / f"{key}.txt"
        spent = float(path.read_text()) if path.exists() else 0.0
        self.earlier.setdefault(key, spent)
        begun = time.perf_counter()
        try:
            yield
        finally:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{spent + time.perf_counter() - begun:.3f}\n")

    @property
    def seconds(self) -> float:
        """Of this run so far, and of earlier ones for the same maps."""
        return time.perf_counter() - self.begun + sum(self.earlier.values())
