"""The difference of two maps that share their draws: what one does to another, pair by pair."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from cem_jax.by_shape import by_shape
from cem_jax.map.effect_map import CONFIDENCE, EffectMap, Interval
from cem_jax.plain_text import quoted
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.drawing import RandomDraws
from cem_jax.plans.estimate import sign_probability
from cem_jax.plans.names import plan_text
from cem_jax.read_only import keep_read_only
from cem_jax.show import html, plot

_OF_THE_DRAWS = ("scene", "images", "pool", "seed", "block", "plan")
"""What two maps must have in common for draw k of a block to be the same intervention in both."""

_IF_TOLD = ("do",)
"""What they must have in common too where both tell it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Difference:
    """How much more a block helps in one map than in another, from draws that both share.

    Args:
        effect: first minus second effect, [rows, columns] in the outcome's unit; 0 where neither
            map has draws, NaN inside either region and where the maps share no draw.
        standard_error: of the difference, [rows, columns], from the pairs; NaN too where there is a
            single one, and for plans without standard errors.
        samples: pairs of draws behind each difference, int [rows, columns].
        degrees: degrees of freedom of the standard error, [rows, columns].
        selected: blocks whose draws were chosen by their outcomes in one map or both, bool
            [rows, columns], as `CoarseToFine` does where a block is no candidate in both. Of these
            only the coarse draws are pairs, and there is no interval.
        inside_roi: blocks that share a pixel with either region, bool [rows, columns].
        tolerance: differences smaller than this count as zero, in the outcome's unit: the larger of
            the two maps'.
        unit: of the outcome.
        provenance: of both maps, as "first" and "second".
        first: the map from which the other is subtracted.
        second: the other.
    """

    effect: Float[np.ndarray, "rows columns"]
    standard_error: Float[np.ndarray, "rows columns"]
    samples: Int[np.ndarray, "rows columns"]
    degrees: Float[np.ndarray, "rows columns"]
    selected: Bool[np.ndarray, "rows columns"]
    inside_roi: Bool[np.ndarray, "rows columns"]
    tolerance: float
    unit: str
    provenance: Mapping[str, Any]
    first: EffectMap = dataclasses.field(repr=False)
    second: EffectMap = dataclasses.field(repr=False)

    __repr__ = by_shape
    _repr_html_ = html
    plot = plot

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def sign_probability(self) -> Float[np.ndarray, "rows columns"]:
        """Probability that the difference's sign is right, [rows, columns], as for a map."""
        found = sign_probability(self.effect, self.standard_error, self.degrees)
        return np.where(self.selected, np.nan, found)

    @property
    def summary(self) -> dict[str, float | int | str]:
        """Numbers for a table: baselines, and the blocks outside the regions by their difference.

        A difference is sure where its 95 % interval does not hold 0 and it reaches the tolerance.
        """
        low, high = self.interval()
        known = np.isfinite(self.effect)
        large = known & (np.abs(self.effect) >= self.tolerance)
        more, less = large & (self.effect > 0), large & (self.effect < 0)
        found = self.effect[known]
        first, second = self._names
        return {
            "first": first,
            "second": second,
            "first_baseline": self.first.baseline,
            "second_baseline": self.second.baseline,
            "more_in_first": int(more.sum()),
            "of_these_sure": int((more & (low > 0)).sum()),
            "more_in_second": int(less.sum()),
            "of_those_sure": int((less & (high < 0)).sum()),
            "alike": int((known & ~more & ~less).sum()),
            "min": float(found.min()) if found.size else float("nan"),
            "max": float(found.max()) if found.size else float("nan"),
            "unit": self.unit,
        }

    @property
    def _names(self) -> list[str]:
        """What the networks are called; two of one name with the file that each came from."""
        both = [one.provenance for one in (self.first, self.second)]
        names = [str(facts.get("network", "")) for facts in both]
        told = [facts.get("network_source") or facts.get("parameters") for facts in both]
        if names[0] == names[1] and told[0] != told[1]:
            return [f"{name} ({what})" for name, what in zip(names, told, strict=True)]
        return names

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals that hold the true difference with the given confidence, as for a map.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [rows, columns] in the outcome's unit.

        Raises:
            ValueError: another confidence.
        """
        ends = Interval.around(self.effect, self.standard_error, self.degrees, confidence)
        return Interval(*(np.where(self.selected, np.nan, end) for end in ends))


def difference(first: EffectMap, second: EffectMap) -> Difference:
    """Effects of the first map minus those of the second, with the standard error of the pairs.

    The maps may be of other networks, regions or outcomes of one unit, on one scene. Draw k of a
    block put the same patch, with the same noise, into both: what it does to both alike cancels, so
    that the difference is known better than either effect. A map in which a block cannot reach the
    region has its baseline there in every draw. Pairs enter as draws do by the plan: those of
    `CoarseToFine` that are fine in both maps, or that have no others.

    Args:
        first: a map.
        second: a map with the same scene, do(), pool, seed, block and plan.

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
            raise ValueError(f"{name}={quoted(value)}: expected a cem_jax.EffectMap")
    different = []
    for key in (*_OF_THE_DRAWS, *_IF_TOLD):
        told = [one.provenance.get(key) for one in (first, second)]
        if key in _IF_TOLD and None in told:
            continue
        if _as_text(told[0]) != _as_text(told[1]) or None in told:
            shown = [plan_text(one) if key == "plan" else _as_text(one) for one in told]
            if shown[0] == shown[1]:
                shown = [_as_text(one) for one in told]
            different.append(f"{key} {shown[0]} and {shown[1]}")
    if any(isinstance(one.plan, Corrected) for one in (first, second)):
        different.append("draws by windows, whose pairs say nothing without their corrections")
    if first.unit != second.unit:
        different.append(f"units {quoted(first.unit)} and {quoted(second.unit)}")
    elif not first.unit and (told := _other_outcome(first, second)):
        different.append(told)
    if different:
        raise ValueError(f"first, second: maps that do not compare: {'; '.join(different)}")
    change = [_change(one) for one in (first, second)]
    pairs, drawing = change[0] - change[1], first.plan.drawing
    shape, drawn = first.effect.shape, np.stack([first.samples, second.samples]).any(axis=0)
    inside = first.inside_roi | second.inside_roi
    # The draws of a plan without standard errors are weighted: their plain mean is no effect.
    weighted = any(
        (np.isnan(one.standard_error) & (one.samples > 1)).any() for one in (first, second)
    )
    counted = np.isfinite(pairs) if weighted else first.plan.counted(pairs)
    found = (RandomDraws() if weighted else drawing).means(pairs, counted, None)
    samples = np.where(drawn, found.samples.reshape(shape), 0)
    # Without draws in either map there is nothing to differ; draws without a pair tell nothing.
    unknown = inside | (drawn & (samples == 0))
    effect = first.effect - second.effect if weighted else found.effect.reshape(shape)
    error = np.where(drawn, np.nan, 0.0) if weighted else found.standard_error.reshape(shape)
    return Difference(
        effect=np.where(unknown, np.nan, effect),
        standard_error=np.where(unknown, np.nan, error),
        samples=np.where(inside, 0, samples),
        degrees=drawing.degrees(samples),
        selected=(first.selected | second.selected) & ~inside,
        inside_roi=inside,
        tolerance=max(first.tolerance, second.tolerance),
        unit=first.unit,
        provenance={"first": dict(first.provenance), "second": dict(second.provenance)},
        first=first,
        second=second,
    )


def _other_outcome(first: EffectMap, second: EffectMap) -> str:
    """How the outcomes of two maps without a unit differ, in words; empty where they do not.

    Decibels of different outcomes are told from each other; plain numbers have no common measure.
    """
    if first.outcome != second.outcome:
        return f"outcomes {quoted(first.outcome)} and {quoted(second.outcome)}"
    told = [one.provenance.get("scores") or [] for one in (first, second)]
    sizes = [(one.roi.height, one.roi.width) for one in (first, second)]
    # A fingerprint is one of an outcome and a size; of several outcomes it is not said whose.
    alike = sizes[0] == sizes[1] and len(told[0]) == len(told[1]) == 1
    return f"outcome {told[0][0]} and {told[1][0]}" if alike and told[0] != told[1] else ""


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _change(effect_map: EffectMap) -> Float64[np.ndarray, "cells draws"]:
    """What each draw takes from the outcome, float64 [cells, draws]; 0 where no draw reaches."""
    values = effect_map.values.reshape(effect_map.effect.size, -1).astype(np.float64)
    reached = np.isfinite(values).any(axis=1, keepdims=True)
    return np.where(reached, effect_map.baseline - values, 0.0)
