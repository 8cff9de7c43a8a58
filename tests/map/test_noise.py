"""Numbers of maps without the noise of their draws, against outcomes whose truth is known."""

import dataclasses

import numpy as np
import pytest
from recorded import TASKS, played_map, recorded_change, recorded_pool, whole_map
from scipy import stats

import cem_jax as cem
from cem_jax.map.noise import Shares

REPEATS = 60


def averaged(task: str, plan: cem.Plan, number) -> np.ndarray:
    pool, change = recorded_pool(), whole_map(task)
    maps = (played_map(plan, change, pool, seed) for seed in range(REPEATS))
    return np.mean([number(one) for one in maps], axis=0)


def test_noise_widens_the_range_and_most_of_that_is_taken_off():
    """The biases of three maps' ranges at four draws, summed: naive, and without noise."""
    excess = []
    for task in TASKS:
        truth = whole_map(task).mean(axis=1)
        true = truth.max() - truth.min()
        both = averaged(
            task,
            cem.Fixed(4),
            lambda one: (np.ptp(one.range), np.ptp(cem.range_without_noise(one))),
        )
        excess.append((both - true) / true)
    naive, corrected = np.array(excess).T
    assert (naive > 0).all()
    assert (np.abs(corrected) < naive + 0.02).all()
    assert np.abs(corrected).sum() < 0.6 * naive.sum()


def test_blocks_on_the_wrong_side_of_the_tolerance_are_mostly_taken_off():
    """The biases of three maps' counts at four draws, summed: naive, and without noise."""
    naive, corrected = [], []
    for task in TASKS:
        truth, blocks = whole_map(task).mean(axis=1), len(whole_map(task))
        true = np.array([(truth <= -0.01).sum(), (truth >= 0.01).sum()])
        found = averaged(
            task, cem.Fixed(4), lambda one: (one.counts[:2], cem.shares_without_noise(one)[:2])
        )
        naive.append(found[0] - true)
        corrected.append(found[1] * blocks / 100 - true)
    assert np.abs(corrected).sum() < 0.7 * np.abs(naive).sum()
    assert np.abs(naive).sum() > 3


def test_shares_make_up_all_blocks():
    found = cem.shares_without_noise(played_map(cem.Fixed(4), whole_map("DR"), recorded_pool(), 0))
    assert isinstance(found, Shares)
    assert sum(found) == pytest.approx(100)


def test_a_map_without_noise_stays_as_it_is():
    change = np.repeat(np.array([[0.5], [-0.02], [0.001]]), 1000, axis=1)
    for plan in (cem.Fixed(4), cem.Fixed(5), cem.CoarseToFine(), cem.Stratified(8)):
        found = played_map(plan, change, recorded_pool(), 0)
        np.testing.assert_allclose(cem.range_without_noise(found), (-0.02, 0.5), atol=1e-7)
        np.testing.assert_allclose(cem.shares_without_noise(found), 100 / 3)


def test_the_region_does_not_count():
    change = np.repeat(np.array([[0.5], [-0.02], [9.0]]), 1000, axis=1)
    found = played_map(cem.Fixed(4), change, recorded_pool(), 0)
    found = dataclasses.replace(found, inside_roi=np.array([[False, False, True]]))
    np.testing.assert_allclose(cem.range_without_noise(found), (-0.02, 0.5), atol=1e-7)
    np.testing.assert_allclose(cem.shares_without_noise(found), (50, 50, 0))


@pytest.mark.parametrize("draws", [8, 16])
def test_the_chance_of_harm_is_that_of_effects_of_zero(draws):
    """Recorded outcomes, moved to an effect of zero: how often means of four of them harm."""
    random = np.random.default_rng(0)
    for task in TASKS:
        change = recorded_change(task)
        change = change[np.abs(change).max(axis=1) > 1e-3]
        change = change - change.mean(axis=1, keepdims=True)
        which = random.integers(1000, size=(len(change), 16_000))
        drawn = np.take_along_axis(change, which, axis=1).reshape(len(change), -1, 4)
        true = (drawn.mean(axis=2) < 0).mean()
        maps = [played_map(cem.Fixed(draws), change, recorded_pool(), seed) for seed in range(60)]
        found = np.mean([cem.chance_of_harm(one, 4) for one in maps])
        assert 0.5 < true < 0.53
        assert found == pytest.approx(true, abs=0.006)


def test_chance_has_the_side_of_the_skewness():
    random = np.random.default_rng(0)
    change = random.exponential(1, (300, 1000)) - 1
    costs = played_map(cem.Fixed(40), change, recorded_pool(), 0)
    true = (random.gamma(4, 1, 100_000) < 4).mean()
    assert cem.chance_of_harm(costs, 4) == pytest.approx(true, abs=0.02)
    gains = played_map(cem.Fixed(40), -change, recorded_pool(), 0)
    assert cem.chance_of_harm(gains, 4) == pytest.approx(1 - true, abs=0.02)
    half = np.arange(300)[None] < 150
    mixed = played_map(cem.Fixed(40), np.where(half.T, change, -change), recorded_pool(), 0)
    assert cem.chance_of_harm(mixed, 4, half) > 0.54
    assert cem.chance_of_harm(mixed, 4, ~half) < 0.46
    assert cem.chance_of_harm(mixed, 16, half) < cem.chance_of_harm(mixed, 4, half)


def test_draws_without_noise_are_refused():
    change = recorded_change("DN")
    for draws in (2, 4):
        with pytest.raises(ValueError, match="standard error"):
            cem.range_without_noise(played_map(cem.Quadrature(draws), change, recorded_pool(), 0))
    with pytest.raises(ValueError, match="at least 2 draws"):
        cem.shares_without_noise(played_map(cem.Fixed(1), change, recorded_pool(), 0))
    with pytest.raises(ValueError, match="6 different draws"):
        cem.chance_of_harm(played_map(cem.Fixed(4), change, recorded_pool(), 0), 2)


def test_halves_of_stratified_draws_are_its_two_runs():
    """T(all) is 2; the first run says 1, the second one 3.5 in one block and 3 in another."""
    values = np.full((1, 3, 8), -2.0, np.float32)
    values[0, 0] = [-1, -1, -1, -1, -3, -3, -3, -3]
    values[0, 1] = [-1, -1, -1, -1, -4.5, -3.5, -3, -3]
    values[0, 2] = 0
    found = played_map(cem.Stratified(8), np.zeros((3, 1000)), recorded_pool(), 0)
    found = dataclasses.replace(found, values=values)
    assert cem.range_without_noise(found) == pytest.approx((0, 2 * 2.25 - (1 + 3.5) / 2))


def test_two_draws_are_enough_and_the_tolerance_itself_counts():
    change = np.repeat(np.array([[0.25], [-0.25], [0.125]]), 1000, axis=1)
    found = played_map(cem.Fixed(2), change, recorded_pool(), 0)
    found = dataclasses.replace(found, tolerance=0.25)
    np.testing.assert_allclose(cem.shares_without_noise(found), 100 / 3)


def test_what_is_zero_has_no_sign_without_a_tolerance():
    change = np.repeat(np.array([[0.5], [-0.5], [0.0], [0.0]]), 1000, axis=1)
    found = played_map(cem.Fixed(4), change, recorded_pool(), 0)
    found = dataclasses.replace(found, tolerance=0.0)
    np.testing.assert_allclose(cem.shares_without_noise(found), (25, 25, 50))


def with_draws(*draws: np.ndarray) -> cem.EffectMap:
    """A map of random draws that take these from the outcome, block by block."""
    values = -np.array([draws], np.float32)
    found = played_map(cem.Fixed(values.shape[2]), np.zeros((len(draws), 1000)), recorded_pool(), 0)
    return dataclasses.replace(found, values=values)


def test_the_chance_of_harm_is_half_and_the_first_term_of_edgeworths_series():
    """Skewness G1 as SciPy has it, without what grows by sqrt(2) from all draws to half of them."""
    draws = np.array([0.0, 1, 2, 8, 0, 3, 4, 5, 10])
    whole = stats.skew(draws, bias=False)
    half = (stats.skew(draws[:5], bias=False) + stats.skew(draws[5:], bias=False)) / 2
    skewness = whole + (whole - half) / (np.sqrt(2) - 1)
    for mean_of in (4, 9):
        chance = 0.5 + skewness / (6 * np.sqrt(2 * np.pi * mean_of))
        assert cem.chance_of_harm(with_draws(draws), mean_of) == pytest.approx(chance, abs=1e-6)
        # Blocks whose draws are all alike tell no skewness, not even one of zero.
        alike = with_draws(draws, np.full(9, 0.5))
        assert cem.chance_of_harm(alike, mean_of) == pytest.approx(chance, abs=1e-6)


def test_a_half_without_a_spread_has_no_skewness():
    """Six draws are enough."""
    draws = np.array([1.0, 1, 1, 0, 0, 4])
    whole, half = stats.skew(draws, bias=False), (0 + stats.skew(draws[3:], bias=False)) / 2
    skewness = whole + (whole - half) / (np.sqrt(2) - 1)
    chance = 0.5 + skewness / (6 * np.sqrt(2 * np.pi))
    assert cem.chance_of_harm(with_draws(draws), 1) == pytest.approx(chance, abs=1e-6)


@pytest.mark.parametrize("blocks", [np.ones((1, 2), bool), np.ones((1, 1))])
def test_blocks_of_another_shape_or_type_are_refused(blocks, unchecked):
    with pytest.raises(ValueError, match=r"expected bool \[1, 1\]"):
        cem.chance_of_harm(with_draws(np.arange(6.0)), 4, blocks)
