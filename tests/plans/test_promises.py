"""What `Adaptive` promises, on outcomes that deceive who looks at few draws."""

import numpy as np
import pytest
from deceptive import CASES, TAlone, deceptive_pool, few
from recorded import play, recorded_change, recorded_pool

import cem_jax as cem
from cem_jax.plans.surprise import scales, surprise


def sides(effect: np.ndarray) -> np.ndarray:
    return np.where(np.abs(effect) < 0.01, 0, np.sign(effect))


def wrong(plan: cem.Plan, name: str, repeats: int, blocks: int = 48) -> np.ndarray:
    """Shares of a map's blocks that are decided wrongly, [repeats]."""
    pool, shares = deceptive_pool(), []
    for seed in range(repeats):
        change = CASES[name](np.random.default_rng(seed), blocks, len(pool))
        found = play(plan, change, pool, seed).estimate
        shares.append((~found.undecided & (sides(found.effect) != sides(change.mean(1)))).mean())
    return np.array(shares)


@pytest.mark.parametrize("name", CASES)
def test_few_patches_with_large_effects_do_not_deceive(name):
    """In none of the cases more than 5 %, less what eight repeats leave to chance."""
    shares = wrong(cem.Adaptive(), name, 8)
    assert shares.mean() < 0.05 + 2 * shares.std(ddof=1) / np.sqrt(8)


@pytest.mark.parametrize(
    "name", ["10 % cost 0.3 dB", "3 % cost 1 dB", "lognormal, sigma 3, mean 0.03 dB"]
)
def test_t_intervals_alone_are_deceived(name):
    assert wrong(TAlone(), name, 3).mean() > 0.5
    assert wrong(cem.Adaptive(), name, 3).mean() < 0.02


def test_the_first_look_comes_when_the_map_has_enough_draws():
    """1 / (2 x 0.05 x 0.03) = 333 draws of a map."""
    plan = cem.Adaptive()
    assert [plan.first(blocks) for blocks in (1, 10, 11, 24, 48, 84, 167, 1000)] == [
        32, 32, 32, 16, 8, 4, 2, 2,
    ]  # fmt: skip
    assert cem.Adaptive(rare=0.01).first(48) == 32
    assert cem.Adaptive(confidence=0.8).first(48) == 2
    values = np.full((48, 32), np.nan)
    wanted = cem.Adaptive().wanted(values, 0.0, np.arange(48) < 24)
    np.testing.assert_array_equal(wanted.sum(axis=1), np.where(np.arange(48) < 24, 16, 0))


def test_one_block_shows_the_others_that_they_may_hide_something():
    """All blocks are the same to the last digit but for the draws of one among them."""
    calm = np.full((48, 1000), 1e-4)
    found = play(cem.Adaptive(), calm, recorded_pool(), 0).estimate
    assert not found.undecided.any() and (found.samples == 8).all()
    calm[0] = few(0.2, 1.0)(np.random.default_rng(0), 1, 1000)
    found = play(cem.Adaptive(), calm, recorded_pool(), 0).estimate
    assert found.undecided[1:].mean() > 0.9
    calm[0] = 1e-4 + 1e-3 * np.random.default_rng(0).normal(size=1000)
    found = play(cem.Adaptive(), calm, recorded_pool(), 0).estimate
    assert not found.undecided.any()


def test_a_surprise_is_what_lies_beyond_the_other_draws_in_units_of_their_scale():
    change = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]])
    assert surprise(change, 4, 1.0) == 4 / 8
    assert surprise(-change, 4, 1.0) == 0
    # By the first two draws: three times their scale are expected, and the unit is 0.5 larger.
    change = np.array([[1.0, 1.0, 9.0, np.nan]])
    assert surprise(change, 2, 0.5) == pytest.approx((9 - 1 - 3 * 1) / 1.5 / 3)
    change = np.array([[1.0, 5.0]])
    assert surprise(change, 2, 0.0) == pytest.approx((5 - 1 - 3) / 1 / 2)
    change = np.array([[1.0, 3.0, 12.0]])
    spread = np.sqrt(2)
    assert surprise(change, 3, 0.0) == pytest.approx((12 - 3 - 3 * spread) / spread / 3)
    np.testing.assert_allclose(scales(np.array([[3.0, 4.0]])), np.sqrt(12.5))
    np.testing.assert_allclose(scales(np.array([[1.0, 2.0, 3.0]])), 1.0)


def test_normal_draws_surprise_hardly():
    change = np.random.default_rng(0).normal(size=(4000, 32))
    for n, most in ((4, 0.1), (8, 0.02), (16, 0.005)):
        assert surprise(change, n, 1e-9) < most


def test_without_a_tolerance_signs_are_decided_and_zeros_are_not():
    change = np.concatenate([recorded_change("DN"), np.full((1, 1000), 0.02)])
    found = play(cem.Adaptive(tolerance=0.0), change, recorded_pool(), 0).estimate
    strong = np.abs(change.mean(axis=1)) > 2 * change.std(axis=1)
    assert strong.sum() > 5
    assert not found.undecided[strong].any()
    assert found.undecided[np.abs(change.mean(axis=1)) < 0.1 * change.std(axis=1)].all()


def test_costly_patches_are_not_shared_by_blocks():
    """Blocks have patches of their own, each stratified: errors of neighbours are independent."""
    patches = cem.Adaptive().patches(cem.PatchPool.default())
    assert len({tuple(own) for own in patches[:, :2].tolist()}) > 1000
    change = np.ones((400, 1)) * recorded_change("DR")[20]
    found = play(cem.Stratified(8), change, recorded_pool(), 0).estimate
    error = found.effect - change.mean(axis=1)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(400)
    assert abs(np.corrcoef(error[:-1], error[1:])[0, 1]) < 0.2
