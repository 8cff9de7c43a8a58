"""Two series of networks, trained alike, that differ in width and depth alone.

    python -m cem_jax.experiments.train --preset series --photos PHOTOS --out RUNS

They are subjects of the figure `capacity`, and no networks of the zoo. What was trained, the files
RUNS/NAME.safetensors and RUNS/NAME.json, lies in `weights/` beside this file.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cem_jax as cem

WIDTHS = {"EDSR": (6, 12, 24), "FSRCNN": (4, 8, 16)}
"""Channels inside, by architecture: those of EDSR, and FSRCNN's shrunk ones."""
DEPTHS = (2, 4, 8)
"""Residual blocks of EDSR, and FSRCNN's convolutions on shrunk features."""

_WEIGHTS = Path(__file__).parent / "weights"


@dataclasses.dataclass(frozen=True)
class Member:
    """A network of a series.

    Args:
        architecture: its name.
        width: one of `WIDTHS`.
        depth: one of `DEPTHS`.
    """

    architecture: str
    width: int
    depth: int

    @property
    def name(self) -> str:
        """Architecture, width and depth, as official files of these architectures are named."""
        return f"{self.architecture}-{self.width}-{self.depth}"

    @property
    def config(self) -> dict[str, int]:
        """Constructor arguments; FSRCNN has four times as many channels at its two ends."""
        if self.architecture == "EDSR":
            return {"width": self.width, "depth": self.depth}
        return {"d": 4 * self.width, "s": self.width, "m": self.depth}

    @property
    def weights(self) -> Path:
        """The file of its weights."""
        return _WEIGHTS / f"{self.name}.safetensors"

    @property
    def record(self) -> Mapping[str, Any]:
        """How it was trained, and what it reached."""
        return json.loads(self.weights.with_suffix(".json").read_text())


SERIES = {
    architecture: tuple(
        Member(architecture, width, depth) for width, depth in itertools.product(widths, DEPTHS)
    )
    for architecture, widths in WIDTHS.items()
}
"""Every network, by architecture."""


def table() -> str:
    """How they were trained and what they reached, in Markdown."""
    rows = []
    for member in itertools.chain(*SERIES.values()):
        record = member.record
        state = cem.models.read_state_dict(member.weights)
        rows.append(
            {
                "network": member.name,
                "parameters": sum(value.size for value in state.values()),
                "steps": str(record["steps"]),
                "minutes": str(record["minutes"]),
                "input (dB)": record["psnr_val_input"],
                "output (dB)": record["psnr_val"],
                "gain (dB)": record["psnr_val"] - record["psnr_val_input"],
            }
        )
    return cem.markdown_table(rows)
