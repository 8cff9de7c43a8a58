"""Plans with the same number of draws for every block: random, stratified or representative."""

import dataclasses

from cem_jax.plans.drawing import Drawing, RandomDraws, Representatives, StratifiedDraws
from cem_jax.plans.plan import MOST_DRAWS, EveryBlock, check_power_of_two, settle

_MOST_REPRESENTATIVES = 1024


@dataclasses.dataclass(frozen=True)
class Fixed(EveryBlock):
    """The same number of random draws for every block.

    Args:
        n: draws for each block.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes the
            outcome's own (0.01 dB of PSNRs).

    Raises:
        ValueError: an argument out of range.
    """

    n: int
    tolerance: float | None = None

    def __post_init__(self) -> None:
        settle(self, n=(1, MOST_DRAWS))

    @property
    def drawing(self) -> Drawing:
        """Random patches."""
        return RandomDraws()


@dataclasses.dataclass(frozen=True)
class Stratified(EveryBlock):
    """The same number of draws for every block, one from each of n equal parts of the pool.

    The parts hold patches that look alike. The mean is unbiased and varies less than that of random
    draws; its standard error is on the safe side.

    Args:
        n: draws for each block, a power of 2.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes the
            outcome's own.
        seed: seed of the choice of patches.

    Raises:
        ValueError: an argument out of range.
    """

    n: int
    tolerance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self, n=(2, MOST_DRAWS))
        check_power_of_two("n", self.n)

    @property
    def drawing(self) -> Drawing:
        """One patch of each part."""
        return StratifiedDraws(self.n, self.seed)


@dataclasses.dataclass(frozen=True)
class Quadrature(EveryBlock):
    """The same few patches for every block, each weighted by the share of the pool like it.

    The patches are weighted k-medoids of the pool in eight principal components. Nothing is drawn
    but a task's own noise, so the error of an effect is a bias and no chance: it has no standard
    error (NaN). docs/plans-measured.md has its measured size. `Stratified` is the unbiased
    relative.

    Args:
        n: patches.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes the
            outcome's own.

    Raises:
        ValueError: an argument out of range.
    """

    n: int = 16
    tolerance: float | None = None

    def __post_init__(self) -> None:
        settle(self, n=(1, _MOST_REPRESENTATIVES))

    @property
    def drawing(self) -> Drawing:
        """The pool's medoids."""
        return Representatives(self.n)
