"""Corrected draws: unbiased whatever the windows give, with errors that hold."""

import json

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.plans.names import as_plan, plan_record, plan_text, recorded_plan

POOL = cem.PatchPool.default()
CELLS, DRAWS = 200, 40


def outcomes(random, kind):
    """Exact changes, and those by windows, [cells, draws]; with the true effects."""
    size = np.exp(np.linspace(-3, 1, CELLS))[:, None]
    effect = size[:, 0] * np.linspace(-1, 1, CELLS)
    exact = effect[:, None] + size * random.normal(size=(CELLS, DRAWS))
    if kind == "close":
        wrong = 0.1 * size * random.normal(size=exact.shape) + 0.05 * size
    elif kind == "biased":  # the windows see nothing of the effect
        wrong = -np.broadcast_to(effect[:, None], exact.shape)
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


@pytest.mark.parametrize("kind", ["close", "biased", "rarely"])
def test_effects_are_unbiased_and_intervals_hold(kind):
    errors, covered = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        exact, close, effect = outcomes(random, kind)
        plan = cem.Corrected(cem.Fixed(DRAWS), share=0.05, tolerance=0.01, seed=seed)
        found = plan.estimate(played(plan, exact, close), 30.0, POOL)
        errors.append(found.effect - effect)
        covered.append(np.abs(errors[-1]) <= 1.96 * found.standard_error)
    errors = np.stack(errors)
    bias, spread = errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    # As far from 0 as chance takes 200 numbers.
    assert np.mean(np.square(bias / spread)) < 1.4
    assert np.mean(covered) > 0.93


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
    if not isinstance(of, cem.Stratified):
        np.testing.assert_allclose(found.standard_error, expected.standard_error, atol=1e-12)


def test_corrections_are_chosen_whatever_came_out():
    plan = cem.Corrected(cem.Fixed(DRAWS), share=0.1, tolerance=0.01, seed=3)
    one, two = (played(plan, *outcomes(np.random.default_rng(k), "close")[:2]) for k in (0, 1))
    np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
    made = np.isfinite(plan.corrections(one))
    assert 0.08 < made.mean() < 0.12
    np.testing.assert_array_equal(made, np.isfinite(one[:, DRAWS:]))
    other = cem.Corrected(cem.Fixed(DRAWS), share=0.1, tolerance=0.01, seed=4)
    assert (made != other.chosen(CELLS)).any()


def test_without_a_single_correction_the_error_is_not_known():
    plan = cem.Corrected(cem.Fixed(2), share=1e-9, tolerance=0.01)
    values = played(plan, np.ones((CELLS, 2)), np.zeros((CELLS, 2)))
    found = plan.estimate(values, 30.0, POOL)
    assert np.isnan(found.standard_error).all() and found.undecided.all()


def test_it_is_data_and_comes_back():
    plan = cem.Corrected(cem.CoarseToFine(3, 20), share=0.05, seed=7)
    record = json.loads(json.dumps(plan_record(plan)))
    assert as_plan(record) == plan == recorded_plan(record)
    assert "coarse-to-fine:3,20" in plan_text(record)
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
        (cem.Fixed(2), {"seed": -1}, "seed="),
    ],
)
def test_what_does_not_fit_is_refused(of, more, named):
    with pytest.raises(ValueError, match=named):
        cem.Corrected(of, **more)
