"""A plan whose draws are computed approximately, and corrected by a few exact ones."""

import dataclasses

import numpy as np

from cem_jax.arguments import part
from cem_jax.plain_text import quoted
from cem_jax.plans.drawing import Drawing, Representatives
from cem_jax.plans.estimate import Estimate, Means, decided_by_intervals
from cem_jax.plans.plan import Drawn, settle
from cem_jax.pool.pool import PatchPool

_PER_GROUP = 20
"""Corrections from which the spread of a group of cells is told."""

_MOST_GROUPS = 4


@dataclasses.dataclass(frozen=True)
class Corrected(Drawn):
    """Draws by two windows, around block and region; some of them again, on the whole image.

    For networks that sum over the whole image, where no causal cone saves anything. Each draw is
    computed again by the network itself with probability `share`, whatever came out, anywhere in
    the map. What that changes, divided by `share`, is added to the mean of the draws (the estimator
    of Horvitz and Thompson 1952, of a difference), so that an effect is unbiased however poor the
    windows are; how poor they are is in its standard error. That of the corrections comes from all
    blocks whose draws are about as large, since most blocks have none or one.

    Where a network has an exact cone, or windows would save too little, all is computed exactly.

    The recorded values hold the draws by windows first, then the same draws exactly.

    Args:
        of: the plan of the draws; not `Quadrature`, which does not draw.
        share: probability with which a draw is computed exactly, between 0 and 1, not 0.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes that
            of the plan, or else the outcome's own.
        seed: seed of the choice.

    Raises:
        ValueError: an argument out of range.
    """

    of: Drawn
    share: float = 0.02
    tolerance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.of, Drawn) or isinstance(self.of, Corrected):
            raise ValueError(f"of={quoted(self.of)}: expected a plan such as Fixed(40)")
        if isinstance(self.of.drawing, Representatives):
            given = quoted(self.of)
            raise ValueError(f"of={given}: expected a plan that draws; its patches are fixed")
        object.__setattr__(self, "share", part("share", self.share))
        if self.tolerance is None:
            object.__setattr__(self, "tolerance", self.of.tolerance)
        settle(self)
        if self.tolerance is not None:
            inner = dataclasses.replace(self.of, tolerance=self.tolerance)  # type: ignore[type-var]
            object.__setattr__(self, "of", inner)

    @property
    def draws(self) -> int:
        """Most draws of a cell: half of the capacity."""
        return self.of.capacity  # type: ignore[attr-defined]

    @property
    def capacity(self) -> int:
        """Columns of a cell: its draws by windows, and the same exactly."""
        return 2 * self.draws

    @property
    def drawing(self) -> Drawing:
        """How the patches of the draws are chosen."""
        return self.of.drawing

    def chosen(self, cells: int) -> np.ndarray:
        """The draws that are computed exactly too; outcomes have no part in it.

        Args:
            cells: how many cells there are.

        Returns:
            bool [cells, draws].
        """
        return np.random.default_rng(self.seed).random((cells, self.draws)) < self.share

    def wanted(self, values: np.ndarray, baseline: float, active: np.ndarray) -> np.ndarray:
        """What the plan wants of the draws by windows, and those chosen among them exactly."""
        close = self.of.wanted(values[:, : self.draws], baseline, active)  # type: ignore[attr-defined]
        return np.concatenate([close, close & self.chosen(len(values))], axis=1)

    def counted(self, values: np.ndarray) -> np.ndarray:
        """The draws by windows that enter.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            bool [cells, 2 * draws].
        """
        close = self.of.counted(values[:, : self.draws])
        return np.concatenate([close, np.zeros_like(close)], axis=1)

    def selected(self, values: np.ndarray) -> np.ndarray:
        """Cells whose draws were chosen by their outcomes, as the plan says of the draws.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            bool [cells].
        """
        return self.of.selected(values[:, : self.draws])

    def corrections(self, values: np.ndarray) -> np.ndarray:
        """What computing a draw exactly takes from the outcome more.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            float [cells, draws], in the outcome's unit; NaN where a draw is not computed exactly.
        """
        values = values.astype(np.float64)
        close, exact = values[:, : self.draws], values[:, self.draws :]
        return np.where(self.of.counted(close) & self.chosen(len(values)), close - exact, np.nan)

    def estimate(self, values: np.ndarray, baseline: float, pool: PatchPool) -> Estimate:
        """The means of the draws with their corrections, and which cells their intervals decide."""
        close = values[:, : self.draws].astype(np.float64)
        counted, change = self.of.counted(close), baseline - close
        means = self.drawing.means(change, counted, pool)
        extra = self.corrections(values)
        extra[means.samples == 0] = np.nan
        n = np.maximum(counted.sum(axis=1), 1)
        effect = means.effect + np.nansum(extra, axis=1) / (self.share * n)
        effect = np.where(means.samples > 0, effect, 0.0)
        together, own = self._pooled(change, counted, extra)
        error = np.sqrt(np.square(means.standard_error) * together + own / n)
        error = np.where(means.samples > 0, error, 0.0)
        found = decided_by_intervals(
            Means(effect, error, means.samples, means.degrees), self.threshold
        )
        return dataclasses.replace(found, undecided=found.undecided | self.selected(values))

    def _pooled(
        self, change: np.ndarray, counted: np.ndarray, extra: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What corrections make of a draw's variance: a factor, and what they add, each [cells].

        With g a draw and d its correction, the variance of g + d / share, where it is corrected, is
        Var g + 2 Cov(g, d) + E d^2 / share - (E d)^2; the last term is left out.
        """
        made = np.isfinite(extra)
        if self.share == 1:  # every draw has its correction: it is exact
            whole = np.where(made, change + np.nan_to_num(extra), 0.0)
            variance, before = (_variances(one, made) for one in (whole, change))
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(before > 0, variance / before, 1.0), np.zeros(len(change))
        if not made.any():
            nothing = np.full(len(change), np.nan)
            return np.ones(len(change)), nothing
        count = np.maximum(counted.sum(axis=1, keepdims=True), 1)
        mean = np.where(counted, change, 0.0).sum(axis=1, keepdims=True) / count
        spread = np.where(made, change - mean, 0.0)
        d = np.where(made, extra, 0.0)
        squares = np.square(spread).sum()
        slope = max(float((spread * d).sum() / squares), 0.0) if squares > 0 else 0.0
        size = np.sqrt(np.where(counted, np.square(change), 0.0).sum(axis=1) / count[:, 0])
        found = np.full(len(change), np.nan)
        drawn = counted.any(axis=1)
        order = np.flatnonzero(drawn)[np.argsort(size[drawn], kind="stable")]
        groups = int(np.clip(made.sum() // _PER_GROUP, 1, _MOST_GROUPS))
        for cells in np.array_split(order, groups):
            own = made[cells] if made[cells].any() else made
            squared = d[cells] if made[cells].any() else d
            found[cells] = np.square(squared).sum() / own.sum() / self.share
        return np.full(len(change), 1 + 2 * slope), found


def _variances(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The variance of the counted values of each cell."""
    n = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    mean = np.where(counted, values, 0.0).sum(axis=1, keepdims=True) / n
    return np.where(counted, np.square(values - mean), 0.0).sum(axis=1) / n[:, 0]
