"""What the noise of its draws does to a map's numbers, and the numbers without it.

The largest of many noisy effects is larger than the largest effect, and blocks near the tolerance
fall on either side of it. To first order such an error is proportional to the variance of the
effects, and so to 1 / draws: half of the draws have twice of it. So 2 T(all) - T(half) is without,
for a number T of the map. It scatters more than T(all): take it where many maps are averaged.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from cem_jax.map.effect_map import EffectMap, Range
from cem_jax.plain_text import quoted
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.drawing import StratifiedDraws

_SPLITS = 32
"""Random halves that are averaged."""

_LEAST = 6
"""Draws of a block that tell the skewness of both of their halves."""


class Shares(NamedTuple):
    """Blocks outside the region by the sign of their effect at the tolerance, in %."""

    negative: float
    positive: float
    zero: float


def _draws(
    effect_map: EffectMap,
) -> tuple[Float64[np.ndarray, "cells draws"], Bool[np.ndarray, "cells draws"]]:
    """What each draw takes from the outcome at the blocks outside the region, and which count.

    Raises:
        ValueError: the map's draws have no noise, or there are too few.
    """
    if isinstance(effect_map.plan, Corrected):
        raise ValueError("effect_map: expected a plan whose draws are exact, not `Corrected`")
    values = effect_map.values.reshape(effect_map.effect.size, -1).astype(np.float64)
    counted = effect_map.plan.counted(values)
    outside = ~effect_map.inside_roi.reshape(-1)
    n, errors = counted.sum(axis=1), effect_map.standard_error.reshape(-1)
    if (np.isnan(errors) & (n > 1) & outside).any():
        raise ValueError("effect_map: expected a plan whose draws have a standard error")
    if (n == 1).any():
        raise ValueError("effect_map: expected at least 2 draws of every block")
    return (effect_map.baseline - values)[outside], counted[outside]


def _means(
    change: Float64[np.ndarray, "cells draws"], counted: Bool[np.ndarray, "cells draws"]
) -> Float64[np.ndarray, " cells"]:
    total = np.where(counted, change, 0.0).sum(axis=1)
    return total / np.maximum(counted.sum(axis=1), 1)


def _halves(
    effect_map: EffectMap, counted: Bool[np.ndarray, "cells draws"]
) -> Iterator[Bool[np.ndarray, "cells draws"]]:
    """Halves of every block's draws, bool [cells, draws]; each comes with its complement."""
    rank = counted.cumsum(axis=1) - 1
    middle = counted.sum(axis=1, keepdims=True) / 2
    if isinstance(effect_map.plan.drawing, StratifiedDraws):
        # Both halves of a run fill the pool evenly, as others do not.
        yield counted & (rank < middle)
        yield counted & (rank >= middle)
        return
    random = np.random.default_rng(0)
    for _ in range(_SPLITS):
        shuffled = np.where(counted, random.random(counted.shape), np.inf)
        first = shuffled.argsort(axis=1).argsort(axis=1) < middle
        yield counted & first
        yield counted & ~first


def _without_noise(
    effect_map: EffectMap,
    number: Callable[[Float64[np.ndarray, " cells"]], Float64[np.ndarray, " numbers"]],
) -> Float64[np.ndarray, " numbers"]:
    """2 T(all) - T(half), T a number of the effects outside the region."""
    change, counted = _draws(effect_map)
    half = [number(_means(change, which)) for which in _halves(effect_map, counted)]
    return 2 * number(_means(change, counted)) - np.mean(half, axis=0)


def range_without_noise(effect_map: EffectMap) -> Range:
    """The range of a map, without what the noise of its draws adds to it on average.

    Args:
        effect_map: by a plan whose draws have noise, with at least 2 draws of every block that
            reaches the region; an even number is best.

    Returns:
        In the outcome's unit. About two thirds of the excess are taken off at 4 draws.

    Raises:
        ValueError: the map has no such draws.
    """
    if effect_map.inside_roi.all():
        return Range(math.nan, math.nan)
    found = _without_noise(effect_map, lambda effect: np.array([effect.min(), effect.max()]))
    return Range(float(found[0]), float(found[1]))


def shares_without_noise(effect_map: EffectMap) -> Shares:
    """Shares of negative, positive and zero blocks, without what noise does to them on average.

    Args:
        effect_map: as for `range_without_noise`.

    Returns:
        In % of the blocks outside the region; for a single map they may lie beyond 0 or 100. Too
        much is taken off where many effects are zero with equal noise just below the tolerance.

    Raises:
        ValueError: the map has no such draws.
    """
    least = effect_map.tolerance

    def shares(effect: Float64[np.ndarray, " cells"]) -> Float64[np.ndarray, "2"]:
        large = np.abs(effect) >= least
        return np.array([(large & (effect < 0)).mean(), (large & (effect > 0)).mean()])

    if effect_map.inside_roi.all():
        return Shares(math.nan, math.nan, math.nan)
    negative, positive = (100 * _without_noise(effect_map, shares)).tolist()
    return Shares(negative, positive, 100 - negative - positive)


def chance_of_harm(
    effect_map: EffectMap, draws: int, blocks: Bool[np.ndarray, "rows columns"] | None = None
) -> float:
    """How often a block without an effect seems to harm, by the mean of some draws.

    Not half of the time: where few patches cost much and most gain a little, the mean of a few
    draws lies below its expectation more often than above it. By the first term of Edgeworth's
    series that is 1/2 + skewness / (6 sqrt(2 pi draws)). The blocks' mean skewness comes from
    their own draws; few draws show less of it, in proportion to 1 / sqrt(draws), as do halves of
    them by more.

    Args:
        effect_map: by a plan of random draws, with at least 6 of some block.
        draws: of the mean.
        blocks: which count, bool [rows, columns]; None takes all that have a spread.

    Returns:
        Their mean chance, between 0 and 1.

    Raises:
        ValueError: no block has so many draws.
    """
    if blocks is not None and (
        np.asarray(blocks).dtype != bool or np.shape(blocks) != effect_map.effect.shape
    ):
        raise ValueError(f"blocks={quoted(blocks)}: expected bool {list(effect_map.effect.shape)}")
    change, counted = _draws(effect_map)
    chosen = counted.sum(axis=1) >= _LEAST
    if blocks is not None:
        chosen &= blocks[~effect_map.inside_roi]
    skewness = []
    for own, which in zip(change[chosen], counted[chosen], strict=True):
        kept = own[which]
        if np.ptp(kept) > 0:
            skewness.append(_skewness_of_many(kept))
    if not skewness:
        raise ValueError(f"effect_map: no such block has {_LEAST} different draws")
    return float(0.5 + np.mean(skewness) / (6 * math.sqrt(2 * math.pi * draws)))


def _skewness_of_many(draws: Float64[np.ndarray, " draws"]) -> float:
    """The skewness of a block's outcomes, from its draws and from their halves."""
    whole, half = _skewness(draws), np.mean([_skewness(one) for one in np.array_split(draws, 2)])
    return float(whole + (whole - half) / (math.sqrt(2) - 1))


def _skewness(draws: Float64[np.ndarray, " draws"]) -> float:
    """The third k-statistic over the power 1.5 of the second (G1)."""
    n, moved = len(draws), draws - draws.mean()
    square = np.square(moved).sum() / (n - 1)
    cube = (moved**3).sum() * n / ((n - 1) * (n - 2))
    return float(cube / square**1.5) if square > 0 else 0.0
