"""Effects along some of a network's paths: sums and differences of maps that share their draws."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Integer, Real

from cem_jax.by_shape import by_shape
from cem_jax.map.effect_map import CONFIDENCE, Interval
from cem_jax.plans.estimate import sign_probability
from cem_jax.read_only import keep_read_only


@dataclasses.dataclass(frozen=True, eq=False)
class PathEffects:
    """Effects of blocks along some paths.

    Args:
        effect: [rows, columns] in the outcome's unit; NaN inside the region.
        standard_error: of the effect, [rows, columns], from the common draws; NaN for plans without
            standard errors.
        samples: draws behind each effect, int [rows, columns].
        degrees: degrees of freedom of the standard error, [rows, columns].
        selected: blocks whose draws were chosen by their outcomes, bool [rows, columns]: they have
            no interval.
        inside_roi: blocks that share a pixel with the region, bool [rows, columns].
        tolerance: effects smaller than this count as zero, in the outcome's unit.
        unit: of the outcome.
    """

    effect: Float[np.ndarray, "rows columns"]
    standard_error: Float[np.ndarray, "rows columns"]
    samples: Integer[np.ndarray, "rows columns"]
    degrees: Real[np.ndarray, "rows columns"]
    selected: Bool[np.ndarray, "rows columns"]
    inside_roi: Bool[np.ndarray, "rows columns"]
    tolerance: float
    unit: str

    __repr__ = by_shape

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def sign_probability(self) -> Float[np.ndarray, "rows columns"]:
        """Probability that the sign is right, [rows, columns], as for a map."""
        found = sign_probability(self.effect, self.standard_error, self.degrees)
        return np.where(self.selected, np.nan, found)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals that hold the true effect with the given confidence, as for a map.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [rows, columns] in the outcome's unit.

        Raises:
            ValueError: another confidence.
        """
        ends = Interval.around(self.effect, self.standard_error, self.degrees, confidence)
        return Interval(*(np.where(self.selected, np.nan, end) for end in ends))
