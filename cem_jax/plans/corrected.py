"""A plan whose draws are computed approximately, and corrected by a few exact ones."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from cem_jax.arguments import as_number, part
from cem_jax.plain_text import quoted
from cem_jax.plans.drawing import Drawing, Representatives
from cem_jax.plans.estimate import Estimate, Means, decided_by_intervals
from cem_jax.plans.plan import Drawn, settle
from cem_jax.pool.pool import PatchPool

_FEWEST = 100
"""Corrections that the first round has at least, if there are as many draws."""

_PER_GROUP = 16
"""Corrections of the first round from which the spread of a group of cells is told."""

_MOST_GROUPS = 6

_PRIOR = 2
"""Corrections of all groups together that each group is given, in its own size: it may have missed
the few that matter."""


@dataclasses.dataclass(frozen=True, eq=False)
class Thinning:
    """Which draws are computed exactly, and with what probability.

    Args:
        first: the draws of the first round of corrections.
        group: of each cell, those whose draws move the outcome about as much.
        probability: with which each further draw of a cell is corrected.
        second: the draws that are.
    """

    first: Bool[np.ndarray, "cells draws"]
    group: Int[np.ndarray, " cells"]
    probability: Float[np.ndarray, " cells"]
    second: Bool[np.ndarray, "cells draws"]


@dataclasses.dataclass(frozen=True)
class Corrected(Drawn):
    """Draws by two windows, around block and region; some of them again, on the whole image.

    For networks that sum over the whole image, where no causal cone saves anything. A draw is
    computed again by the network itself with a known probability, anywhere in the map; what that
    changes, over the probability, is added (the estimator of Horvitz and Thompson 1952, of a
    difference). So an effect is unbiased however poor the windows are; how poor is in its standard
    error.

    Corrections come in two rounds. The first has a share of all draws. It tells, for groups of
    blocks whose draws move the outcome about as much, by which factor the windows see too little,
    and how large what remains is. The second has more of them where more remains, at the least
    total number that adds no more than `excess` to the map's squared error. Given the first round,
    the second one is without bias, whatever was concluded from the first.

    Where a network has an exact cone, or windows would save too little, all is computed exactly.

    The recorded values hold the draws by windows first, then the same draws exactly.

    Args:
        of: the plan of the draws; not `Quadrature`, which does not draw.
        share: probability with which a draw is corrected in the first round, and at least in the
            second, above 0 and at most 1. In small maps the first round takes 100 draws.
        excess: what corrections may add to the squared standard error, as a share of that of the
            draws, on average over the map; above 0.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes that
            of the plan, or else the outcome's own.
        seed: seed of the choice.

    Raises:
        ValueError: an argument out of range.
    """

    of: Drawn
    share: float = 0.005
    excess: float = 0.5
    tolerance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.of, Drawn) or isinstance(self.of, Corrected):
            raise ValueError(f"of={quoted(self.of)}: expected a plan such as Fixed(40)")
        if isinstance(self.of.drawing, Representatives):
            given = quoted(self.of)
            raise ValueError(f"of={given}: expected a plan that draws; its patches are fixed")
        object.__setattr__(self, "share", part("share", self.share))
        excess = as_number(self.excess)
        if not 0 < excess <= 1e6:
            given = quoted(self.excess)
            raise ValueError(f"excess={given}: expected a number above 0, at most 1e+06")
        object.__setattr__(self, "excess", excess)
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

    def wanted(
        self,
        values: Float[np.ndarray, "cells both"],
        baseline: float,
        active: Bool[np.ndarray, " cells"],
    ) -> Bool[np.ndarray, "cells both"]:
        """What the plan wants of the draws by windows; then the first corrections; then more."""
        close, exact = np.split(values, 2, axis=1)
        asked = self.of.wanted(close, baseline, active)  # type: ignore[attr-defined]
        corrected = np.zeros_like(asked)
        if np.isfinite(close[asked]).all():
            corrected = self._first(close)
            if np.isfinite(exact[corrected]).all():
                corrected = corrected | self.thinning(values, baseline).second
        return np.concatenate([asked, corrected], axis=1)

    def _uniform(self, cells: int) -> Float[np.ndarray, "cells draws"]:
        return np.random.default_rng(self.seed).random((cells, self.draws))

    def _first(self, close: Float[np.ndarray, "cells draws"]) -> Bool[np.ndarray, "cells draws"]:
        counted = self.of.counted(close)
        return counted & (self._uniform(len(close)) < self._first_share(int(counted.sum())))

    def _first_share(self, draws: int) -> float:
        return max(self.share, min(_FEWEST / max(draws, 1), 1.0))

    def thinning(self, values: Float[np.ndarray, "cells both"], baseline: float) -> Thinning:
        """Which draws are to be computed exactly, when those by windows and the first ones are.

        Outcomes of the first round have a part in the second one, and no others.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.
            baseline: the outcome without an intervention, in the outcome's unit.

        Returns:
            The draws of both rounds, and what the choice of the second one rests on.
        """
        close, exact = np.split(values.astype(np.float64), 2, axis=1)
        counted, first = self.of.counted(close), self._first(close)
        change, whole = baseline - close, baseline - exact
        group = self._groups(change, counted, int(first.sum()))
        made = first & np.isfinite(whole)
        slope = _slopes(change, whole, made, group)[group]
        rest = np.where(made, whole - slope[:, None] * change, 0.0)
        draws = counted.sum(axis=1)
        weight = np.where(draws > 0, 1 / np.maximum(draws, 1) ** 2, 0.0)
        own = weight * draws * np.square(slope) * _variances(change, counted)
        needed = np.sqrt(_sizes(whole, rest, made, group)[group] * weight)
        total, allowed = float((draws * needed).sum()), self.excess * float(own.sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            probability = np.where(needed > 0, needed * np.divide(total, allowed), 0.0)
        probability = np.clip(probability, self.share, 1.0)
        uniform = self._uniform(len(values))
        least = self._first_share(int(counted.sum()))
        second = counted & ~first & (uniform < least + (1 - least) * probability[:, None])
        return Thinning(first, group, probability, second)

    def _groups(
        self, change: np.ndarray, counted: np.ndarray, first: int
    ) -> Int[np.ndarray, " cells"]:
        """Groups of cells by the size of their draws, with about as many draws each."""
        draws = counted.sum(axis=1)
        size = np.where(counted, np.square(change), 0.0).sum(axis=1) / np.maximum(draws, 1)
        order = np.argsort(np.where(draws > 0, size, np.inf), kind="stable")
        groups = int(np.clip(first // _PER_GROUP, 1, _MOST_GROUPS))
        before = np.cumsum(draws[order]) - draws[order]
        found = np.zeros(len(change), np.int64)
        found[order] = np.minimum(before * groups // max(int(draws.sum()), 1), groups - 1)
        return found

    def counted(self, values: Float[np.ndarray, "cells both"]) -> Bool[np.ndarray, "cells both"]:
        """The draws by windows that enter.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            bool [cells, 2 * draws].
        """
        close = self.of.counted(values[:, : self.draws])
        return np.concatenate([close, np.zeros_like(close)], axis=1)

    def selected(self, values: Float[np.ndarray, "cells both"]) -> Bool[np.ndarray, " cells"]:
        """Cells whose draws were chosen by their outcomes, as the plan says of the draws.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            bool [cells].
        """
        return self.of.selected(values[:, : self.draws])

    def corrections(
        self, values: Float[np.ndarray, "cells both"]
    ) -> Float[np.ndarray, "cells draws"]:
        """What computing a draw exactly takes from the outcome more.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.

        Returns:
            float [cells, draws], in the outcome's unit; NaN where a draw is not computed exactly.
        """
        close, exact = np.split(values.astype(np.float64), 2, axis=1)
        return np.where(self.of.counted(close), close - exact, np.nan)

    def best(self, values: Float[np.ndarray, "*cells both"]) -> Float[np.ndarray, "*cells draws"]:
        """Each draw once: exactly where it was computed so, else by windows.

        Args:
            values: outcomes, float [..., 2 * draws], NaN where there are none.

        Returns:
            float [..., draws].
        """
        close, exact = np.split(values, 2, axis=-1)
        return np.where(np.isfinite(exact), exact, close)

    def estimate(
        self,
        values: Float[np.ndarray, "cells both"],
        baseline: float,
        pool: PatchPool,
        thinning: Thinning | None = None,
    ) -> Estimate:
        """The means of the draws with their corrections, and which cells their intervals decide.

        Args:
            values: outcomes, float [cells, 2 * draws], NaN where there are none.
            baseline: the outcome without an intervention, in the outcome's unit.
            pool: the patches.
            thinning: which draws were computed exactly, if other outcomes told that.

        Returns:
            The standard errors are NaN as long as corrections are missing.
        """
        close, exact = np.split(values.astype(np.float64), 2, axis=1)
        counted, change, whole = self.of.counted(close), baseline - close, baseline - exact
        if (np.isfinite(whole) == counted).all():
            means = self.drawing.means(whole, counted, pool)
        else:
            means = self._corrected(change, whole, counted, pool, thinning, values, baseline)
        found = decided_by_intervals(means, self.threshold)
        return dataclasses.replace(found, undecided=found.undecided | self.selected(values))

    def _corrected(
        self,
        change: np.ndarray,
        whole: np.ndarray,
        counted: np.ndarray,
        pool: PatchPool,
        thinning: Thinning | None,
        values: np.ndarray,
        baseline: float,
    ) -> Means:
        means, drawn = self.drawing.means(change, counted, pool), counted.any(axis=1)
        thinned = self.thinning(values, baseline) if thinning is None else thinning
        made = np.isfinite(whole) & counted
        if (thinned.first | thinned.second)[drawn].sum() > made.sum() or not made.any():
            return dataclasses.replace(means, standard_error=np.where(drawn, np.nan, 0.0))
        group, p = thinned.group, thinned.probability
        slope = _slopes(change, whole, thinned.first, group)[group]
        rest = np.where(made, whole - slope[:, None] * change, 0.0)
        scale = np.where(thinned.first, 1.0, 1 / p[:, None])
        n = np.maximum(counted.sum(axis=1), 1)
        effect = slope * means.effect + (rest * scale).sum(axis=1) / n
        left = np.zeros(len(change))
        for k in range(group.max(initial=0) + 1):
            cells = group == k
            kept = made if made[cells].any() else np.zeros_like(made)
            size = np.square(rest[cells])[kept[cells]]
            left[cells] = size.mean() if len(size) else np.square(rest[made]).mean()
        spread = np.where(made, slope[:, None] * (change - _mean(change, counted)), 0.0)
        squares = np.square(spread).sum()
        together = 1 + 2 * max(float((spread * rest).sum() / squares), 0.0) if squares > 0 else 1.0
        error = np.sqrt(np.square(slope * means.standard_error) * together + left / (p * n))
        return Means(
            np.where(drawn, effect, 0.0), np.where(drawn, error, 0.0), means.samples, means.degrees
        )


def _slopes(
    change: np.ndarray, whole: np.ndarray, made: np.ndarray, group: np.ndarray
) -> Float[np.ndarray, " groups"]:
    """By which factor a group's draws by windows come closest to the exact ones.

    1 where another factor leaves hardly less.
    """
    found = np.ones(group.max(initial=0) + 1)
    for k in range(len(found)):
        own = made & (group == k)[:, None]
        c, e = change[own], whole[own]
        squares = float(np.square(c).sum())
        if squares == 0 or len(c) < 3:
            continue
        slope = float((c * e).sum()) / squares
        left, before = np.square(e - slope * c).sum(), np.square(e - c).sum()
        if left < (1 - 4 / (len(c) + 3)) * before:
            found[k] = slope
    return found


def _sizes(
    whole: np.ndarray, rest: np.ndarray, made: np.ndarray, group: np.ndarray
) -> Float[np.ndarray, " groups"]:
    """The mean square of what remains in each group, drawn towards what it is in all of them."""
    count, square, remains = np.zeros((3, group.max(initial=0) + 1))
    for k in range(len(count)):
        own = made & (group == k)[:, None]
        count[k], square[k] = own.sum(), np.square(whole[own]).sum()
        remains[k] = np.square(rest[own]).sum()
    seen = square > 0
    share = float((remains[seen] / square[seen]).mean()) if seen.any() else 0.0
    each = square / np.maximum(count, 1)
    return (remains + _PRIOR * share * each) / (count + _PRIOR)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean of the counted values of each cell, [cells, 1]."""
    n = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return np.where(counted, values, 0.0).sum(axis=1, keepdims=True) / n


def _variances(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The variance of the counted values of each cell."""
    n = np.maximum(counted.sum(axis=1), 2)
    squares = np.where(counted, np.square(values - _mean(values, counted)), 0.0)
    return squares.sum(axis=1) / (n - 1)
