"""The result of an attribution method: a number for each cell of the input, and its summaries."""

import dataclasses
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cem_jax.arguments import as_json_value
from cem_jax.by_shape import by_shape
from cem_jax.grid import ROI
from cem_jax.plain_text import path_text, reason
from cem_jax.read_only import keep_read_only
from cem_jax.show import html, plot
from cem_jax.store.atomic import write_file
from cem_jax.store.npz import read_npz, record_of

FORMAT_VERSION = 1

_ARRAYS = ("attribution", "degraded")


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """What a method attributes to each cell of the input for a region of the restored image.

    Args:
        method: "local attribution map", "integrated gradients", "gradient" or "occlusion".
        attribution: float64 [rows, columns], summed over channels; positive where the cell raises
            the outcome. In the outcome's unit; for "gradient" per unit of pixel value.
        outcome: the outcome of the input, in its unit.
        outcome_at_start: the outcome of the image from which the path starts, in its unit; NaN for
            methods without a path.
        unit: of the outcome, "dB" or "".
        roi: the region, in output pixels.
        cell: side of a cell, in input pixels: 1 for gradients, the block for occlusion.
        scale: output pixels per input pixel.
        degraded: the input, uint8 [h, w, c].
        parameters: network, task, name of the outcome, and what the method was given.
    """

    method: str
    attribution: Float[np.ndarray, "rows columns"]
    outcome: float
    outcome_at_start: float
    unit: str
    roi: ROI
    cell: int
    scale: int
    degraded: UInt8[np.ndarray, "h w c"]
    parameters: Mapping[str, Any]

    __repr__ = by_shape
    _repr_html_ = html
    plot = plot

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def magnitude(self) -> Float[np.ndarray, "rows columns"]:
        """|attribution| over its largest value, in [0, 1]; what the diffusion index looks at."""
        size = np.abs(self.attribution)
        return size / (size.max() or 1.0)

    @property
    def gini(self) -> float:
        """Gini coefficient of the magnitude: 0 if all cells share alike, near 1 if one has all.

        NaN where nothing is attributed to any cell.
        """
        size = np.sort(self.magnitude, axis=None)
        if not size.any():
            return float("nan")
        ranks = 2 * np.arange(1, size.size + 1) - size.size - 1
        return float((ranks * size).sum() / (size.size * size.sum()))

    @property
    def diffusion_index(self) -> float:
        """DI = (1 - Gini) * 100 (Gu and Dong, CVPR 2021): larger where more cells take part.

        It counts all cells of the input, so that it depends on the size of the image.
        """
        return (1 - self.gini) * 100

    @property
    def quadrature_error(self) -> float:
        """Sum of the attributions minus the change of the outcome along the path.

        The integral over the path makes it 0 (completeness); the sum over steps leaves a rest. NaN
        for methods without a path.
        """
        return float(self.attribution.sum() - (self.outcome - self.outcome_at_start))

    def in_blocks(self, block: int) -> Float[np.ndarray, "rows columns"]:
        """Attributions summed over blocks, to compare with the effects of a map.

        Args:
            block: side of a block, in input pixels, a multiple of the cell.

        Returns:
            [rows, columns] of blocks; those at the right and lower border may be cut off.

        Raises:
            ValueError: block is no multiple of the cell.
        """
        if block < 1 or block % self.cell:
            raise ValueError(f"block={block}: expected a multiple of the cell, {self.cell} pixels")
        side = block // self.cell
        rows, columns = self.attribution.shape
        padded = np.pad(self.attribution, ((0, -rows % side), (0, -columns % side)))
        return padded.reshape(-(-rows // side), side, -1, side).sum((1, 3))

    def save(self, path: str | Path) -> None:
        """Writes the attribution to a `.npz` file, whole or not at all.

        The file holds both arrays by name and one JSON text `record` with the rest: see
        `docs/map-format.md`.

        Args:
            path: the file.

        Raises:
            ValueError: the file cannot be written.
        """
        record = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _ARRAYS
        }
        record |= {"roi": dataclasses.asdict(self.roi), "parameters": dict(self.parameters)}
        if math.isnan(self.outcome_at_start):
            record["outcome_at_start"] = None
        record["format_version"] = FORMAT_VERSION
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            record=json.dumps(record, default=as_json_value),
            attribution=self.attribution,
            degraded=self.degraded,
        )
        write_file(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Attribution":
        """Reads what `save` wrote.

        Args:
            path: the file.

        Raises:
            ValueError: the file is missing, damaged, or of a newer format.
        """
        try:
            file = read_npz(Path(path), (*_ARRAYS, "record"))
            arrays, record = {name: file[name] for name in _ARRAYS}, record_of(file)
            version = record.pop("format_version")
            if version != FORMAT_VERSION:
                raise ValueError(f"format {version}; this version reads up to {FORMAT_VERSION}")
            record["roi"] = ROI(**record["roi"])
            if record["outcome_at_start"] is None:
                record["outcome_at_start"] = math.nan
            return cls(**arrays, **record)
        except KeyError as error:
            raise ValueError(
                f"path={path_text(path)} holds no attribution: it has no {error}"
            ) from error
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"path={path_text(path)} holds no attribution: {reason(error)}"
            ) from error
