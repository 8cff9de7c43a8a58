"""How the patches of draws are chosen, and what the outcomes then say of a mean.

A plan is made of a drawing and of a rule for how many draws each block gets.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from cem_jax.plans.estimate import Means
from cem_jax.pool.pool import PatchPool
from cem_jax.pool.strata import (
    medoids,
    principal_components,
    stratified_patches,
)

_PER_STRATUM = 4


@runtime_checkable
class Drawing(Protocol):
    """A way to choose patches, with the mean that belongs to it."""

    def patches(self, pool: PatchPool) -> Int[np.ndarray, "sequences capacity"] | None:
        """The pool's patch that draw k of a cell takes, int [sequences, capacity].

        Cell c takes sequence c modulo their number. None: random, by (seed, cell, k).
        """
        ...

    def degrees(self, samples: Int[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
        """Degrees of freedom of the standard error of a mean of so many draws."""
        ...

    def means(
        self,
        change: Float[np.ndarray, "cells draws"],
        counted: Bool[np.ndarray, "cells draws"],
        pool: PatchPool | None,
    ) -> Means:
        """Means of the counted among the changes [cells, draws], with their standard errors."""
        ...


@dataclasses.dataclass(frozen=True)
class RandomDraws:
    """Every draw takes a patch of its own, with equal chance."""

    def patches(self, pool: PatchPool) -> None:
        """None: every draw takes a random patch."""

    def degrees(self, samples: Int[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
        """One less than the draws."""
        return np.asarray(samples) - 1.0

    def means(
        self,
        change: Float[np.ndarray, "cells draws"],
        counted: Bool[np.ndarray, "cells draws"],
        pool: PatchPool | None = None,
    ) -> Means:
        """The mean, with the unbiased variance of a mean: squares / (n (n - 1)).

        Args:
            change: what each draw takes from the outcome, [cells, draws].
            counted: which of them enter, bool [cells, draws].
            pool: not needed.

        Returns:
            Arrays [cells].
        """
        n = counted.sum(axis=1)
        change = np.where(counted, change, 0.0).astype(np.float64)
        effect = change.sum(axis=1) / np.maximum(n, 1)
        spread = np.where(counted, change - effect[:, None], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(np.square(spread).sum(axis=1) / (n * (n - 1.0)))
        error = np.where(n == 0, 0.0, np.where(n == 1, np.nan, error))
        return Means(effect, error, n, self.degrees(n))


@dataclasses.dataclass(frozen=True)
class StratifiedDraws:
    """The first 2^m draws of a cell lie one in each of 2^m parts of the pool that look alike.

    Each cell has a sequence of its own, so that neither costly patches nor errors are shared.

    Args:
        capacity: length of the sequences, a power of 2.
        seed: seed of the choice.
    """

    capacity: int
    seed: int

    def patches(self, pool: PatchPool) -> Int[np.ndarray, "sequences capacity"]:
        """Stratified sequences of the pool's patches."""
        return stratified_patches(pool, self.capacity, self.seed)

    def degrees(self, samples: Int[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
        """One for each draw, less one for each stratum of four."""
        samples = np.asarray(samples)
        return samples - np.maximum(samples // _PER_STRATUM, 1.0)

    def means(
        self,
        change: Float[np.ndarray, "cells draws"],
        counted: Bool[np.ndarray, "cells draws"],
        pool: PatchPool | None = None,
    ) -> Means:
        """The mean of the longest run of 2^m draws that a cell has from its first one on.

        The draws of a run lie one in each of 2^m equal strata. Their standard error is that of
        strata of four (collapsed strata, Cochran 1977, 5A.12): too large rather than too small,
        since the finer strata, which are real, spread less.

        Args:
            change: what each draw takes from the outcome, [cells, draws].
            counted: which of them exist, bool [cells, draws].
            pool: not needed.

        Returns:
            Arrays [cells].
        """
        first_missing = np.where(counted.all(axis=1), change.shape[1], counted.argmin(axis=1))
        samples = 2 ** np.frexp(first_missing)[1] // 2
        effect, error, degrees = np.zeros(len(change)), np.zeros(len(change)), self.degrees(samples)
        for n in np.unique(samples[samples > 0]):
            rows = samples == n
            # Whatever the scrambling, a sequence comes back to a stratum after as many draws.
            strata = max(n // _PER_STRATUM, 1)
            groups = change[rows, :n].astype(np.float64).reshape(rows.sum(), n // strata, strata)
            squares = np.square(groups - groups.mean(axis=1, keepdims=True)).sum(axis=(1, 2))
            effect[rows] = groups.mean(axis=(1, 2))
            # Variance of a mean: squares / (n x degrees of freedom); one draw has none.
            error[rows] = np.sqrt(squares / (n * degrees[rows])) if n > 1 else np.nan
        return Means(effect, error, samples, degrees)


@dataclasses.dataclass(frozen=True)
class Representatives:
    """The same n patches for every cell, each weighted by the share of the pool like it.

    Args:
        n: patches.
    """

    n: int

    def patches(self, pool: PatchPool) -> Int[np.ndarray, "1 n"]:
        """The pool's medoids, int [1, n].

        Raises:
            ValueError: fewer than n patches of the pool differ.
        """
        return medoids(principal_components(pool), self.n)[0][None]

    def degrees(self, samples: Int[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
        """None: nothing is drawn."""
        return np.zeros(np.shape(samples))

    def means(
        self,
        change: Float[np.ndarray, "cells draws"],
        counted: Bool[np.ndarray, "cells draws"],
        pool: PatchPool | None,
    ) -> Means:
        """The weighted mean of all draws, without a standard error (NaN).

        Args:
            change: what each patch takes from the outcome, [cells, n].
            counted: which of them exist: all of a cell or none, bool [cells, n].
            pool: whose medoids the patches are.

        Raises:
            ValueError: fewer than n patches of the pool differ.
        """
        assert pool is not None
        weights = medoids(principal_components(pool), self.n)[1]
        samples = counted.sum(axis=1)
        drawn = samples > 0
        effect = np.where(drawn, change.astype(np.float64) @ weights, 0.0)
        error = np.where(drawn, np.nan, 0.0)
        return Means(effect, error, samples, self.degrees(samples))
