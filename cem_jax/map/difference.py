"""The difference of two maps that share their draws: what one does to another, pair by pair."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cem_jax.by_shape import by_shape
from cem_jax.map.effect_map import CONFIDENCE, EffectMap, Interval, sign_probability
from cem_jax.plans.estimate import estimate_effects, interval
from cem_jax.read_only import keep_read_only

_OF_THE_DRAWS = ("scene", "images", "do", "pool", "seed", "block", "plan")
"""What two maps must have in common for draw k of a block to be the same intervention in both."""


@dataclasses.dataclass(frozen=True, eq=False)
class Difference:
    """How much more a block helps in one map than in another, from draws that both share.

    Args:
        effect: first minus second effect, [rows, columns] in the outcome's unit; 0 where neither
            map has draws, NaN inside either region and where the maps share no draw.
        standard_error: of the difference, [rows, columns], from the pairs; NaN too where there is a
            single one, and for plans without standard errors.
        samples: pairs of draws behind each difference, int [rows, columns].
        inside_roi: blocks that share a pixel with either region, bool [rows, columns].
        tolerance: differences smaller than this count as zero, in the outcome's unit: the larger of
            the two maps'.
        unit: of the outcome.
        provenance: of both maps, as "first" and "second".
    """

    effect: np.ndarray
    standard_error: np.ndarray
    samples: np.ndarray
    inside_roi: np.ndarray
    tolerance: float
    unit: str
    provenance: Mapping[str, Any]

    __repr__ = by_shape

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def sign_probability(self) -> np.ndarray:
        """Probability that the difference's sign is right, [rows, columns], as for a map."""
        return sign_probability(self.effect, self.standard_error, self.samples)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals that hold the true difference with the given confidence, as for a map.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [rows, columns] in the outcome's unit.
        """
        ends = interval(self.effect, self.standard_error, self.samples - 1.0, confidence)
        return Interval(*ends)


def difference(first: EffectMap, second: EffectMap) -> Difference:
    """Effects of the first map minus those of the second, with the standard error of the pairs.

    The maps may be of other networks, regions or outcomes of one unit, on one scene. Draw k of a
    block put the same patch, with the same noise, into both: what it does to both alike cancels, so
    that the difference is known better than either effect. A map in which a block cannot reach the
    region has its baseline there in every draw.

    Args:
        first: a map.
        second: a map with the same scene, pool, seed, block and plan.

    Returns:
        The difference.

    Raises:
        ValueError: the maps do not share their draws, or have other units; the message says what
            differs.

    Examples:
        A draw of the first map has its pair in the second one, at each of the 12 blocks around.

        >>> import cem_jax as cem
        >>> import jax
        >>> def blur(side):
        ...     def mean(x):
        ...         box, steps = (1, side, side, 1), (1, 1, 1, 1)
        ...         return jax.lax.reduce_window(x, 0.0, jax.lax.add, box, steps, "SAME") / side**2
        ...     return cem.wrap(mean, receptive_radius=side // 2)
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda")[:64, :64])
        >>> first, second = (
        ...     cem.causal_effect_map(
        ...         blur(side), scene, cem.ROI(24, 24, 16, 16), plan=cem.Fixed(3), progress=False
        ...     )
        ...     for side in (3, 5)
        ... )
        >>> found = cem.difference(first, second)
        >>> int(found.samples.sum()), found.unit
        (36, 'dB')
    """
    for name, value in (("first", first), ("second", second)):
        if not isinstance(value, EffectMap):
            raise ValueError(f"{name}={value!r}: expected a cem_jax.EffectMap")
    different = []
    for key in _OF_THE_DRAWS:
        facts = [json.dumps(one.provenance.get(key), sort_keys=True) for one in (first, second)]
        if facts[0] != facts[1] or "null" in facts:
            different.append(f"{key} {facts[0]} and {facts[1]}")
    if first.unit != second.unit:
        different.append(f"units {first.unit!r} and {second.unit!r}")
    if different:
        raise ValueError(f"first, second: maps that do not compare: {'; '.join(different)}")
    change = [_change(one) for one in (first, second)]
    pairs = change[0] - change[1]
    found = estimate_effects(-pairs, np.isfinite(pairs), 0.0)
    shape, drawn = first.effect.shape, np.stack([first.samples, second.samples]).any(axis=0)
    inside = first.inside_roi | second.inside_roi
    samples = np.where(drawn, found.samples.reshape(shape), 0)
    # Without draws in either map there is nothing to differ; draws without a pair tell nothing.
    blank = np.where(inside | (drawn & (samples == 0)), np.nan, 0.0)
    # The draws of a plan without standard errors are weighted: their plain mean is no effect.
    weighted = np.zeros(shape, bool)
    for one in (first, second):
        weighted |= np.isnan(one.standard_error) & (one.samples > 1)
    effect = np.where(weighted, first.effect - second.effect, found.effect.reshape(shape))
    error = np.where(weighted, np.nan, found.standard_error.reshape(shape))
    return Difference(
        effect=effect + blank,
        standard_error=error + blank,
        samples=np.where(inside, 0, samples),
        inside_roi=inside,
        tolerance=max(first.tolerance, second.tolerance),
        unit=first.unit,
        provenance={"first": dict(first.provenance), "second": dict(second.provenance)},
    )


def _change(effect_map: EffectMap) -> np.ndarray:
    """What each draw takes from the outcome, float64 [cells, draws]; 0 where no draw reaches."""
    values = effect_map.values.reshape(effect_map.effect.size, -1).astype(np.float64)
    reached = np.isfinite(values).any(axis=1, keepdims=True)
    return np.where(reached, effect_map.baseline - values, 0.0)
