"""Intervals: their degrees of freedom, none after a choice, pairs as the plan has them."""

import dataclasses

import numpy as np
import pytest
from recorded import TASKS, played_map, recorded_change, recorded_pool, whole_map
from scipy import stats

import cem_jax as cem
from cem_jax.plans.estimate import is_decided

REPEATS = 25


@pytest.mark.parametrize(
    ("plan", "degrees"),
    [
        (cem.Fixed(8), 7),
        (cem.Fixed(1), 0),
        (cem.CoarseToFine(2, 8), 7),
        (cem.Stratified(2), 1),
        (cem.Stratified(4), 3),
        (cem.Stratified(8), 6),
        (cem.Stratified(16), 12),
        (cem.Quadrature(8), 0),
    ],
    ids=str,
)
def test_degrees_of_freedom(plan, degrees):
    """Of a mean n - 1; of strata of four n - n / 4."""
    found = played_map(plan, 1 + recorded_change("DN"), recorded_pool(), 0)
    np.testing.assert_array_equal(found.degrees, degrees)


def test_deciding_interval_and_probability_are_of_one_mind():
    """The same t distribution of the same degrees, at every block of maps of stratified draws."""
    for task in TASKS:
        found = played_map(cem.Stratified(8), recorded_change(task), recorded_pool(), 1)
        change = -found.values.reshape(-1, 8).astype(np.float64)
        half = stats.t.ppf(0.975, 6) * found.standard_error
        low, high = found.interval()
        np.testing.assert_allclose(low, found.effect - half, atol=1e-9)
        np.testing.assert_allclose(high, found.effect + half, atol=1e-9)
        known = found.standard_error > 0
        ratio = np.abs(found.effect[known]) / found.standard_error[known]
        np.testing.assert_allclose(found.sign_probability[known], stats.t.cdf(ratio, 6))
        zero = (low > -0.01) & (high < 0.01)
        decided = zero | (low >= 0.01) | (high <= -0.01) | (low == high)
        np.testing.assert_array_equal(found.undecided, ~decided)
        np.testing.assert_allclose(found.effect.reshape(-1), change.mean(axis=1), atol=1e-9)


@pytest.mark.parametrize("n", [2, 9])
def test_t_intervals_are_those_of_scipy(n):
    draws = np.random.default_rng(0).normal(0.02, 0.05, (6, 1000))
    found = played_map(cem.Fixed(n), draws, recorded_pool(), 3)
    for cell, values in enumerate(-found.values[0].astype(np.float64)):
        tested = stats.ttest_1samp(values, 0)
        low, high = found.interval(0.9)
        ends = tested.confidence_interval(0.9)
        np.testing.assert_allclose((low[0, cell], high[0, cell]), ends, rtol=1e-6)
        # The probability of the wrong sign is half of the p value of no effect.
        sure = 1 - found.sign_probability[0, cell]
        np.testing.assert_allclose(sure, tested.pvalue / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "decided"),
    [
        (-0.9, 0.9, True), (-1, 0.9, False), (-0.9, 1, False), (1, 2, True), (0.9, 2, False),
        (-2, -1, True), (-2, -0.9, False), (-2, 2, False), (-np.inf, np.inf, False),
    ],
)  # fmt: skip
def test_an_effect_of_the_size_of_the_tolerance_is_one(low, high, decided):
    assert is_decided(np.array([float(low)]), np.array([float(high)]), 1.0)[0] == decided


@pytest.mark.parametrize("effect", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("tolerance", [0.0, 0.5, 1.0])
def test_what_is_known_exactly_is_decided(effect, tolerance):
    assert is_decided(np.array([effect]), np.array([effect]), tolerance)[0]


def test_blocks_left_to_their_coarse_draws_have_no_interval():
    found = played_map(cem.CoarseToFine(), whole_map("SR"), recorded_pool(), 0)
    left = found.samples == 3
    assert left.sum() > 400
    np.testing.assert_array_equal(found.selected, left)
    assert np.isnan(found.interval()).all(axis=0)[left].all()
    assert np.isnan(found.sign_probability[left]).all() and found.undecided[left].all()
    assert np.isfinite(found.interval())[:, ~left].all()
    assert not played_map(cem.Fixed(3), whole_map("DN"), recorded_pool(), 0).selected.any()
    # As many fine draws as coarse ones: the numbers alone do not tell which is which.
    same = played_map(cem.CoarseToFine(3, 3), whole_map("DN"), recorded_pool(), 0)
    fine = np.isfinite(same.values[..., 3:]).any(axis=-1)
    assert fine.any() and not fine.all() and (same.samples == 3).all()
    np.testing.assert_array_equal(same.selected, ~fine)


def test_intervals_of_the_default_plan_hold_the_truth_where_there_are_any():
    """Where blocks were left, 67 to 84 % of their intervals would; so there are none."""
    with_interval, without = [], []
    for task in TASKS:
        change = recorded_change(task)
        truth = change.mean(axis=1)
        beyond = np.abs(truth) > 0.005
        for seed in range(REPEATS):
            found = played_map(cem.CoarseToFine(), change, recorded_pool(), seed)
            low, high = (end[0] for end in found.interval())
            chosen = found.selected[0]
            with_interval += ((low <= truth) & (truth <= high))[beyond & ~chosen].tolist()
            half = stats.t.ppf(0.975, 2) * found.standard_error[0]
            held = np.abs(found.effect[0] - truth) <= half
            without += held[beyond & chosen].tolist()
    assert np.mean(with_interval) > 0.93
    assert np.mean(without) < 0.85 and len(without) > 50


def pairs_of(first: np.ndarray, second: np.ndarray, plan: cem.Plan, seed: int):
    pool, maps = recorded_pool(), []
    for change in (first, second):
        one = played_map(plan, change, pool, seed)
        facts = {"scene": "s", "images": "i", "pool": "p", "seed": seed, "block": 8}
        maps.append(dataclasses.replace(one, provenance={**one.provenance, **facts}))
    return maps


@pytest.mark.parametrize("plan", [cem.CoarseToFine(), cem.Stratified(16), cem.Fixed(20)], ids=str)
def test_differences_hold_the_truth_as_often_as_they_say(plan):
    """Of two maps whose blocks are alike; no interval where the draws of a block were chosen."""
    held, missing = [], 0
    for task in TASKS:
        first = recorded_change(task)[:48]
        second = 0.8 * first + 0.2 * np.roll(first, 1, axis=0)
        truth = (first - second).mean(axis=1)
        told = np.abs(first - second).max(axis=1) > 1e-3
        for seed in range(REPEATS):
            maps = pairs_of(first, second, plan, seed)
            found = cem.difference(*maps)
            low, high = (end[0] for end in found.interval())
            known = told & ~found.selected[0]
            held.append(((low <= truth) & (truth <= high))[known].mean())
            missing += int(found.selected.sum())
    assert np.mean(held) > 0.935
    assert (missing > 0) == isinstance(plan, cem.CoarseToFine)


def test_a_candidate_of_one_map_only_has_no_interval_of_its_difference():
    change = np.full((2, 1000), 0.02) + 0.001 * np.random.default_rng(0).normal(size=(2, 1000))
    first, second = pairs_of(change, np.stack([0.1 * change[0], change[1]]), cem.CoarseToFine(), 0)
    found = cem.difference(first, second)
    np.testing.assert_array_equal(first.selected | second.selected, [[True, False]])
    np.testing.assert_array_equal(found.selected, [[True, False]])
    np.testing.assert_array_equal(found.samples, [[3, 50]])
    assert np.isnan(found.interval().low[0, 0]) and np.isnan(found.sign_probability[0, 0])
    assert np.isfinite(found.interval().low[0, 1])
    # The pairs of a candidate are its fine draws: the coarse ones chose it.
    fine = -(first.values - second.values)[0, 1, 3:].astype(np.float64)
    assert found.effect[0, 1] == pytest.approx(fine.mean(), abs=1e-9)


def test_pairs_of_stratified_draws_are_stratified():
    change = recorded_change("DR")
    first, second = pairs_of(change, 0.5 * change, cem.Stratified(16), 0)
    found = cem.difference(first, second)
    np.testing.assert_allclose(found.standard_error, 0.5 * first.standard_error, rtol=1e-4)
    assert (found.degrees == 12).all()
    for confidence in (0, 1, 2):
        with pytest.raises(ValueError, match=f"confidence={confidence}"):
            found.interval(confidence)
        with pytest.raises(ValueError, match=f"confidence={confidence}"):
            first.interval(confidence)


def test_maps_of_different_interventions_do_not_compare():
    change = recorded_change("DN")
    first, second = pairs_of(change, change, cem.Fixed(4), 0)

    def told(one, do):
        return dataclasses.replace(one, provenance={**one.provenance, "do": do})

    assert cem.difference(told(first, "a"), told(second, "a")).effect.shape == (1, 48)
    assert cem.difference(told(first, "a"), second).effect.shape == (1, 48)  # one does not tell
    with pytest.raises(ValueError, match='do "a" and "b"'):
        cem.difference(told(first, "a"), told(second, "b"))
    other = pairs_of(change, change, cem.Fixed(8), 0)[1]
    with pytest.raises(ValueError, match="plan fixed:4 and fixed:8"):
        cem.difference(first, other)


@pytest.mark.parametrize(
    "plan", [cem.Fixed(2, 0.01), cem.Stratified(2, 0.01), cem.Adaptive(2, tolerance=0.01)], ids=str
)
def test_two_draws_have_an_error_one_has_none_and_none_needs_none(plan):
    values = np.array([[-0.1, -0.3], [-0.1, np.nan], [np.nan, np.nan]])
    found = plan.estimate(values, 0.0, recorded_pool())
    np.testing.assert_allclose(found.effect, [0.2, 0.1, 0.0])
    np.testing.assert_allclose(found.standard_error, [0.1, np.nan, 0.0])
    np.testing.assert_array_equal(found.samples, [2, 1, 0])
    np.testing.assert_array_equal(found.undecided, [True, True, False])


def test_a_block_that_cannot_reach_the_region_has_an_effect_of_exactly_zero():
    values = np.where(np.arange(3)[:, None] < 2, -0.5, np.full((3, 4), np.nan))
    found = cem.Quadrature(4, 0.01).estimate(values, 0.0, recorded_pool())
    np.testing.assert_allclose(found.effect, [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(found.standard_error, [np.nan, np.nan, 0.0])
    np.testing.assert_array_equal(found.undecided, [True, True, False])
