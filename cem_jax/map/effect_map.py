"""The Causal Effect Map: effects with their errors, and the record of how they came about."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer, Real, UInt8

from cem_jax.arguments import probability
from cem_jax.by_shape import by_shape
from cem_jax.grid import ROI
from cem_jax.map.extremes import Extremes
from cem_jax.map.images import Images
from cem_jax.map.map_file import map_bytes, read_map
from cem_jax.plans.estimate import CONFIDENCE, interval, sign_probability
from cem_jax.plans.every_block import Fixed
from cem_jax.plans.names import recorded_plan
from cem_jax.plans.plan import Drawn
from cem_jax.read_only import keep_read_only
from cem_jax.show import html, plot
from cem_jax.store.atomic import write_file
from cem_jax.store.objects import AnyPath


class Counts(NamedTuple):
    """Blocks outside the region, by the sign of their effect at the tolerance."""

    negative: int
    positive: int
    zero: int


class Range(NamedTuple):
    """Smallest and largest effect outside the region, in the outcome's unit."""

    min: float
    max: float


class Interval(NamedTuple):
    """Lower and upper ends of the effects' intervals, [rows, columns] in the outcome's unit."""

    low: Float[np.ndarray, "*blocks"]
    high: Float[np.ndarray, "*blocks"]

    # As other records of arrays, it equals itself alone; tuples would compare arrays.
    __eq__, __ne__ = object.__eq__, object.__ne__
    __hash__ = object.__hash__

    @classmethod
    def around(
        cls,
        effect: Float[np.ndarray, "*blocks"],
        standard_error: Float[np.ndarray, "*blocks"],
        degrees: Real[np.ndarray, "*blocks"],
        confidence: float,
    ) -> "Interval":
        """The t intervals of effects, each by itself.

        Args:
            effect: in the outcome's unit.
            standard_error: of the effect, in its unit.
            degrees: of freedom, of the standard error.
            confidence: between 0 and 1.

        Raises:
            ValueError: another confidence.
        """
        confidence = probability("confidence", confidence)
        return cls(*interval(effect, standard_error, degrees, confidence))


@dataclasses.dataclass(frozen=True, eq=False)
class EffectMap:
    """Which blocks of the input help the region, which harm it, and by how much.

    Args:
        effect: [rows, columns] in the outcome's unit, positive where the block helps; 0 where it
            cannot reach the region, NaN inside the region.
        standard_error: of the effect, [rows, columns]; NaN inside the region and where the plan
            cannot tell it (a single draw, `Quadrature`).
        samples: number of draws behind each effect, int [rows, columns].
        undecided: blocks of which the plan cannot say whether the effect is positive, negative or
            zero at the tolerance, bool [rows, columns]; plans that do not decide by themselves
            decide by 95 % intervals, and leave `selected` blocks undecided.
        inside_roi: blocks that share a pixel with the region, bool [rows, columns].
        values: every outcome drawn, float32 [rows, columns, draws], NaN where none was.
        baseline: the outcome without an intervention, in its unit.
        tolerance: effects smaller than this count as zero, in the outcome's unit.
        roi: the region, in output pixels.
        block: side of a block, in input pixels.
        scale: output pixels per input pixel.
        task: "SR", "DN", "DR" or "custom".
        degraded: the input, uint8 [h, w, c].
        provenance: network, scene, pool, plan, seed, versions, evaluations, seconds.
        outcome: name of the score whose change is mapped.
        unit: of the outcome: "dB" of PSNRs.
        extremes: the draws that harmed and helped most, for blocks whose effect is not zero.
        images: the whole restored and true image, where `with_images` has added them.
    """

    effect: Float[np.ndarray, "rows columns"]
    standard_error: Float[np.ndarray, "rows columns"]
    samples: Integer[np.ndarray, "rows columns"]
    undecided: Bool[np.ndarray, "rows columns"]
    inside_roi: Bool[np.ndarray, "rows columns"]
    values: Float[np.ndarray, "rows columns draws"]
    baseline: float
    tolerance: float
    roi: ROI
    block: int
    scale: int
    task: str
    degraded: UInt8[np.ndarray, "h w c"]
    provenance: Mapping[str, Any]
    outcome: str = "psnr"
    unit: str = "dB"
    extremes: Extremes | None = None
    images: Images | None = None

    __repr__ = by_shape
    _repr_html_ = html
    plot = plot

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def thresholded(self) -> Float[np.ndarray, "rows columns"]:
        """The effect with everything below the tolerance set to zero, as the paper draws it."""
        return np.where(np.abs(self.effect) < self.tolerance, 0.0, self.effect)

    @property
    def counts(self) -> Counts:
        """Negative, positive and zero blocks outside the region, at the tolerance."""
        outside = self.thresholded[~self.inside_roi]
        return Counts(int((outside < 0).sum()), int((outside > 0).sum()), int((outside == 0).sum()))

    @property
    def range(self) -> Range:
        """Smallest and largest effect outside the region."""
        outside = self.effect[~self.inside_roi]
        if not outside.size:
            return Range(float("nan"), float("nan"))
        return Range(float(outside.min()), float(outside.max()))

    @property
    def degrees(self) -> Float[np.ndarray, "rows columns"]:
        """Degrees of freedom of the standard errors, [rows, columns]: as the plan's drawing has."""
        return self.plan.drawing.degrees(self.samples)

    @property
    def selected(self) -> Bool[np.ndarray, "rows columns"]:
        """Blocks whose draws were chosen by their outcomes, bool [rows, columns].

        Those that `CoarseToFine` left to its coarse draws, since none of them moved the outcome.
        Intervals of such draws hold the truth less often than they say: they have none.
        """
        values = self.values.reshape(self.effect.size, -1)
        return self.plan.selected(values).reshape(self.effect.shape)

    @property
    def plan(self) -> Drawn:
        """The plan that drew, as far as it is of this package; else `Fixed`, as if at random."""
        plan = recorded_plan(self.provenance.get("plan"))
        return plan if isinstance(plan, Drawn) else Fixed(max(self.values.shape[2], 1))

    @property
    def sign_probability(self) -> Float[np.ndarray, "rows columns"]:
        """Probability that the effect's sign is right, [rows, columns]: see `sign_probability`.

        1 where the block cannot reach the region, NaN where there is no standard error, and for
        `selected` blocks.
        """
        found = sign_probability(self.effect, self.standard_error, self.degrees)
        return np.where(self.selected, np.nan, found)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals that hold the true effect with the given confidence, each block by itself.

        They are t intervals; docs/plans-measured.md says how often they hold the truth. Infinite
        where there is no standard error; NaN inside the region, and for `selected` blocks.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [rows, columns] in the outcome's unit.

        Raises:
            ValueError: another confidence.
        """
        ends = Interval.around(self.effect, self.standard_error, self.degrees, confidence)
        return Interval(*(np.where(self.selected, np.nan, end) for end in ends))

    @property
    def evaluations(self) -> int:
        """Number of interventions that were evaluated."""
        return int(np.isfinite(self.values).sum())

    def to_xarray(self) -> Any:
        """The map as an `xarray.Dataset` with named dimensions and units.

        Returns:
            Variables over (row, column), all outcomes over (row, column, draw); coordinates y and x
            of the blocks' corners in output pixels.

        Raises:
            ImportError: xarray is not installed.
        """
        import xarray

        cells = ("row", "column")
        unit = {"units": self.unit}
        step = self.block * self.scale
        return xarray.Dataset(
            {
                "effect": (cells, self.effect, unit),
                "standard_error": (cells, self.standard_error, unit),
                "samples": (cells, self.samples),
                "sign_probability": (cells, self.sign_probability),
                "undecided": (cells, self.undecided),
                "selected": (cells, self.selected),
                "inside_roi": (cells, self.inside_roi),
                "outcome": ((*cells, "draw"), self.values, unit),
            },
            coords={
                "y": ("row", np.arange(self.effect.shape[0]) * step, {"units": "output pixel"}),
                "x": ("column", np.arange(self.effect.shape[1]) * step, {"units": "output pixel"}),
            },
            attrs={"baseline": self.baseline, "tolerance": self.tolerance, "task": self.task}
            | {
                "score": self.outcome,
                "roi": dataclasses.astuple(self.roi),
                "provenance": json.dumps(self.provenance),
            },
        )

    def save(self, path: str | AnyPath) -> None:
        """Writes the map to a `.npz` file, whole or not at all; see `docs/map-format.md`.

        Args:
            path: the file.

        Raises:
            ValueError: the file cannot be written.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        write_file(path, map_bytes(fields))

    @classmethod
    def load(cls, path: str | AnyPath) -> "EffectMap":
        """Reads what `save` wrote.

        Args:
            path: the file.

        Raises:
            ValueError: the file is missing, damaged, or of a newer format.
        """
        return cls(**read_map(path))
