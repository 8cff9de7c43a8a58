"""Plans that choose patches which stand for the pool, instead of drawing them at random."""

import dataclasses

import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.plans.estimate import Estimate, estimate_stratified
from cem_jax.plans.plan import check_tolerance
from cem_jax.pool.pool import PatchPool
from cem_jax.pool.strata import (
    check_power_of_two,
    medoids,
    principal_components,
    scrambled_strata,
    stratified_patches,
)


@dataclasses.dataclass(frozen=True)
class Quadrature:
    """The same few patches for every block, each weighted by the share of the pool like it.

    The patches are weighted k-medoids of the pool in eight principal components. Nothing is drawn
    but a task's own noise, so the error of an effect is a bias and no chance: it has no standard
    error (NaN). docs/plans.md has its measured size. `Stratified` is the unbiased relative.

    Args:
        n: patches.
        tolerance: effects smaller than this count as zero, in dB.

    Raises:
        ValueError: n below 1, or a negative tolerance.
    """

    n: int = 16
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        whole_number("n", self.n, 1)
        check_tolerance(self.tolerance)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.n

    def patches(self, pool: PatchPool) -> np.ndarray:
        """The pool's medoids.

        Raises:
            ValueError: fewer than n patches of the pool differ.
        """
        return medoids(principal_components(pool), self.n)[0]

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """All draws of all active cells."""
        return np.broadcast_to(active[:, None], values.shape)

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The weighted mean of all draws.

        Raises:
            ValueError: fewer than n patches of the pool differ.
        """
        weights = medoids(principal_components(pool), self.n)[1]
        samples = np.isfinite(values).sum(axis=1)
        drawn = samples > 0
        effect = np.where(drawn, (baseline - values.astype(np.float64)) @ weights, 0.0)
        return Estimate(effect, np.where(drawn, np.nan, 0.0), samples, drawn)


@dataclasses.dataclass(frozen=True)
class Stratified:
    """The same number of draws for every block, one from each of n equal parts of the pool.

    The parts hold patches that look alike, and all blocks share their patches. The mean is unbiased
    and varies less than that of random draws; its standard error is on the safe side.

    Args:
        n: draws for each block, a power of 2.
        tolerance: effects smaller than this count as zero, in dB.
        seed: seed of the choice of patches.

    Raises:
        ValueError: an argument out of range.
    """

    n: int
    tolerance: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_power_of_two("n", self.n, 2)
        check_tolerance(self.tolerance)
        whole_number("seed", self.seed, 0)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.n

    def patches(self, pool: PatchPool) -> np.ndarray:
        """One of each part, the same for every cell."""
        return stratified_patches(pool, self.n, self.seed)

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """All draws of all active cells."""
        return np.broadcast_to(active[:, None], values.shape)

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The mean of all draws."""
        strata = scrambled_strata(self.n, self.seed)
        return estimate_stratified(values, strata, baseline, self.tolerance)
