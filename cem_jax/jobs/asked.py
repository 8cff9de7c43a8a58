"""One map of a job, and what became of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cem_jax.grid import ROI

INDEX = "maps.json"
"""The file that lists a job's maps with their numbers."""
TABLE = "table.csv"
REPORT = "report.html"
FILES = (INDEX, TABLE, "table.parquet", REPORT)
"""What lies beside the folders of a job's networks."""


@dataclasses.dataclass(frozen=True)
class MapOf:
    """One map of a job.

    Args:
        network: label of the network.
        scene: label of the scene.
        roi: region of interest, in output pixels.
    """

    network: str
    scene: str
    roi: ROI

    def __str__(self) -> str:
        return f"{self.network}/{self.scene}/{self.roi.label}"


@dataclasses.dataclass(frozen=True)
class MapResult:
    """What became of one map of a job.

    Args:
        asked: which map.
        rows: its numbers for each outcome, see `summarise`; empty if it could not be made.
        problem: why it could not be made; empty if it was.
        found: whether it had been made before.
        late: whether it is not made because the time was up.
    """

    asked: MapOf
    rows: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    found: bool = False
    late: bool = False
