"""What plans promise, shown by playing them on recorded outcomes whose true effects are known."""

import dataclasses
import functools
import io
import json

import numpy as np
import pytest
from conftest import curved
from recorded import TASKS, play, recorded_change, recorded_pool, whole_map

import cem_jax as cem
from cem_jax.cli.options import parse_plan
from cem_jax.plans.drawing import StratifiedDraws
from cem_jax.plans.estimate import interval, sign_probability
from cem_jax.plans.plan import with_tolerance
from cem_jax.pool import strata

REPEATS = 25


@functools.cache
def played(plan: cem.Plan, task: str) -> tuple[np.ndarray, ...]:
    """Effects, standard errors, samples, undecided, draws: each [repeats, blocks]."""
    pool, change = recorded_pool(), recorded_change(task)
    runs = [play(plan, change, pool, seed) for seed in range(REPEATS)]
    names = ("effect", "standard_error", "samples", "undecided")
    kept = [np.stack([getattr(run.estimate, name) for run in runs]) for name in names]
    return *kept, np.stack([run.drawn for run in runs])


def sides(effect: np.ndarray) -> np.ndarray:
    return np.where(np.abs(effect) < 0.01, 0, np.sign(effect))


@pytest.mark.parametrize(
    "plan",
    [cem.Fixed(50), cem.CoarseToFine(), cem.Adaptive(), cem.Stratified(16)],
    ids=lambda plan: type(plan).__name__,
)
def test_intervals_hold_the_true_effect_as_often_as_they_say(plan):
    """95 of 100, less what the number of repeats leaves to chance (three standard errors)."""
    shares = []
    for task in TASKS:
        change = recorded_change(task)
        effect, error, samples = played(plan, task)[:3]
        low, high = interval(effect, error, plan.drawing.degrees(samples), 0.95)
        truth = change.mean(axis=1)
        held = (low <= truth) & (truth <= high)
        # Below 1e-4 dB the rounding of the recording is no smaller than the spread.
        of_interest = np.broadcast_to(np.abs(change).max(axis=1) > 1e-4, held.shape)
        if isinstance(plan, cem.CoarseToFine):
            of_interest = of_interest & (samples == plan.fine)
        shares.append([held[r, of_interest[r]].mean() for r in range(REPEATS)])
    by_repeat = np.mean(shares, axis=0)  # blocks of one repeat may share their luck
    assert by_repeat.mean() > 0.95 - 3 * by_repeat.std(ddof=1) / np.sqrt(REPEATS)
    assert by_repeat.std(ddof=1) / np.sqrt(REPEATS) < 0.01


def test_coarse_draws_that_did_not_move_draw_the_effect_to_zero():
    """The blocks that the paper's plan leaves to their coarse draws were chosen for small ones."""
    towards_zero = []
    for task in TASKS:
        effect, _, samples = played(cem.CoarseToFine(), task)[:3]
        truth = recorded_change(task).mean(axis=1)
        left = (samples == 3) & (np.abs(truth) > 0.01)
        towards_zero.append(((effect - truth) * -np.sign(truth))[left])
    shift = np.concatenate(towards_zero)
    assert len(shift) > 20
    assert shift.mean() > 0.003


@pytest.mark.parametrize("task", TASKS)
def test_adaptive_is_better_than_the_papers_plan_with_fewer_evaluations(task):
    change, pool = whole_map(task), recorded_pool()
    truth, found = change.mean(axis=1), {}
    for plan in (cem.CoarseToFine(3, 50), cem.Adaptive()):
        runs = [play(plan, change, pool, seed) for seed in range(REPEATS)]
        effect = np.stack([run.estimate.effect for run in runs])
        drawn = np.stack([run.drawn for run in runs])
        wrong = (sides(effect) != sides(truth)).sum(axis=1).mean()
        found[type(plan)] = drawn.sum(axis=1).mean(), np.square(effect - truth).mean(), wrong
    (paper, paper_error, paper_wrong), (ours, our_error, our_wrong) = found.values()
    assert ours < 0.8 * paper
    assert our_error < 1.1 * paper_error
    assert our_wrong <= paper_wrong


@pytest.mark.parametrize("confidence", [0.95, 0.6])
def test_adaptive_decides_wrongly_no_more_often_than_it_says(confidence):
    """The worst case: outcomes are normal and every effect lies on the border it must respect."""
    random = np.random.default_rng(1)
    change = random.normal(0, random.choice([0.003, 0.01, 0.03], (2000, 1)), (2000, 1000))
    border = np.nextafter(0.01, 0) * np.where(np.arange(2000) % 2, 1, -1)
    change += (border - change.mean(axis=1))[:, None]
    found = play(cem.Adaptive(confidence=confidence), change, recorded_pool(), 0).estimate
    wrong = ~found.undecided & (sides(found.effect) != 0)
    assert 0 < wrong.mean() < 1 - confidence
    assert (~found.undecided).mean() < 0.9


def test_undecided_blocks_got_all_the_draws_there_are():
    _, _, samples, undecided, drawn = played(cem.Adaptive(), "DR")
    assert undecided.any()
    assert (samples[undecided] == 32).all()
    np.testing.assert_array_equal(samples, drawn)
    assert set(np.unique(samples)) <= {8, 16, 32}


def test_the_map_is_as_precise_as_the_random_draws_it_stands_for():
    change = recorded_change("DN")
    for equivalent in (10, 40):
        found = [
            play(cem.Adaptive(equivalent=equivalent), change, recorded_pool(), seed).estimate
            for seed in range(8)
        ]
        error = np.mean([np.square(one.standard_error).mean() for one in found])
        assert error < 1.15 * change.var(axis=1).mean() / equivalent


@pytest.mark.parametrize("plan", [cem.Adaptive(), cem.CoarseToFine()], ids=str)
def test_a_sweep_that_stops_within_a_round_ends_with_the_same_draws(plan):
    change, active = recorded_change("DN"), np.ones(48, bool)
    whole = play(plan, change, recorded_pool(), 0)
    plan, table = with_tolerance(plan, 0.01), plan.patches(recorded_pool())
    if table is None:
        patches = np.random.default_rng(0).integers(1000, size=(48, plan.capacity))
    else:
        patches = strata.patches_at(table, *np.indices((48, plan.capacity)))
    outcomes = -np.take_along_axis(change, patches, axis=1)
    random, values = np.random.default_rng(5), np.full(outcomes.shape, np.nan, np.float32)
    while (missing := plan.wanted(values, 0.0, active) & np.isnan(values)).any():
        done = missing & (random.random(missing.shape) < 0.4)
        values[done] = outcomes[done]
    np.testing.assert_array_equal(np.isfinite(values).sum(axis=1), whole.drawn)
    again = plan.estimate(values, 0.0, recorded_pool())
    np.testing.assert_array_equal(again.effect, whole.estimate.effect)


@pytest.mark.parametrize("n", [8, 32])
def test_stratified_draws_are_unbiased_vary_less_and_say_how_much(n):
    for task in TASKS:
        change = recorded_change(task)
        effect, error = played(cem.Stratified(n), task)[:2]
        truth, random = change.mean(axis=1), change.var(axis=1).sum() / n
        squared = np.square(effect - truth).sum(axis=1)
        assert squared.mean() < 0.8 * random
        stated = np.square(error).sum(axis=1).mean()
        assert squared.mean() < stated < random
        spread = effect.std(axis=0, ddof=1) / np.sqrt(REPEATS)
        moved = np.abs(change).max(axis=1) > 1e-4
        bias = (effect.mean(axis=0) - truth)[moved] / spread[moved]
        assert np.sqrt(np.mean(np.square(bias))) < 1.6


@pytest.mark.parametrize("task", TASKS)
def test_sixteen_representatives_do_as_well_as_thirty_two_random_draws(task):
    change = recorded_change(task)
    found = play(cem.Quadrature(16), change, recorded_pool(), 0).estimate
    error = np.square(found.effect - change.mean(axis=1)).mean()
    assert error < change.var(axis=1).mean() / 32
    assert np.isnan(found.standard_error).all()
    assert found.undecided.all()


def test_each_block_is_grouped_by_the_strata_of_its_own_sequence():
    """Changes that are the strata themselves: groups of four in a row, whatever the sequence."""
    sequences = strata.scrambled_strata(16, 0)
    change = np.tile(sequences, (2, 1))[: len(sequences) + 8].astype(float)
    found = StratifiedDraws(16, 0).means(change, np.isfinite(change))
    np.testing.assert_array_equal(found.effect, 7.5)
    # Squares of 5 in each of four groups; 16 draws have 12 degrees of freedom.
    np.testing.assert_allclose(found.standard_error, np.sqrt(4 * 5 / (16 * 12)))


def test_one_representative_is_an_effect_without_an_error():
    found = cem.Quadrature(1, 0.01).estimate(np.array([[27.5], [np.nan]]), 28.0, recorded_pool())
    np.testing.assert_array_equal(found.effect, [0.5, 0.0])
    np.testing.assert_array_equal(found.standard_error, [np.nan, 0.0])


@pytest.mark.parametrize("seed", [0, 7])
def test_every_run_of_a_scrambled_sequence_fills_all_strata(seed):
    sequences = strata.scrambled_strata(64, seed)
    for run in (1, 2, 4, 8, 16, 32, 64):
        for start in range(0, 64, run):
            part = sequences[:, start : start + run] * run // 64
            assert (np.sort(part, axis=1) == np.arange(run)).all()


def test_each_draw_of_a_scrambled_sequence_is_uniform():
    first = np.concatenate([strata.scrambled_strata(8, seed) for seed in range(4)])
    shares = (first[:, :, None] == np.arange(8)).mean(axis=0)
    assert np.abs(shares - 1 / 8).max() < 4.5 * np.sqrt(7 / 64 / len(first))
    assert len(first) == 4 * strata.SEQUENCES


def test_medoids_stand_for_the_points_near_them():
    random = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = np.repeat(centres, (10, 30, 60), axis=0) + random.normal(0, 0.1, (100, 2))
    chosen, weights = strata.medoids(points, 3)
    nearest = np.argmin(np.square(points[chosen][:, None] - centres).sum(axis=2), axis=1)
    np.testing.assert_allclose(weights[np.argsort(nearest)], [0.1, 0.3, 0.6])
    with pytest.raises(ValueError, match="only 1 patches of the pool differ"):
        strata.medoids(np.zeros((9, 2)), 2)


def test_patches_of_any_size_are_compared():
    random = np.random.default_rng(0)
    for side in (1, 2, 10, 32):
        pool = cem.PatchPool(random.integers(0, 255, (48, side, side, 3)).astype(np.uint8))
        patches = cem.Stratified(16).patches(pool)
        assert all(len(set(own)) == 16 for own in patches.tolist())
        assert len(set(cem.Quadrature(4).patches(pool)[0].tolist())) == 4


def test_the_probability_of_a_sign_is_the_share_of_right_ones():
    """Under the prior that it assumes: flat in the effect and in the logarithm of the spread."""
    random, shape = np.random.default_rng(0), 2_000_000
    truth = random.uniform(-10, 10, shape)
    spread = np.exp(random.uniform(-4, 4, shape))
    draws = truth[:, None] + spread[:, None] * random.normal(size=(shape, 3))
    effect, error = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(3)
    here = (error > 0.4) & (error < 0.6) & (np.abs(effect) < 3)  # far from the priors' ends
    stated = sign_probability(effect[here], error[here], np.full(here.sum(), 2))
    right = np.sign(effect[here]) == np.sign(truth[here])
    for low, high in ((0.5, 0.6), (0.6, 0.75), (0.75, 0.9), (0.9, 0.97)):
        among = (stated >= low) & (stated < high)
        assert among.sum() > 1000
        assert right[among].mean() == pytest.approx(stated[among].mean(), abs=0.03)
    known = sign_probability(np.zeros(2), np.array([0.0, np.nan]), np.array([0, 1]))
    np.testing.assert_array_equal(known, [1.0, np.nan])


@pytest.mark.parametrize(
    "plan",
    [
        lambda: cem.Adaptive(most=100),
        lambda: cem.Adaptive(most=1),
        lambda: cem.Adaptive(confidence=1.0),
        lambda: cem.Adaptive(equivalent=0),
        lambda: cem.Adaptive(tolerance=float("nan")),
        lambda: cem.Adaptive(seed=-1),
        lambda: cem.Quadrature(0),
        lambda: cem.Stratified(12),
        lambda: cem.Stratified(1),
        lambda: parse_plan("adaptive:1,2"),
        lambda: parse_plan("quadrature"),
    ],
)
def test_plans_refuse_what_they_cannot_do(plan):
    with pytest.raises(ValueError, match="expected"):
        plan()


def test_plans_are_named_on_the_command_line():
    assert parse_plan("adaptive") == cem.Adaptive()
    assert parse_plan("adaptive:64") == cem.Adaptive(most=64)
    assert parse_plan("stratified:8") == cem.Stratified(8)
    assert parse_plan("quadrature:12") == cem.Quadrature(12)
    assert parse_plan("coarse-to-fine:2,9") == cem.CoarseToFine(2, 9)


SCENE_ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture(scope="module")
def two_maps():
    """Two alike networks on one scene, with common draws."""
    clean = cem.example_image("facade")[:72, :88]
    pool = cem.PatchPool(cem.PatchPool.default().patches[::50], "every 50th")
    networks = (
        cem.wrap(curved, receptive_radius=2),
        cem.wrap(lambda x: 0.9 * curved(x) + 0.1 * x, receptive_radius=2),
    )

    def make(network, **more):
        options = {"pool": pool, "plan": cem.Fixed(12), "progress": False} | more
        scene = cem.Scene.denoising(clean)
        return cem.causal_effect_map(network, scene, SCENE_ROI, **options)

    return make(networks[0]), make(networks[1]), functools.partial(make, networks[1])


def test_a_difference_is_known_better_than_its_two_effects(two_maps):
    first, second, _ = two_maps
    found = cem.difference(first, second)
    drawn = first.samples > 0
    np.testing.assert_allclose(found.effect[drawn], (first.effect - second.effect)[drawn])
    apart = np.hypot(first.standard_error, second.standard_error)
    assert (found.standard_error < 0.5 * apart)[drawn].all()
    assert (found.samples[drawn] == 12).all()
    assert np.isnan(found.effect[found.inside_roi]).all()
    away = ~drawn & ~found.inside_roi
    assert (found.effect[away] == 0).all() and (found.sign_probability[away] == 1).all()
    low, high = found.interval(0.9)
    assert (low < high)[drawn].all()


def test_the_error_of_a_difference_is_that_of_repeated_differences(two_maps):
    """Over many seeds the differences scatter as one of them says."""
    pairs = np.stack([two_maps[0].values, two_maps[1].values])
    change = (pairs[1] - pairs[0])[two_maps[0].samples > 0].astype(np.float64)
    stated = cem.difference(*two_maps[:2]).standard_error[two_maps[0].samples > 0]
    np.testing.assert_allclose(stated, change.std(axis=1, ddof=1) / np.sqrt(12), rtol=1e-6)


def test_regions_may_differ_and_draws_may_not(two_maps):
    first, second, make = two_maps
    with pytest.raises(ValueError, match="seed 0 and 1"):
        cem.difference(first, make(seed=1))
    with pytest.raises(ValueError, match="plan fixed:12 and stratified:8"):
        cem.difference(first, make(plan=cem.Stratified(8)))
    with pytest.raises(ValueError, match="units 'dB' and ''"):
        cem.difference(first, dataclasses.replace(second, unit=""))
    with pytest.raises(ValueError, match="second=3"):
        cem.difference(first, 3)


def test_a_difference_of_weighted_draws_has_no_error(two_maps):
    make = two_maps[2]
    one = make(plan=cem.Quadrature(4))
    found = cem.difference(one, one)
    drawn = one.samples > 0
    assert (found.effect[drawn] == 0).all() and np.isnan(found.standard_error[drawn]).all()


def test_maps_of_the_first_format_are_read(tmp_path, two_maps):
    first = two_maps[0]
    first.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = {name: file[name] for name in file if name not in ("undecided", "record")}
        record = json.loads(str(file["record"]))
    record["provenance"]["outcome"] = "psnr"
    record |= {"format_version": 1}
    del record["outcome"], record["unit"]
    buffer = io.BytesIO()
    np.savez(buffer, record=json.dumps(record), **arrays)
    (tmp_path / "old.npz").write_bytes(buffer.getvalue())
    old = cem.EffectMap.load(tmp_path / "old.npz")
    assert (old.outcome, old.unit) == ("psnr", "dB")
    np.testing.assert_array_equal(old.undecided, first.undecided)
    np.testing.assert_array_equal(old.effect, first.effect)


def test_a_map_says_what_it_knows(two_maps):
    first = two_maps[0]
    low, high = first.interval()
    drawn = first.samples > 0
    assert ((low < first.effect) & (first.effect < high))[drawn].all()
    away = ~drawn & ~first.inside_roi
    assert (first.sign_probability[away] == 1).all() and (low == high)[away].all()
    wide = first.interval(0.999)
    assert (wide.high > high)[drawn].all()
    assert not first.undecided[away].any()
    inside = (low > 0.01) | (high < -0.01) | ((low > -0.01) & (high < 0.01))
    np.testing.assert_array_equal(first.undecided[drawn], ~inside[drawn])
    data = first.to_xarray()
    assert data["sign_probability"].dims == ("row", "column")
    assert data["effect"].attrs["units"] == first.unit
    with pytest.raises(ValueError, match="confidence=1"):
        first.interval(1)


def test_patches_are_compared_by_their_first_eight_principal_components():
    """Those of all 8 x 8 pixels; larger patches by the sums of 8 x 8 parts, in grey levels."""
    pool = recorded_pool()
    pixels = pool.patches.astype(np.float64).reshape(len(pool), -1)
    left, size, _ = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    found = strata.principal_components(pool)
    np.testing.assert_allclose(np.abs(found), np.abs((left * size)[:, :8]), atol=1e-6)
    twice = cem.PatchPool(pool.patches.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(np.abs(strata.principal_components(twice)), np.abs(found), atol=1e-6)


def test_a_draw_that_moves_the_outcome_by_the_tolerance_makes_a_candidate():
    values = np.array([[-0.5, np.nan], [-0.499, np.nan], [0.5, np.nan]])
    wanted = cem.CoarseToFine(1, 1, 0.5).wanted(values, 0.0, np.ones(3, bool))
    np.testing.assert_array_equal(wanted[:, 1], [True, False, True])
