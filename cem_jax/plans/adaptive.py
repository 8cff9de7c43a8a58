"""A sequential plan: draws until every block is decided and the map is precise."""

import dataclasses

import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.plans.estimate import Estimate, estimate_stratified
from cem_jax.plans.plan import check_tolerance
from cem_jax.pool.pool import PatchPool
from cem_jax.pool.strata import check_power_of_two, scrambled_strata, stratified_patches

_FIRST = 2
"""Draws of every block before the first look: the fewest that tell a spread."""

_DOUBLINGS = 16
"""How far ahead precision is planned."""


@dataclasses.dataclass(frozen=True)
class Adaptive:
    """Draws until every block is decided and the map is precise, in rounds that double.

    Decided: the interval of the effect lies wholly among the positive, the negative or the zero
    effects at the tolerance. A block is looked at after 2, 4, 8 .. `most` draws, and 1 - confidence
    is shared out evenly over these looks. So each block is decided wrongly with a probability of
    at most 1 - confidence, and the expected share of wrong decisions among the map's blocks is at
    most 1 - confidence, however the blocks depend on each other. (For one chance of
    1 - confidence that any of m blocks is wrong, take 1 - (1 - confidence) / m.) This holds as far
    as t intervals of means do: see docs/plans.md for what was measured. A block that is not decided
    after `most` draws is `undecided`.

    Precise: the map's root-mean-square standard error is no larger than `equivalent` random draws
    of every block would have. Draws go where one more lowers it most (Neyman 1934).

    The patches are stratified: the k-th draw of all blocks takes the same patch, and the patches of
    2^m draws lie one in each of 2^m parts of the pool. Their mean is unbiased at a given number of
    draws and varies less than that of random ones; blocks of one map share their luck.

    Args:
        tolerance: effects smaller than this count as zero, in dB.
        confidence: 1 minus the largest chance that a block is decided wrongly; between 0 and 1.
        most: draws after which a block is given up, a power of 2.
        equivalent: random draws for each block that the map's precision equals.
        seed: seed of the choice of patches.

    Raises:
        ValueError: an argument out of range.
    """

    tolerance: float = 0.01
    confidence: float = 0.95
    most: int = 32
    equivalent: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence={self.confidence!r}: expected a number between 0 and 1")
        check_power_of_two("most", self.most, _FIRST)
        whole_number("equivalent", self.equivalent, 1)
        whole_number("seed", self.seed, 0)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.most

    def patches(self, pool: PatchPool) -> np.ndarray:
        """A stratified sequence of the pool's patches, the same for every cell."""
        return stratified_patches(pool, self.most, self.seed)

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """The draws of the first round that is not complete.

        All rounds are gone through from the first, each seeing the outcomes of those before it
        alone: a sweep that stopped within a round goes on as if it had not.
        """
        samples = np.where(active, _FIRST, 0)
        while True:
            granted = np.arange(self.most) < samples[:, None]
            if np.isnan(values[granted]).any():
                return granted
            more = self._more(np.where(granted, values, np.nan), samples, baseline)
            if not more.any():
                return granted
            samples = np.where(more, 2 * samples, samples)

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The mean of each cell's draws."""
        return self._estimate(values, baseline)

    def _estimate(self, values: np.ndarray, baseline: float) -> Estimate:
        looks = np.log2(self.most / _FIRST) + 1
        strata = scrambled_strata(self.most, self.seed)
        confidence = 1 - (1 - self.confidence) / looks
        return estimate_stratified(values, strata, baseline, self.tolerance, confidence)

    def _more(self, values: np.ndarray, samples: np.ndarray, baseline: float) -> np.ndarray:
        """The cells whose draws should double."""
        now = self._estimate(values, baseline)
        more = now.undecided & (samples < self.most)
        planned = np.where(more, 2 * samples, samples)
        variance = np.square(now.standard_error) / np.where(more, 2, 1)
        random = np.nanvar(values[samples > 0], axis=1, ddof=1, dtype=np.float64)
        excess = variance.sum() - random.sum() / self.equivalent
        if excess > 0:
            # Doubling a cell's draws halves its variance; the next doubling saves, per draw, a
            # quarter of this one. The cap is disregarded: draws elsewhere do not make up for it.
            doubling = np.arange(_DOUBLINGS)
            saved = variance[:, None] / 2.0 ** (doubling + 1)
            per_draw = saved / (np.maximum(planned, 1)[:, None] * 2.0**doubling)
            order = np.argsort(-per_draw, axis=None, kind="stable")
            needed = np.searchsorted(np.cumsum(saved.reshape(-1)[order]), excess) + 1
            more[order[:needed] // _DOUBLINGS] = True
        return more & (samples > 0) & (samples < self.most)
