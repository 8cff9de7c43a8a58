"""What `Adaptive` promises, on outcomes that deceive who looks at few draws."""

import numpy as np
import pytest
from deceptive import CASES, TAlone, deceptive_pool
from recorded import play, recorded_change, recorded_pool
from scipy import stats

import cem_jax as cem
from cem_jax.plans.surprise import scales, surprise
from cem_jax.pool.strata import scrambled_strata


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
    assert [cem.Adaptive(1024).first(blocks) for blocks in (0, 1, 2)] == [512, 512, 256]
    assert cem.Adaptive(rare=0.01).first(48) == 32
    assert cem.Adaptive(confidence=0.8).first(48) == 2
    values = np.full((48, 32), np.nan)
    wanted = cem.Adaptive().wanted(values, 0.0, np.arange(48) < 24)
    np.testing.assert_array_equal(wanted.sum(axis=1), np.where(np.arange(48) < 24, 16, 0))


def test_one_block_shows_the_others_that_they_may_hide_something():
    """All draws of all blocks are the same but for those of one block."""
    plan, pool = cem.Adaptive(tolerance=0.01), recorded_pool()
    values = np.full((48, 32), np.nan)
    values[:, :8] = -1e-4
    assert not plan.estimate(values, 0.0, pool).undecided.any()
    values[0, 5] = -1.0  # one draw costs 1 dB: as unlikely as it was there, it is elsewhere
    found = plan.estimate(values, 0.0, pool)
    assert found.undecided.all() and found.effect[0] > 0.1
    values[0, :8] = -1e-4 - 1e-3 * np.arange(8)  # nothing but a spread
    assert not plan.estimate(values, 0.0, pool).undecided[1:].any()
    # What a later draw brings counts too, and on its own side.
    positive = np.where(np.isnan(values), np.nan, -0.1)
    assert not plan.estimate(positive, 0.0, pool).undecided.any()
    positive[0, 8:16] = -0.1
    positive[0, 12] = -2.0
    assert not plan.estimate(positive, 0.0, pool).undecided[1:].any()
    positive[0, 12] = 2.0
    assert plan.estimate(positive, 0.0, pool).undecided[1:].all()


def test_two_draws_show_it_too():
    plan, pool = cem.Adaptive(tolerance=0.01), recorded_pool()
    values = np.full((200, 32), np.nan)
    values[:, :2] = -1e-4
    assert plan.first(200) == 2 and not plan.estimate(values, 0.0, pool).undecided.any()
    values[0, 1] = -1.0
    assert plan.estimate(values, 0.0, pool).undecided.all()


def test_what_is_unseen_adds_to_the_scale_of_a_block_and_not_less():
    """Blocks whose draws spread by exactly what counts as the smallest scale, 1e-4 dB."""
    plan, pool = cem.Adaptive(tolerance=0.01), recorded_pool()
    values = np.full((48, 32), np.nan)
    values[:, :8] = np.tile([1e-4, -1e-4], 4) * np.sqrt(7 / 8)
    assert not plan.estimate(values, 0.0, pool).undecided.any()
    values[0, 5] = -1.0
    assert plan.estimate(values, 0.0, pool).undecided.all()


def test_blocks_without_draws_are_no_looks_at_a_map():
    """Eight blocks are looked at once, after 32 draws; others that get none change nothing."""
    plan, pool = cem.Adaptive(tolerance=0.01), recorded_pool()
    draws = np.random.default_rng(0).normal(size=(8, 32))
    draws = (draws - draws.mean(axis=1, keepdims=True)) / draws.std(axis=1, ddof=1, keepdims=True)
    distance = np.linspace(1.6, 3.4, 8)[:, None] / np.sqrt(32)  # from the tolerance, in errors
    values = -(0.01 + 1e-3 * (distance + draws))
    found = plan.estimate(values, 0.0, pool)
    with_others = np.concatenate([values, np.full((2000, 32), np.nan)])
    assert 0 < found.undecided.sum() < 8
    undecided = plan.estimate(with_others, 0.0, pool).undecided[:8]
    np.testing.assert_array_equal(undecided, found.undecided)


@pytest.mark.parametrize(("blocks", "looks"), [(24, 2), (48, 3)])
def test_the_looks_at_a_block_share_half_of_what_is_wrong(blocks, looks):
    """After 16 draws that alternate along the strata: an error of 1e-3 / sqrt(12), 12 degrees."""
    plan = cem.Adaptive(tolerance=0.01)
    order = np.argsort(scrambled_strata(32, 0)[:blocks, :16], axis=1)
    change = np.empty((blocks, 16))
    np.put_along_axis(change, order, 1e-3 * np.tile([[1.0, -1.0]], (blocks, 8)), axis=1)
    edge = 0.01 + stats.t.ppf(1 - 0.05 / 2 / looks / 2, 12) * 1e-3 / np.sqrt(12)
    beyond = np.arange(blocks) % 2 == 0
    values = np.full((blocks, 32), np.nan)
    values[:, :16] = -np.where(beyond, edge + 1e-5, edge - 1e-5)[:, None] - change
    found = plan.estimate(values, 0.0, recorded_pool())
    np.testing.assert_array_equal(found.undecided, ~beyond)


def test_so_many_blocks_go_on_as_the_precision_of_the_map_wants():
    """All signs are clear; each block that draws 8 more halves its share of the variance."""
    plan, pool = cem.Adaptive(tolerance=0.01, equivalent=10), recorded_pool()
    draws = 1 + 0.01 * np.random.default_rng(0).permuted(np.tile(np.arange(8.0), (48, 1)), axis=1)
    values = np.full((48, 32), np.nan)
    values[:, :8] = -draws
    found = plan.estimate(values, 0.0, pool)
    assert not found.undecided.any()
    variance = found.standard_error**2
    excess = variance.sum() - draws.var(axis=1, ddof=1).sum() / 10
    saved = np.cumsum(np.sort(variance / 2)[::-1])
    wanted = int(np.searchsorted(saved, excess)) + 1
    assert 5 < wanted < 43
    asked = plan.wanted(values, 0.0, np.ones(48, bool)).sum(axis=1)
    np.testing.assert_array_equal(np.unique(asked), [8, 16])
    assert (asked == 16).sum() == wanted


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
    spread = np.sqrt(5)
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


@pytest.mark.parametrize("seed", range(20))
def test_blocks_are_decided_by_t_intervals_widened_by_surprise(seed):
    """By the formula, for blocks of different scales after 16 and after 32 draws (two looks)."""
    random, plan, pool = np.random.default_rng(seed), cem.Adaptive(tolerance=0.01), recorded_pool()
    scale = np.geomspace(1e-4, 0.03, 24)[:, None]
    change = random.normal(random.choice([0, 0.01, 0.03], (24, 1)), scale, (24, 32))
    change[3, 5] += 0.1
    change[20, 25] -= 0.3
    change = change.astype(np.float32).astype(np.float64)
    samples = np.where(np.arange(24) % 2, 16, 32)
    values = np.where(np.arange(32) < samples[:, None], -change, np.nan)
    found = plan.estimate(values, 0.0, pool)
    assert plan.first(24) == 16
    undecided = []
    for cell, n in enumerate(samples):
        own, rows = change[cell, :n], samples >= n
        unit = own.std(ddof=1) + 1e-4
        above, below = (
            surprise(sign * np.where(np.isnan(values), np.nan, change)[rows], n, 1e-4)
            for sign in (1, -1)
        )
        half = stats.t.ppf(1 - 0.025 / 2 / 2, n - n // 4) * found.standard_error[cell]
        low = own.mean() - half - unit * below / 0.025
        high = own.mean() + half + unit * above / 0.025
        undecided.append(not (low >= 0.01 or high <= -0.01 or (low > -0.01 and high < 0.01)))
    np.testing.assert_array_equal(found.undecided, undecided)
    assert 0 < sum(undecided) < 24
