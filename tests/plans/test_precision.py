"""Where `Adaptive` puts draws for the precision of a map, on outcomes whose variances are known."""

import numpy as np
import pytest
from recorded import recorded_pool

import cem_jax as cem
from cem_jax.pool.strata import scrambled_strata

DRAWS = 8
"""Before the first look at 48 blocks."""


def known(plan: cem.Adaptive, means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Outcomes whose effects are `means`, with `variances` of these by 8 draws; 16 of each block.

    Each 8 alternate along the strata, so that each stratum of four holds the same outcomes.
    """
    values = np.full((len(means), plan.capacity), np.nan)
    size = np.sqrt(variances * (DRAWS - DRAWS // 4))[:, None]
    strata = scrambled_strata(plan.capacity, plan.seed)[: len(means)]
    for first, variance in ((0, variances), (DRAWS, variances / 2)):
        part = slice(first, first + DRAWS)
        change = np.empty((len(means), DRAWS))
        order = np.argsort(strata[:, part], axis=1)
        np.put_along_axis(change, order, np.tile([1.0, -1.0], DRAWS // 2) * size, axis=1)
        values[:, part] = -(means[:, None] + change)
        found = plan.estimate(values, 0.0, recorded_pool())
        np.testing.assert_allclose(np.square(found.standard_error), variance)
    return values


def go_on(plan: cem.Adaptive, means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Which blocks draw 16 instead of 8."""
    values = known(plan, means, variances)
    values[:, DRAWS:] = np.nan
    asked = plan.wanted(values, 0.0, np.ones(len(means), bool)).sum(axis=1)
    assert set(asked) <= {8, 16}
    return asked == 16


HALF = np.arange(48) < 24
PLAN = cem.Adaptive(tolerance=0.01, equivalent=12)


@pytest.mark.parametrize(
    ("ratio", "equivalent", "others"),
    [(5, 12, False), (3, 12, True), (18, 30, False), (14, 24, True)],
)
def test_each_further_doubling_is_worth_a_quarter_of_the_one_before(ratio, equivalent, others):
    """It saves half as much by twice as many draws. All signs are clear.

    Blocks of more than 4 times the variance double twice before the others do once, those of more
    than 16 times three times. What is wanted is more than one doubling of theirs saves, or two.
    """
    plan = cem.Adaptive(tolerance=0.01, equivalent=equivalent)
    found = go_on(plan, np.full(48, 1.0), 1e-8 * np.where(HALF, ratio, 1))
    assert found[HALF].all()
    assert found[~HALF].any() == others


def test_blocks_that_go_on_for_their_sign_are_counted_with_the_draws_they_will_have():
    """Half of the blocks lie on the tolerance: they double, so that their variance halves."""
    means = np.where(HALF, 0.01, 1.0)
    found = go_on(PLAN, means, 1e-8 * np.where(HALF, 3, 1))
    # 24 (3 / 2 + 1) less 24 (3 + 1) (6 x 8 / 7) / 12 is 5.1; each of the others saves 1 / 2.
    assert found[HALF].all() and found[~HALF].sum() == 11
    # Of 5 / 2, another doubling saves 5 / 4 by 16 draws: more for each draw than 1 / 2 by 8.
    found = go_on(PLAN, means, 1e-8 * np.where(HALF, 5, 1))
    assert found[HALF].all() and not found[~HALF].any()


@pytest.mark.parametrize("tolerance", [0.0, 0.01])
def test_a_map_that_no_draw_reaches_is_decided(tolerance):
    found = cem.Adaptive(tolerance=tolerance).estimate(np.full((3, 32), np.nan), 0, recorded_pool())
    assert (found.effect == 0).all() and (found.standard_error == 0).all()
    assert not found.undecided.any()


def test_blocks_that_have_all_their_draws_are_counted_with_them():
    """Half of the blocks lie on the tolerance, and have the 16 draws that they may have."""
    plan = cem.Adaptive(16, tolerance=0.01, equivalent=10)
    values = known(plan, np.where(HALF, 0.01, 1.0), 1e-8 * np.where(HALF, 2, 1))
    values[~HALF, DRAWS:] = np.nan
    asked = plan.wanted(values, 0.0, np.ones(48, bool)).sum(axis=1)
    # Before, 24 (2 / 2 + 1) is below 24 (2 + 1) (6 x 8 / 7) / 10 by 1.4. The variance of outcomes
    # comes out as 6 x 16 / 15 by 16 draws: now it is above by 0.8; each of the others saves 1 / 2.
    np.testing.assert_array_equal(np.bincount(asked[~HALF])[[8, 16]], [22, 2])


def test_a_precision_out_of_reach_takes_all_draws_of_the_blocks_that_draw():
    plan = cem.Adaptive(8, tolerance=0.01, equivalent=10_000)
    values = np.random.default_rng(0).normal(-1, 0.01, (48, 8))
    asked = plan.wanted(np.where(HALF[:, None], values, np.nan), 0.0, HALF).sum(axis=1)
    np.testing.assert_array_equal(asked, np.where(HALF, 8, 0))


def test_outcomes_without_a_spread_are_precise():
    values = np.where(np.arange(32) < DRAWS, np.full((48, 32), -1.0), np.nan)
    asked = PLAN.wanted(values, 0.0, np.ones(48, bool)).sum(axis=1)
    np.testing.assert_array_equal(asked, DRAWS)


def test_draws_elsewhere_do_not_make_up_for_those_that_a_block_cannot_have():
    """Half of the blocks have six times the variance, and the 16 draws that they may have.

    Another doubling of them, to 3 / 2, would save more for each draw than one of the others.
    """
    plan = cem.Adaptive(16, tolerance=0.01, equivalent=15)
    values = known(plan, np.full(48, 1.0), 1e-8 * np.where(HALF, 6, 1))
    values[~HALF, DRAWS:] = np.nan
    asked = plan.wanted(values, 0.0, np.ones(48, bool)).sum(axis=1)
    np.testing.assert_array_equal(asked, np.where(HALF, 16, 8))
