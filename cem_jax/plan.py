"""Plans: how many draws each block gets. A plan is a pure function of the outcomes so far.

Outcomes are kept as `values` [cells, capacity], NaN where nothing was drawn; column k is the k-th
draw of a cell. Whoever stops and starts again with the same values goes on in the same way.
"""

import dataclasses
from typing import Protocol

import numpy as np

from cem_jax.arguments import whole_number


class Plan(Protocol):
    """What a sweep asks of a plan."""

    @property
    def tolerance(self) -> float:
        """Effects smaller than this count as zero, in dB."""
        ...

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        ...

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """Which draws should exist next, bool [cells, capacity]; existing ones may be True."""
        ...

    def counted(self, values: np.ndarray, baseline: float) -> np.ndarray:
        """Which draws enter the estimate: bool [cells, capacity]."""
        ...


def _check_tolerance(tolerance: float) -> None:
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance={tolerance!r}: expected 0 or more, in dB")


@dataclasses.dataclass(frozen=True)
class Fixed:
    """The same number of draws for every block.

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
        _check_tolerance(self.tolerance)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.n

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """All draws of all active cells."""
        return np.broadcast_to(active[:, None], values.shape)

    def counted(self, values: np.ndarray, baseline: float) -> np.ndarray:
        """Every draw."""
        return np.isfinite(values)


@dataclasses.dataclass(frozen=True)
class CoarseToFine:
    """The paper's plan: a few draws for all blocks, many for those that moved the outcome.

    A block is a candidate if any of its coarse draws moves the outcome by at least the tolerance;
    its effect is then estimated from the fine draws alone, else from the coarse ones.

    Args:
        coarse: draws for each block.
        fine: further draws for each candidate.
        tolerance: threshold of both stages, in dB.

    Raises:
        ValueError: fewer than one draw, or a negative tolerance.
    """

    coarse: int = 3
    fine: int = 50
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        whole_number("coarse", self.coarse, 1)
        whole_number("fine", self.fine, 1)
        _check_tolerance(self.tolerance)

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.coarse + self.fine

    def _candidates(self, values: np.ndarray, baseline: float) -> np.ndarray:
        moved = np.abs(values[:, : self.coarse] - baseline) >= self.tolerance
        return np.asarray(moved.any(axis=1))

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """The coarse draws; once all exist, the candidates' fine draws too."""
        wanted = np.zeros(values.shape, bool)
        wanted[active, : self.coarse] = True
        if np.isfinite(values[active, : self.coarse]).all():
            wanted[active & self._candidates(values, baseline), self.coarse :] = True
        return wanted

    def counted(self, values: np.ndarray, baseline: float) -> np.ndarray:
        """The candidates' fine draws and the others' coarse ones."""
        fine = np.arange(self.capacity) >= self.coarse
        candidates = self._candidates(values, baseline)
        counted = np.isfinite(values)
        counted &= np.equal(fine, candidates[:, None])
        return counted
