"""A sequential plan: draws until every block is decided and the map is precise."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int

from cem_jax.arguments import probability
from cem_jax.plans.drawing import Drawing, StratifiedDraws
from cem_jax.plans.estimate import Estimate, Means, interval, is_decided
from cem_jax.plans.plan import MOST_DRAWS, Drawn, check_power_of_two, settle
from cem_jax.plans.surprise import scales, surprise
from cem_jax.pool.pool import PatchPool

_FEWEST = 2
"""Draws of a block before the first look: fewer do not tell a spread."""

_DOUBLINGS = 16
"""How far ahead precision is planned."""

_SMALL = 100
"""Changes below this part of the tolerance count as equally small."""


@dataclasses.dataclass(frozen=True)
class Adaptive(Drawn):
    """Draws until every block is decided and the map is precise, in rounds that double.

    Decided: the interval of the effect lies wholly among the positive, the negative or the zero
    effects at the tolerance. A block is looked at after 2, 4, 8 .. `most` draws, in small maps
    later at first. Aim: **the expected share of wrong decisions among a map's blocks is at most
    1 - confidence**, as long as no effect hangs on fewer than the share `rare` of the patches.
    What was measured, the worst outcomes among it, stands in docs/plans-measured.md.

    - Half of 1 - confidence is shared out evenly over the looks, for t intervals.
    - The other half is for what no draw of a block has shown. Every interval is widened by the
      mean surprise of the map's draws (`surprise`), over that half: by Markov's inequality, what
      blocks still hide exceeds this in no larger share of them.
    - Before the first look the map has 1 / (2 (1 - confidence) rare) draws, or `most` for each
      block. If a share q of the blocks have effects by a share `rare` of the patches, no draw of so
      many shows it with a probability of exp(-draws q rare), and q times this is at most
      0.74 (1 - confidence), whatever q is.

    A block that is not decided after `most` draws is `undecided`.

    Precise: the map's root-mean-square standard error is no larger than `equivalent` random draws
    of every block would have. Draws go where one more lowers it most (Neyman 1934).

    The patches are stratified: those of a block's 2^m draws lie one in each of 2^m parts of the
    pool. Their mean is unbiased at a given number of draws and varies less than that of random
    ones; each block has patches of its own.

    Args:
        most: draws after which a block is given up, a power of 2. What follows goes by name.
        tolerance: effects smaller than this count as zero, in the outcome's unit; None takes the
            outcome's own (0.01 dB of PSNRs). At 0 no block that is drawn is decided to be zero.
        confidence: 1 minus the largest expected share of wrong decisions; between 0 and 1.
        equivalent: random draws for each block that the map's precision equals.
        seed: seed of the choice of patches.
        rare: the smallest share of the pool's patches that an effect may hang on, between 0 and 1.

    Raises:
        ValueError: an argument out of range.
    """

    most: int = 32
    _: dataclasses.KW_ONLY
    tolerance: float | None = None
    confidence: float = 0.95
    equivalent: int = 40
    seed: int = 0
    rare: float = 0.03

    def __post_init__(self) -> None:
        settle(self, most=(_FEWEST, MOST_DRAWS), equivalent=(1, MOST_DRAWS))
        check_power_of_two("most", self.most)
        for name in ("confidence", "rare"):
            object.__setattr__(self, name, probability(name, getattr(self, name)))

    @property
    def capacity(self) -> int:
        """Most draws that a cell can get."""
        return self.most

    @property
    def drawing(self) -> Drawing:
        """Stratified patches, each cell's own."""
        return StratifiedDraws(self.most, self.seed)

    def first(self, blocks: int) -> int:
        """Draws of every block before the first look at a map.

        Args:
            blocks: how many the map has that are drawn.

        Returns:
            A power of two.
        """
        least = 1 / (2 * (1 - self.confidence) * self.rare) / max(blocks, 1)
        return int(min(max(2 ** math.ceil(math.log2(least)), _FEWEST), self.most))

    def wanted(
        self,
        values: Float[np.ndarray, "cells draws"],
        baseline: float,
        active: Bool[np.ndarray, " cells"],
    ) -> Bool[np.ndarray, "cells draws"]:
        """The draws of the first round that is not complete.

        All rounds are gone through from the first, each seeing the outcomes of those before it
        alone: a sweep that stopped within a round goes on as if it had not.
        """
        samples = np.where(active, self.first(int(active.sum())), 0)
        while True:
            granted = np.arange(self.most) < samples[:, None]
            if not active.any() or np.isnan(values[granted]).any():
                return granted
            more = self._more(np.where(granted, values, np.nan), samples, baseline)
            if not more.any():
                return granted
            samples = np.where(more, 2 * samples, samples)

    def estimate(
        self, values: Float[np.ndarray, "cells draws"], baseline: float, pool: PatchPool
    ) -> Estimate:
        """The mean of each cell's draws, and which cells the map decides."""
        return self._estimate(values, baseline)

    def _estimate(self, values: Float[np.ndarray, "cells draws"], baseline: float) -> Estimate:
        change = baseline - values.astype(np.float64)
        means = self.drawing.means(change, np.isfinite(change), None)
        blocks = int((means.samples > 0).sum())
        looks = math.log2(self.most / self.first(blocks)) + 1
        half = (1 - self.confidence) / 2
        low, high = interval(means.effect, means.standard_error, means.degrees, 1 - half / looks)
        below, above = self._unseen(change, means)
        undecided = ~is_decided(low - below / half, high + above / half, self.threshold)
        return Estimate(means.effect, means.standard_error, means.samples, undecided)

    def _unseen(
        self, change: Float[np.ndarray, "cells draws"], means: Means
    ) -> tuple[Float[np.ndarray, " cells"], Float[np.ndarray, " cells"]]:
        """What the patches that a cell has not drawn may add to its effect, below and above."""
        unseen = np.zeros((2, len(change)))
        drawn = means.samples > 0
        # Without a tolerance, what is small is told by the map.
        size = self.threshold or np.sqrt(np.nanmean(np.square(change))) if drawn.any() else 0.0
        smallest = max(float(size) / _SMALL, float(np.finfo(np.float32).tiny))
        for n in np.unique(means.samples[means.samples >= _FEWEST]):
            rows, known = means.samples == n, change[means.samples >= n]
            expected = scales(change[rows, :n]) + smallest
            for side, sign in enumerate((-1, 1)):
                unseen[side, rows] = surprise(sign * known, int(n), smallest) * expected
        return unseen[0], unseen[1]

    def _more(
        self,
        values: Float[np.ndarray, "cells draws"],
        samples: Int[np.ndarray, " cells"],
        baseline: float,
    ) -> Bool[np.ndarray, " cells"]:
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
            per_draw = saved / (np.maximum(planned, _FEWEST)[:, None] * 2.0**doubling)
            order = np.argsort(-per_draw, axis=None, kind="stable")
            needed = np.searchsorted(np.cumsum(saved.reshape(-1)[order]), excess) + 1
            more[order[:needed] // _DOUBLINGS] = True
        return more & (samples > 0) & (samples < self.most)
