"""Plans by name and as data."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.cli.options import PLAN_HELP as TOLD
from cem_jax.plans.names import PLAN_HELP, as_plan, plan_record, plan_text, recorded_plan
from cem_jax.plans.plan import with_tolerance

PLANS = (
    cem.CoarseToFine(),
    cem.CoarseToFine(2, 7, 0.02),
    cem.Adaptive(),
    cem.Adaptive(64, tolerance=0.05, confidence=0.9, equivalent=30, seed=7, rare=0.01),
    cem.Fixed(9),
    cem.Stratified(8, seed=3),
    cem.Quadrature(12, 0.1),
)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_plan_comes_back_from_its_record(plan):
    record = json.loads(json.dumps(plan_record(plan)))
    assert as_plan(record) == plan
    assert recorded_plan(record) == plan
    assert as_plan(plan) is plan


def test_what_is_not_told_is_what_the_pages_say():
    adaptive = cem.Adaptive(32, tolerance=None, confidence=0.95, equivalent=40, seed=0, rare=0.03)
    assert cem.Adaptive() == adaptive
    assert cem.CoarseToFine() == cem.CoarseToFine(3, 50, None)
    assert cem.Stratified(8) == cem.Stratified(8, None, seed=0)
    assert cem.Quadrature() == cem.Quadrature(16, None)
    fixed = cem.Fixed(9, None)
    assert cem.Corrected(cem.Fixed(9)) == cem.Corrected(fixed, share=0.005, excess=0.5, seed=0)


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("adaptive", cem.Adaptive()),
        ("Adaptive:64", cem.Adaptive(most=64)),
        ("coarse-to-fine", cem.CoarseToFine()),
        ("COARSE-TO-FINE:3,50", cem.CoarseToFine(3, 50)),
        ("fixed:10", cem.Fixed(10)),
        ("quadrature:16", cem.Quadrature(16)),
        (" stratified:16", cem.Stratified(16)),
        ("corrected:fixed:40", cem.Corrected(cem.Fixed(40))),
        ("Corrected: coarse-to-fine:3,20", cem.Corrected(cem.CoarseToFine(3, 20))),
        ("corrected:adaptive", cem.Corrected(cem.Adaptive())),
    ],
)
def test_names_of_the_command_line(text, plan):
    assert as_plan(text) == plan
    assert as_plan(plan_text(plan_record(plan))) == plan


@pytest.mark.parametrize(
    "given",
    [
        "fixed", "fixed:", "fixed:1,2", "fixed:0", "fixed:1e3", "fixed:-1", "fixed:1000000000",
        "fixed:99999999999999999999", "quadrature", "quadrature:100000", "stratified:12",
        "stratified:1073741824", "adaptive:1", "adaptive:4611686018427387904",
        "coarse-to-fine:3", "coarse-to-fine:0,50", "coarse-to-fine:3,1000000000", "many", "", ":",
        "corrected", "corrected:", "corrected:fixed", "corrected:quadrature:4", "corrected:many",
        "corrected:corrected:fixed:4", {"plan": "corrected"},
        {"plan": "corrected", "of": "fixed:4"},
        {"plan": "corrected", "of": {"plan": "fixed", "n": 4}, "share": 0},
        cem.Fixed, 3, None, frozenset(), {"plan": "fixed"}, {"plan": "fixed", "n": 1.5}, {"n": 3},
        {"plan": "fixed", "n": 3, "seed": 1}, {"plan": "adaptive", "confidence": 1},
        {"plan": "adaptive", "confidence": "high"}, {"plan": "adaptive", "rare": 0},
        {"plan": "fixed", "n": 3, "tolerance": "small"}, {"plan": 3}, {"plan": ["fixed"]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_plan_is_refused_before_anything_is_made_of_it(given):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="plan="):
            as_plan(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize(
    "make",
    [
        lambda: cem.Fixed(10_001),
        lambda: cem.Stratified(2**14),
        lambda: cem.Quadrature(1025),
        lambda: cem.Adaptive(most=2**14),
        lambda: cem.Adaptive(seed=2**32),
        lambda: cem.Adaptive(rare=1.0),
        lambda: cem.Adaptive(rare="seldom"),
        lambda: cem.Stratified(8, seed=-1),
        lambda: cem.CoarseToFine(10_001, 1),
        lambda: cem.Fixed(3, tolerance="0.01 dB"),
        lambda: cem.Fixed(3, tolerance=float("inf")),
    ],
)
def test_numbers_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_numbers_of_numpy_become_pythons_own():
    plan = cem.Adaptive(
        np.int64(16), tolerance=np.float32(0.01), confidence=np.float64(0.9),
        equivalent=np.int8(20), seed=np.uint32(3), rare=np.float32(0.5),
    )  # fmt: skip
    kinds = [type(value) for value in dataclasses.asdict(plan).values()]
    assert kinds == [int, float, float, int, int, float]
    assert json.loads(json.dumps(plan_record(plan)))["most"] == 16
    assert cem.Fixed(np.int64(3)) == cem.Fixed(3)


def test_older_maps_tell_their_plan_in_words():
    written = "Adaptive(tolerance=0.01, confidence=0.95, most=32, equivalent=40, seed=0)"
    assert recorded_plan(written) == cem.Adaptive(tolerance=0.01)
    written = "CoarseToFine(coarse=3, fine=50, tolerance=0.01)"
    assert recorded_plan(written) == cem.CoarseToFine(3, 50, 0.01)
    for other in ("Census(capacity=3)", "Fixed(n=__import__('os'))", "Fixed(3)", "Fixed(", 3, None):
        assert recorded_plan(other) is None
    assert plan_text("Census(capacity=3)") == "Census(capacity=3)"


def test_the_command_line_tells_the_names():
    assert set(TOLD.replace(" or", ",").split(", ")) == set(
        PLAN_HELP.replace(" or", ",").split(", ")
    )


def test_a_tolerance_of_the_user_is_kept():
    assert with_tolerance(cem.Fixed(3), 0.5) == cem.Fixed(3, 0.5)
    assert with_tolerance(cem.Fixed(3, 0.0), 0.5) == cem.Fixed(3, 0.0)
    with pytest.raises(ValueError, match="tolerance=None"):
        cem.Fixed(3).estimate(np.zeros((1, 3)), 0.0, cem.PatchPool.default())


def test_the_least_numbers_are_accepted():
    for plan in (
        cem.CoarseToFine(1, 1, 0.0),
        cem.Fixed(1),
        cem.Stratified(2),
        cem.Quadrature(1),
        cem.Adaptive(most=2, equivalent=1),
        cem.Stratified(2, seed=2**32 - 1),
    ):
        assert as_plan(json.loads(json.dumps(plan_record(plan)))) == plan


@pytest.mark.parametrize("plan", [cem.CoarseToFine(2, 3), cem.Adaptive(), cem.Fixed(4)], ids=str)
def test_the_first_draws_need_no_tolerance(plan):
    nothing = np.full((6, plan.capacity), np.nan)
    first = plan.wanted(nothing, 0.0, np.arange(6) < 4).sum(axis=1)
    expected = {cem.CoarseToFine: 2, cem.Adaptive: 32, cem.Fixed: 4}[type(plan)]
    np.testing.assert_array_equal(first, [expected] * 4 + [0, 0])
    assert not plan.wanted(nothing, 0.0, np.zeros(6, bool)).any()


@pytest.mark.parametrize(
    "plan",
    [cem.CoarseToFine(2, 3, 0.01), cem.Adaptive(8, tolerance=0.01), cem.Fixed(4, 0.01),
     cem.Stratified(4, 0.01), cem.Quadrature(4, 0.01)],
    ids=str,
)  # fmt: skip
def test_plans_look_at_changes_from_the_baseline(plan):
    """Outcomes of 28 dB less something say the same as those of 0 dB less it."""
    random, pool = np.random.default_rng(0), cem.PatchPool.default()
    scale = np.geomspace(1e-4, 0.1, 30)[:, None]
    change = 0.015 * random.integers(-1, 2, (30, 1)) + scale * random.normal(
        size=(30, plan.capacity)
    )
    change[:, plan.capacity // 2 :][::3] = np.nan
    active = np.ones(30, bool)
    at_zero, at_28 = (plan.estimate(base - change, base, pool) for base in (0.0, 28.0))
    for field in dataclasses.fields(at_zero):
        ours, theirs = getattr(at_zero, field.name), getattr(at_28, field.name)
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    wanted = [plan.wanted(base - change, base, active) for base in (0.0, 28.0)]
    np.testing.assert_array_equal(*wanted)
