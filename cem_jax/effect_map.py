"""The Causal Effect Map: effects with their errors, and the record of how they came about."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cem_jax.grid import ROI
from cem_jax.store import write_atomically

FORMAT_VERSION = 1

_ARRAYS = ("effect", "standard_error", "samples", "inside_roi", "values", "degraded")


class Counts(NamedTuple):
    """Blocks outside the region, by the sign of their effect at the tolerance."""

    negative: int
    positive: int
    zero: int


class Range(NamedTuple):
    """Smallest and largest effect outside the region, in dB."""

    min: float
    max: float


@dataclasses.dataclass(frozen=True)
class EffectMap:
    """Which blocks of the input help the region, which harm it, and by how many dB.

    Args:
        effect: [rows, columns] in dB, positive where the block helps; 0 where it cannot reach the
            region, NaN inside the region.
        standard_error: of the effect, [rows, columns] in dB; NaN inside the region and where a
            single draw was made.
        samples: number of draws behind each effect, int [rows, columns].
        inside_roi: blocks that share a pixel with the region, bool [rows, columns].
        values: every outcome drawn, float32 [rows, columns, draws], NaN where none was.
        baseline: the outcome without an intervention, in dB.
        tolerance: effects smaller than this count as zero, in dB.
        roi: the region, in output pixels.
        block: side of a block, in input pixels.
        scale: output pixels per input pixel.
        task: "SR", "DN", "DR" or "custom".
        degraded: the input, uint8 [h, w, 3].
        provenance: network, scene, pool, plan, seed, versions, evaluations, seconds.
    """

    effect: np.ndarray
    standard_error: np.ndarray
    samples: np.ndarray
    inside_roi: np.ndarray
    values: np.ndarray
    baseline: float
    tolerance: float
    roi: ROI
    block: int
    scale: int
    task: str
    degraded: np.ndarray
    provenance: Mapping[str, Any]

    @property
    def thresholded(self) -> np.ndarray:
        """The effect with everything below the tolerance set to zero, as the paper draws it."""
        return np.where(np.abs(self.effect) < self.tolerance, 0.0, self.effect)

    @property
    def counts(self) -> Counts:
        """Negative, positive and zero blocks outside the region, at the tolerance."""
        outside = self.thresholded[~self.inside_roi]
        return Counts(int((outside < 0).sum()), int((outside > 0).sum()), int((outside == 0).sum()))

    @property
    def range(self) -> Range:
        """Smallest and largest effect outside the region, in dB."""
        outside = self.effect[~self.inside_roi]
        if not outside.size:
            return Range(float("nan"), float("nan"))
        return Range(float(outside.min()), float(outside.max()))

    @property
    def evaluations(self) -> int:
        """Number of interventions that were evaluated."""
        return int(np.isfinite(self.values).sum())

    def to_xarray(self) -> Any:
        """The map as an `xarray.Dataset` with named dimensions and units.

        Raises:
            ImportError: xarray is not installed.
        """
        import xarray

        cells = ("row", "column")
        decibel = {"units": "dB"}
        step = self.block * self.scale
        return xarray.Dataset(
            {
                "effect": (cells, self.effect, decibel),
                "standard_error": (cells, self.standard_error, decibel),
                "samples": (cells, self.samples),
                "inside_roi": (cells, self.inside_roi),
                "outcome": ((*cells, "draw"), self.values, decibel),
            },
            coords={
                "y": ("row", np.arange(self.effect.shape[0]) * step, {"units": "output pixel"}),
                "x": ("column", np.arange(self.effect.shape[1]) * step, {"units": "output pixel"}),
            },
            attrs={"baseline": self.baseline, "tolerance": self.tolerance, "task": self.task}
            | {"roi": dataclasses.astuple(self.roi), "provenance": json.dumps(self.provenance)},
        )

    def save(self, path: str | Path) -> None:
        """Writes the map to a `.npz` file, whole or not at all.

        The file holds the arrays by name and one JSON text `record` with the rest.

        Raises:
            ValueError: the file cannot be written.
        """
        record = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _ARRAYS
        }
        record["roi"] = dataclasses.asdict(self.roi)
        record["format_version"] = FORMAT_VERSION
        buffer = io.BytesIO()
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(buffer, allow_pickle=False, record=json.dumps(record), **arrays)
        try:
            write_atomically(Path(path), buffer.getvalue())
        except OSError as error:
            raise ValueError(f"path={str(path)!r} cannot be written: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> "EffectMap":
        """Reads what `save` wrote.

        Raises:
            ValueError: the file is missing, damaged, or of a newer format.
        """
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                arrays = {name: file[name] for name in _ARRAYS}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"path={str(path)!r} holds no effect map: {error}") from error
        version = record.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(
                f"path={str(path)!r} has format {version}; this version reads {FORMAT_VERSION}"
            )
        return cls(**arrays, **(record | {"roi": ROI(**record["roi"])}))
