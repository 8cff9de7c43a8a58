"""Plans: how many draws each block gets. A plan is a pure function of the outcomes so far.

Outcomes are kept as `values` [cells, capacity], NaN where nothing was drawn; column k is the k-th
draw of a cell. Whoever stops and starts again with the same values goes on in the same way.
"""

import dataclasses
from typing import Protocol

import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.plans.estimate import Estimate, estimate_effects
from cem_jax.pool.pool import PatchPool


class Plan(Protocol):
    """What a sweep asks of a plan."""

    @property
    def tolerance(self) -> float:
        """Effects smaller than this count as zero, in the outcome's unit (dB)."""
        ...

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        ...

    def patches(self, pool: PatchPool) -> np.ndarray | None:
        """The pool's patch that draw k of every cell takes, int [capacity].

        None: the patch of a draw is random, by (seed, cell, k).
        """
        ...

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """Which draws should exist next, bool [cells, capacity]; existing ones may be True."""
        ...

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """What the draws say of every cell's effect."""
        ...


def check_tolerance(tolerance: float) -> None:
    """Refuses a tolerance that is none.

    Raises:
        ValueError: it is negative or not finite.
    """
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance={tolerance!r}: expected 0 or more, in dB")


@dataclasses.dataclass(frozen=True)
class Fixed:
    """The same number of random draws for every block.

    Args:
        n: draws for each block.
        tolerance: effects smaller than this count as zero, in dB.

    Raises:
        ValueError: n below 1, or a negative tolerance.
    """

    n: int
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        whole_number("n", self.n, 1)
        check_tolerance(self.tolerance)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.n

    def patches(self, pool: PatchPool) -> None:
        """None: every draw takes a random patch."""

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """All draws of all active cells."""
        return np.broadcast_to(active[:, None], values.shape)

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The mean of all draws."""
        return estimate_effects(values, np.isfinite(values), baseline, self.tolerance)


@dataclasses.dataclass(frozen=True)
class CoarseToFine:
    """The paper's plan: a few draws for all blocks, many for those that moved the outcome.

    A block is a candidate if any of its coarse draws moves the outcome by at least the tolerance;
    its effect is then estimated from the fine draws alone, else from the coarse ones. The fine
    draws are fresh, so that their choice does not bias them; the coarse ones of the others were
    chosen for being small, which draws effects near the tolerance towards zero.

    Args:
        coarse: draws for each block.
        fine: further draws for each candidate.
        tolerance: threshold of both stages, in dB.

    Raises:
        ValueError: fewer than one draw, or a negative tolerance.

    Examples:
        Two blocks after their coarse draw; the second one moved the outcome by 0.1 dB.

        >>> import cem_jax as cem
        >>> import numpy as np
        >>> values = np.array([[28.0, np.nan, np.nan], [27.9, np.nan, np.nan]])
        >>> plan = cem.CoarseToFine(coarse=1, fine=2, tolerance=0.01)
        >>> plan.wanted(values, baseline=28.0, active=np.array([True, True]))
        array([[ True, False, False],
               [ True,  True,  True]])
    """

    coarse: int = 3
    fine: int = 50
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        whole_number("coarse", self.coarse, 1)
        whole_number("fine", self.fine, 1)
        check_tolerance(self.tolerance)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.coarse + self.fine

    def patches(self, pool: PatchPool) -> None:
        """None: every draw takes a random patch."""

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """The coarse draws; once all exist, the candidates' fine draws too."""
        wanted = np.zeros(values.shape, bool)
        wanted[active, : self.coarse] = True
        if np.isfinite(values[active, : self.coarse]).all():
            moved = np.abs(values[:, : self.coarse] - baseline) >= self.tolerance
            wanted[active & moved.any(axis=1), self.coarse :] = True
        return wanted

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The mean of the fine draws where there are any, else of the coarse ones."""
        drawn = np.isfinite(values)
        fine = np.arange(self.capacity) >= self.coarse
        counted = drawn & np.equal(fine, (drawn & fine).any(axis=1, keepdims=True))
        return estimate_effects(values, counted, baseline, self.tolerance)
