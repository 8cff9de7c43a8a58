"""The paper's plan."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from cem_jax.plans.drawing import Drawing, RandomDraws
from cem_jax.plans.plan import MOST_DRAWS, Drawn, settle


@dataclasses.dataclass(frozen=True)
class CoarseToFine(Drawn):
    """The paper's plan: a few draws for all blocks, many for those that moved the outcome.

    A block is a candidate if any of its coarse draws moves the outcome by at least the tolerance;
    its effect is then estimated from the fine draws alone, else from the coarse ones. The fine
    draws are fresh, so that their choice does not bias them; the coarse ones of the others were
    chosen for being small, which draws effects near the tolerance towards zero and leaves no
    interval that would hold the truth as often as it says: these blocks are `selected`.

    Args:
        coarse: draws for each block.
        fine: further draws for each candidate.
        tolerance: threshold of both stages, in the outcome's unit; None takes the outcome's own
            (0.01 dB of PSNRs). At 0 every block is a candidate.

    Raises:
        ValueError: an argument out of range.

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
    tolerance: float | None = None

    def __post_init__(self) -> None:
        settle(self, coarse=(1, MOST_DRAWS), fine=(1, MOST_DRAWS))

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.coarse + self.fine

    @property
    def drawing(self) -> Drawing:
        """Random patches."""
        return RandomDraws()

    def wanted(
        self,
        values: Float[np.ndarray, "cells draws"],
        baseline: float,
        active: Bool[np.ndarray, " cells"],
    ) -> Bool[np.ndarray, "cells draws"]:
        """The coarse draws; once all exist, the candidates' fine draws too."""
        wanted = np.zeros(values.shape, bool)
        wanted[active, : self.coarse] = True
        if active.any() and np.isfinite(values[active, : self.coarse]).all():
            moved = np.abs(values[:, : self.coarse] - baseline) >= self.threshold
            wanted[active & moved.any(axis=1), self.coarse :] = True
        return wanted

    def counted(self, values: Float[np.ndarray, "cells draws"]) -> Bool[np.ndarray, "cells draws"]:
        """The fine draws where there are any, else the coarse ones.

        Args:
            values: outcomes, float [cells, draws], NaN where there are none.

        Returns:
            bool [cells, draws].
        """
        drawn = np.isfinite(values)
        fine = np.arange(self.capacity) >= self.coarse
        finely = np.any(drawn[:, self.coarse :], axis=1)
        return drawn & np.equal(fine, finely[:, None])

    def selected(self, values: Float[np.ndarray, "cells draws"]) -> Bool[np.ndarray, " cells"]:
        """Cells that were left to their coarse draws.

        Args:
            values: outcomes, float [cells, draws], NaN where there are none.

        Returns:
            bool [cells].
        """
        drawn = np.isfinite(values)
        return np.any(drawn, axis=1) & ~np.any(drawn[:, self.coarse :], axis=1)
