"""The log of a training run, which reads after any interruption as if there had been none."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass
class TrainingLog:
    """Losses and validations of a run, in memory and in its folder.

    Args:
        folder: receives losses.txt (a line a step) and log.jsonl (a line a validation).
        losses: of all steps so far.
        written: how many of them losses.txt holds.
        minutes: that the run took up to its last validation.
    """

    folder: Path
    losses: list[Any]
    written: int
    minutes: float

    @classmethod
    def make(cls, folder: Path, first: int) -> "TrainingLog":
        """Takes up a log; what lies behind the first step to be done is forgotten.

        Args:
            folder: of the run.
            first: steps that the run's checkpoint has done.
        """
        folder.mkdir(parents=True, exist_ok=True)
        losses, log = folder / "losses.txt", folder / "log.jsonl"
        lines = losses.read_text().splitlines()[:first] if losses.exists() else []
        losses.write_text("".join(f"{line}\n" for line in lines))
        reports = log.read_text().splitlines() if log.exists() else []
        kept = [line for line in reports if json.loads(line)["step"] <= first]
        log.write_text("".join(f"{line}\n" for line in kept))
        minutes = json.loads(kept[-1])["minutes"] if kept else 0.0
        return cls(folder, [float(line) for line in lines], len(lines), minutes)

    def add(self, loss: jax.Array) -> None:
        """The loss of the next step."""
        self.losses.append(loss)

    def flush(self) -> None:
        """Writes the losses that are not written yet."""
        self.losses[self.written :] = [
            float(loss) for loss in jax.device_get(self.losses[self.written :])
        ]
        with (self.folder / "losses.txt").open("a") as file:
            file.writelines(f"{loss!r}\n" for loss in self.losses[self.written :])
        self.written = len(self.losses)

    def report(self, psnr: dict[str, float], steps: int, seconds: float) -> str:
        """Writes a validation, and gives its line.

        Args:
            psnr: in dB, by task.
            steps: number of steps over which the loss is averaged.
            seconds: since the last validation, or since the run was started or taken up.
        """
        self.flush()
        self.minutes += seconds / 60
        record = {
            "step": len(self.losses),
            "loss": float(np.mean(self.losses[-steps:])),
            "psnr": psnr,
            "minutes": round(self.minutes, 2),
        }
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        return json.dumps(record)
