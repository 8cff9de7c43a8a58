"""Plans: how many draws each block gets. A plan is a pure function of the outcomes so far.

Outcomes are kept as `values` [cells, capacity], NaN where nothing was drawn; column k is the k-th
draw of a cell. Whoever stops and starts again with the same values goes on in the same way.
"""

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from cem_jax.arguments import as_number, whole_number
from cem_jax.plain_text import quoted
from cem_jax.plans.drawing import Drawing
from cem_jax.plans.estimate import Estimate, decided_by_intervals
from cem_jax.pool.pool import PatchPool

MOST_DRAWS = 10_000
"""Of a block: as many as the default pool has patches."""

_MOST_SEED = 2**32 - 1


@runtime_checkable
class Plan(Protocol):
    """What a sweep asks of a plan."""

    @property
    def tolerance(self) -> float | None:
        """Effects smaller than this count as zero, in the outcome's unit; None: the outcome's."""
        ...

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        ...

    def patches(
        self, pool: PatchPool
    ) -> Int[np.ndarray, "sequences capacity"] | Int[np.ndarray, " capacity"] | None:
        """The pool's patch that draw k of a cell takes, int [sequences, capacity].

        Cell c takes sequence c modulo their number; with [capacity], all cells take the same.
        None: the patch of a draw is random, by (seed, cell, k).
        """
        ...

    def wanted(
        self,
        values: Float[np.ndarray, "cells capacity"],
        baseline: float,
        active: Bool[np.ndarray, " cells"],
    ) -> Bool[np.ndarray, "cells capacity"]:
        """Which draws should exist next, bool [cells, capacity]; existing ones may be True."""
        ...

    def estimate(
        self, values: Float[np.ndarray, "cells capacity"], baseline: float, pool: PatchPool
    ) -> Estimate:
        """What the draws say of every cell's effect."""
        ...


def with_tolerance(plan: Plan, tolerance: float) -> Plan:
    """A plan for an outcome whose tolerance is known.

    Args:
        plan: as the user gave it.
        tolerance: the outcome's own.

    Returns:
        The plan itself where it has a tolerance, else one with this one.
    """
    if plan.tolerance is not None or not dataclasses.is_dataclass(plan):
        return plan
    changed: Any = dataclasses.replace(plan, tolerance=tolerance)  # type: ignore[type-var]
    return changed


class Drawn:
    """What plans do alike, once it is said which draws exist.

    A plan has a `drawing`, a `capacity` and a `tolerance`, and says what is `wanted`.
    """

    tolerance: float | None

    @property
    def drawing(self) -> Drawing:
        """How patches are chosen."""
        raise NotImplementedError

    @property
    def threshold(self) -> float:
        """The tolerance as a number.

        Raises:
            ValueError: it is left to an outcome that is not known here.
        """
        if self.tolerance is None:
            raise ValueError("tolerance=None: expected a number where no outcome gives its own")
        return self.tolerance

    def patches(self, pool: PatchPool) -> Int[np.ndarray, "sequences capacity"] | None:
        """The pool's patch that draw k of a cell takes, see `Plan.patches`."""
        return self.drawing.patches(pool)

    def counted(self, values: Float[np.ndarray, "cells draws"]) -> Bool[np.ndarray, "cells draws"]:
        """Which draws enter the effect, bool [cells, capacity]: all that exist."""
        return np.isfinite(values)

    def selected(self, values: Float[np.ndarray, "cells draws"]) -> Bool[np.ndarray, " cells"]:
        """Cells whose draws were chosen by their outcomes, bool [cells]: none."""
        return np.zeros(len(values), bool)

    def estimate(
        self, values: Float[np.ndarray, "cells draws"], baseline: float, pool: PatchPool
    ) -> Estimate:
        """The mean of the draws that count, and which cells it decides."""
        means = self.drawing.means(baseline - values.astype(np.float64), self.counted(values), pool)
        found = decided_by_intervals(means, self.threshold)
        return dataclasses.replace(found, undecided=found.undecided | self.selected(values))


class EveryBlock(Drawn):
    """The same number `n` of draws for every block."""

    n: int

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.n

    def wanted(
        self,
        values: Float[np.ndarray, "cells draws"],
        baseline: float,
        active: Bool[np.ndarray, " cells"],
    ) -> Bool[np.ndarray, "cells draws"]:
        """All draws of all active cells."""
        return np.broadcast_to(active[:, None], values.shape)


def settle(plan: Any, **ranges: tuple[int, int]) -> None:
    """Checks a new plan's numbers and makes them Python's own.

    Args:
        plan: a frozen dataclass with a tolerance.
        **ranges: smallest and largest value of its whole numbers, by name.

    Raises:
        ValueError: a number out of range; the message names it.
    """
    for name, (least, most) in ranges.items():
        object.__setattr__(plan, name, whole_number(name, getattr(plan, name), least, most))
    if plan.tolerance is not None:
        object.__setattr__(plan, "tolerance", _tolerance(plan.tolerance))
    if hasattr(plan, "seed"):
        object.__setattr__(plan, "seed", whole_number("seed", plan.seed, 0, _MOST_SEED))


def check_power_of_two(name: str, value: int) -> None:
    """Refuses what is no power of 2.

    Raises:
        ValueError: it is none.
    """
    if value.bit_count() != 1:
        raise ValueError(f"{name}={value}: expected a power of 2")


def _tolerance(value: Any) -> float:
    number = as_number(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(
            f"tolerance={quoted(value)}: expected 0 or more, in the outcome's unit, or None for "
            "its own"
        )
    return number
