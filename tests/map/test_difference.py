"""Differences at their edges: on the tolerance, without pairs, inside a region."""

import dataclasses

import numpy as np
import pytest
from recorded import played_map, recorded_change, recorded_pool

import cem_jax as cem
from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import Interval

FACTS = {"scene": "s", "images": "i", "pool": "p", "seed": 0, "block": 8}


def made(plan: cem.Plan, change: np.ndarray, **changed) -> cem.EffectMap:
    found = played_map(plan, change, recorded_pool(), 0)
    provenance = {**found.provenance, **FACTS}
    return dataclasses.replace(found, **{"provenance": provenance, **changed})


@pytest.fixture(scope="module")
def two() -> tuple[cem.EffectMap, cem.EffectMap]:
    """Two maps of 48 blocks, each by four draws."""
    change = recorded_change("DN")[:48]
    return made(cem.Fixed(4), 1 + change), made(cem.Fixed(4), 1 + 0.5 * change)


def told(two, effect: list[float], error: list[float] | None = None, **changed) -> dict:
    """The numbers of a difference with these effects; without errors they are known exactly."""
    row = np.array([effect])
    found = Difference(
        effect=row, standard_error=np.zeros(row.shape) if error is None else np.array([error]),
        samples=np.full(row.shape, 4), degrees=np.full(row.shape, 3.0),
        selected=np.zeros(row.shape, bool), inside_roi=np.zeros(row.shape, bool),
        tolerance=0.25, unit="dB", provenance={}, first=two[0], second=two[1],
    )  # fmt: skip
    return dataclasses.replace(found, **changed).summary


NAMES = ("more_in_first", "of_these_sure", "more_in_second", "of_those_sure", "alike")


def test_a_difference_of_the_size_of_the_tolerance_is_one(two):
    found = told(two, [0.25, -0.25, -0.5, 0.125, -0.125, 0.0, np.nan])
    assert [found[name] for name in NAMES] == [1, 1, 2, 2, 3]
    assert (found["min"], found["max"]) == (-0.5, 0.25)


def test_without_a_tolerance_blocks_without_a_difference_are_alike(two):
    found = told(two, [0.5, -0.5, 0.0], tolerance=0.0)
    assert [found[name] for name in NAMES] == [1, 1, 1, 1, 1]


def test_a_difference_whose_interval_ends_at_zero_is_not_sure(two):
    half = Interval.around(*np.array([[0.0], [1.0], [3.0]]), 0.95).high[0]
    found = told(two, [half, -half, 2 * half, -2 * half], [1.0] * 4)
    assert [found[name] for name in NAMES] == [2, 1, 2, 1, 0]


def test_what_one_map_does_not_reach_keeps_its_effect(two):
    first, second = two
    values, samples = np.array(second.values), np.array(second.samples)
    values[0, :2], samples[0, :2] = np.nan, 0
    effect = np.where(samples, second.effect, 0.0)
    short = dataclasses.replace(second, values=values, samples=samples, effect=effect)
    found = cem.difference(first, short)
    np.testing.assert_allclose(found.effect, first.effect - effect, atol=1e-6)
    assert (found.samples == 4).all()
    np.testing.assert_allclose(found.standard_error[0, :2], first.standard_error[0, :2])
    nothing = cem.difference(short, short)
    np.testing.assert_array_equal(nothing.samples, np.where(samples, 4, 0))


def test_nothing_is_said_of_either_region(two):
    inside = np.arange(48)[None] < 3
    one = dataclasses.replace(two[0], inside_roi=inside)
    for maps in ((one, two[1]), (two[1], one)):
        found = cem.difference(*maps)
        assert np.isnan(found.effect[inside]).all() and np.isnan(found.standard_error[inside]).all()
        assert (found.samples[inside] == 0).all()
        assert (found.samples[~inside] == 4).all() and np.isfinite(found.effect[~inside]).all()


def test_two_weighted_draws_have_no_error_and_no_draws_have_none_to_have():
    change = recorded_change("DN")[:3]
    maps = [made(cem.Quadrature(2), 1 + scale * change) for scale in (1, 0.5)]
    effect = [np.where([[True, True, False]], one.effect, 0.0) for one in maps]
    values = [np.where(np.arange(3)[None, :, None] < 2, one.values, np.nan) for one in maps]
    samples = np.array([[2, 2, 0]])
    errors = np.array([[np.nan, np.nan, 0.0]])
    found = cem.difference(*(
        dataclasses.replace(one, effect=own, values=drawn, samples=samples, standard_error=errors)
        for one, own, drawn in zip(maps, effect, values, strict=True)
    ))  # fmt: skip
    # The weights are the plan's own: the plain mean of the pairs is another number.
    np.testing.assert_allclose(found.effect, effect[0] - effect[1], atol=1e-12)
    np.testing.assert_array_equal(found.standard_error, errors)


def test_single_coarse_draws_take_no_error_from_the_fine_ones():
    change = np.array([[0.0], [0.5]]) + 0.001 * np.random.default_rng(0).normal(size=(2, 1000))
    maps = [made(cem.CoarseToFine(1, 9), scale * change) for scale in (1, 0.9)]
    found = cem.difference(*maps)
    np.testing.assert_array_equal(found.samples, [[1, 9]])
    np.testing.assert_array_equal(np.isnan(found.standard_error), [[True, False]])


def test_plans_that_differ_unseen_are_told_in_full_and_the_order_of_a_record_is_none(two):
    first = two[0]
    plan = first.provenance["plan"]

    def of(plan):
        return dataclasses.replace(first, provenance={**first.provenance, "plan": plan})

    turned = of(dict(reversed(plan.items())))
    assert (cem.difference(first, turned).effect == 0).all()
    with pytest.raises(ValueError, match=r'"tolerance": null} and {.*"tolerance": 0.02}'):
        cem.difference(first, of({**plan, "tolerance": 0.02}))
    untold = dataclasses.replace(first, provenance={"plan": plan})
    with pytest.raises(ValueError, match="scene null and null"):
        cem.difference(untold, untold)


def test_a_difference_is_written_without_the_maps_that_it_is_of(two):
    text = repr(cem.difference(*two))
    assert text.startswith("Difference(") and "effect=" in text
    assert "first=" not in text and "second=" not in text and "EffectMap" not in text


def test_numbers_of_different_outcomes_have_no_difference(clean):
    """A similarity less an error is nothing; both are numbers without a unit."""
    network = cem.wrap(lambda x: 0.9 * x, name="network")
    scene = cem.Scene.denoising(clean, 0.1)

    def made(outcome, side=16):
        return cem.causal_effect_map(
            network, scene, cem.ROI(24, 32, side, 16), outcome=outcome, plan=cem.Fixed(1),
            progress=False,
        )  # fmt: skip

    first = made("ssim")
    assert cem.difference(first, made("ssim", 24)).unit == ""
    with pytest.raises(ValueError, match="outcomes 'ssim' and 'negative_mse'"):
        cem.difference(first, made("negative_mse"))
    one, other = (made(lambda a, b, share=share: -share * abs(a - b).mean()) for share in (1, 2))
    with pytest.raises(ValueError, match=r"do not compare: outcome \w{16} and \w{16}$"):
        cem.difference(one, other)
    cem.difference(made("psnr"), made("psnr_y"))  # decibels
