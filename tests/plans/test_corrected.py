"""Corrected draws: unbiased whatever the windows give, with errors that hold."""

import json

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.plans.names import as_plan, plan_record, plan_text, recorded_plan

POOL = cem.PatchPool.default()
CELLS, DRAWS = 200, 40
SIZE = np.exp(np.linspace(-3, 1, CELLS))


def outcomes(random, kind):
    """Exact changes, and those by windows, [cells, draws]; with the true effects."""
    size = SIZE[:, None]
    effect = size[:, 0] * np.linspace(-1, 1, CELLS)
    exact = effect[:, None] + size * random.normal(size=(CELLS, DRAWS))
    if kind == "close":
        wrong = 0.1 * size * random.normal(size=exact.shape) + 0.05 * size
    elif kind == "biased":  # the windows see nothing of the effect
        wrong = -np.broadcast_to(effect[:, None], exact.shape)
    elif kind == "attenuated":  # the windows see a third of it
        wrong = -2 / 3 * exact + 0.05 * size * random.normal(size=exact.shape)
    else:  # wrong only where it matters, and much
        wrong = np.where(random.random(exact.shape) < 0.1, 3 * size, 0.0)
    return exact, exact + wrong, effect


def played(plan, exact, close):
    """The values [cells, 2 * draws] that the plan ends with."""
    baseline, known = 30.0, 30.0 - np.concatenate([close, exact], axis=1)
    values = np.full(known.shape, np.nan)
    while True:
        new = plan.wanted(values, baseline, np.ones(CELLS, bool)) & np.isnan(values)
        if not new.any():
            return values
        values[new] = known[new]


@pytest.mark.parametrize("kind", ["close", "biased", "rarely", "attenuated"])
def test_effects_are_unbiased_and_intervals_hold(kind):
    errors, covered, windows = [], [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        exact, close, effect = outcomes(random, kind)
        plan = cem.Corrected(cem.Fixed(DRAWS), share=0.02, tolerance=0.01, seed=seed)
        found = plan.estimate(played(plan, exact, close), 30.0, POOL)
        errors.append(found.effect - effect)
        windows.append((close - exact).mean(axis=1))
        covered.append(np.abs(errors[-1]) <= 1.96 * found.standard_error)
    assert np.mean(covered) > 0.93
    # How much of the windows' own bias is left, in each repeat: nothing, within chance.
    bias = np.mean(windows, axis=0) / SIZE
    left = (np.stack(errors) / SIZE) @ bias / (bias @ bias)
    chance = left.std(ddof=1) / np.sqrt(len(left))
    assert chance < 0.1
    assert abs(left.mean()) < 3 * chance


def test_without_corrections_the_same_windows_are_biased():
    random = np.random.default_rng(0)
    exact, close, effect = outcomes(random, "biased")
    plan = cem.Corrected(cem.Fixed(DRAWS), share=0.05, tolerance=0.01)
    values = played(plan, exact, close)
    alone = cem.Fixed(DRAWS, tolerance=0.01).estimate(values[:, :DRAWS], 30.0, POOL)
    together = plan.estimate(values, 30.0, POOL)
    strong = np.abs(effect) > 0.5
    assert np.abs(alone.effect - effect)[strong].mean() > 0.5
    assert np.isfinite(together.standard_error).all()


def test_more_is_corrected_where_the_windows_are_worse():
    good, bad = (
        cem.Corrected(cem.Fixed(DRAWS), tolerance=0.01),
        cem.Corrected(cem.Fixed(DRAWS), excess=0.03, tolerance=0.01),
    )
    made = {}
    for kind in ("close", "rarely"):
        exact, close, _ = outcomes(np.random.default_rng(0), kind)
        made[kind] = [
            np.isfinite(plan.corrections(played(plan, exact, close))).mean() for plan in (good, bad)
        ]
    assert made["rarely"][0] > 2 * made["close"][0]
    assert made["rarely"][1] > 2 * made["rarely"][0]
    assert made["close"][0] < 0.1


def test_windows_that_see_too_little_by_a_factor_need_few_corrections():
    exact, close, _ = outcomes(np.random.default_rng(0), "attenuated")
    plan = cem.Corrected(cem.Fixed(DRAWS), excess=0.3, tolerance=0.01)
    values = played(plan, exact, close)
    assert np.isfinite(plan.corrections(values)).mean() < 0.05
    own = cem.Fixed(DRAWS, tolerance=0.01).estimate(30.0 - exact, 30.0, POOL)
    found = plan.estimate(values, 30.0, POOL)
    ratio = np.square(found.standard_error).mean() / np.square(own.standard_error).mean()
    assert 0.8 < ratio < 1.6


@pytest.mark.parametrize("of", [cem.Fixed(8), cem.Stratified(8), cem.CoarseToFine(2, 6)])
def test_at_a_share_of_one_it_is_the_exact_plan(of):
    random = np.random.default_rng(0)
    exact, close = (random.normal(size=(CELLS, 8)) for _ in range(2))
    plan = cem.Corrected(of, share=1, tolerance=0.01)
    values = played(plan, exact, close)
    counted = of.counted(values[:, :8])
    expected = of.drawing.means(exact, counted, POOL)
    found = plan.estimate(values, 30.0, POOL)
    np.testing.assert_allclose(found.effect, expected.effect, atol=1e-12)
    np.testing.assert_allclose(found.standard_error, expected.standard_error, atol=1e-12)


def test_the_first_corrections_are_chosen_whatever_came_out():
    plan = cem.Corrected(cem.Fixed(DRAWS), share=0.1, tolerance=0.01, seed=3)
    one, two = (
        plan.thinning(played(plan, *outcomes(np.random.default_rng(k), "close")[:2]), 30.0).first
        for k in (0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert 0.08 < one.mean() < 0.12
    other = cem.Corrected(cem.Fixed(DRAWS), share=0.1, tolerance=0.01, seed=4)
    values = played(other, *outcomes(np.random.default_rng(0), "close")[:2])
    assert (one != other.thinning(values, 30.0).first).any()


def test_corrections_of_the_second_round_do_not_choose_themselves():
    plan = cem.Corrected(cem.Fixed(DRAWS), share=0.05, tolerance=0.01, seed=3)
    values = played(plan, *outcomes(np.random.default_rng(0), "close")[:2])
    before = plan.thinning(values, 30.0)
    assert (before.second & ~before.first).any()
    values[:, DRAWS:][before.second] += 7
    after = plan.thinning(values, 30.0)
    np.testing.assert_array_equal(before.second, after.second)
    np.testing.assert_array_equal(before.probability, after.probability)


def test_another_outcome_takes_the_choice_of_the_first():
    exact, close, effect = outcomes(np.random.default_rng(0), "close")
    plan = cem.Corrected(cem.Fixed(DRAWS), share=0.05, tolerance=0.01)
    first = played(plan, *outcomes(np.random.default_rng(1), "rarely")[:2])
    thinned = plan.thinning(first, 30.0)
    known = 30.0 - np.concatenate([close, exact], axis=1)
    values = np.where(np.isfinite(first), known, np.nan)
    found = plan.estimate(values, 30.0, POOL, thinning=thinned)
    assert np.isfinite(found.standard_error).all()
    assert np.mean(np.abs(found.effect - effect) <= 1.96 * found.standard_error) > 0.9


def test_while_corrections_are_missing_the_error_is_not_known():
    plan = cem.Corrected(cem.Fixed(2), tolerance=0.01)
    exact, close, _ = outcomes(np.random.default_rng(0), "close")
    values = played(plan, exact[:, :2], close[:, :2])
    assert np.isfinite(plan.estimate(values, 30.0, POOL).standard_error).all()
    for missing in (plan.thinning(values, 30.0).second, np.ones((CELLS, 2), bool)):
        values[:, 2:][missing] = np.nan
        found = plan.estimate(values, 30.0, POOL)
        assert np.isnan(found.standard_error).all() and found.undecided.all()


def test_each_draw_once():
    plan = cem.Corrected(cem.Fixed(2), tolerance=0.01)
    values = np.array([[[1.0, 2.0, np.nan, 3.0], [4.0, np.nan, np.nan, np.nan]]])
    np.testing.assert_array_equal(plan.best(values), [[[1.0, 3.0], [4.0, np.nan]]])


def test_it_is_data_and_comes_back():
    plan = cem.Corrected(cem.CoarseToFine(3, 20), share=0.05, seed=7)
    record = json.loads(json.dumps(plan_record(plan)))
    assert as_plan(record) == plan == recorded_plan(record)
    assert plan_text(record) == "corrected:coarse-to-fine:3,20"
    assert cem.Corrected(cem.Fixed(4), tolerance=0.02).of == cem.Fixed(4, tolerance=0.02)
    assert cem.Corrected(cem.Fixed(4, tolerance=0.02)).tolerance == 0.02


@pytest.mark.parametrize(
    ("of", "more", "named"),
    [
        (cem.Quadrature(4), {}, "of="),
        (cem.Corrected(cem.Fixed(2)), {}, "of="),
        ("fixed:2", {}, "of="),
        (cem.Fixed(2), {"share": 0}, "share=0"),
        (cem.Fixed(2), {"share": 1.5}, "share=1.5"),
        (cem.Fixed(2), {"excess": 0}, "excess=0"),
        (cem.Fixed(2), {"excess": "much"}, "excess="),
        (cem.Fixed(2), {"seed": -1}, "seed="),
    ],
)
def test_what_does_not_fit_is_refused(of, more, named):
    with pytest.raises(ValueError, match=named):
        cem.Corrected(of, **more)
