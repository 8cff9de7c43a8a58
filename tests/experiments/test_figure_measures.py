"""What figures say of maps: statistics over scenes, measures, masking, and plans replayed."""

import dataclasses

import jax
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.experiments.figures import masking, measures, statistics
from cem_jax.experiments.figures.preset import PRESETS
from cem_jax.experiments.figures.replay import replay
from cem_jax.experiments.figures.sampling import choosing_plans, random_plans

ROI = cem.ROI(24, 24, 8, 8)


def blurred(seed=0, side=64):
    """A scene, and a network in which far pixels of the same row matter."""
    clean = np.random.default_rng(seed).random((side, side, 3)).astype(np.float32)
    network = cem.wrap(lambda x: x - 0.2 * (x.mean(axis=2, keepdims=True) - 0.5), name="rows")
    return network, cem.Scene.denoising(clean, 10 / 255)


# Statistics


def test_the_interval_over_scenes_is_that_of_a_t_test():
    from scipy.stats import ttest_1samp

    values = {"a": [1.0, 3.0], "b": [2.5], "c": [4.0, np.nan], "d": [np.nan]}
    found = statistics.over_scenes(values)
    low, high = ttest_1samp([2.0, 2.5, 4.0], 0).confidence_interval(0.95)
    assert found["scenes"] == 3
    np.testing.assert_allclose([found[k] for k in ("mean", "low", "high")], [8.5 / 3, low, high])


def test_fewer_than_two_scenes_have_no_interval():
    nothing = {"mean": None, "low": None, "high": None, "scenes": 0}
    assert statistics.over_scenes({"a": [np.nan]}) == nothing
    one = {"mean": 2.0, "low": None, "high": None, "scenes": 1}
    assert statistics.over_scenes({"a": [1.0, 3.0], "b": []}) == one
    assert statistics.of_differences({"a": [2.0]}) == {**one, "effect_size": None}
    assert statistics.of_differences({"a": [2.0], "b": [2.0]})["effect_size"] is None


def test_pairs_are_compared_region_by_region():
    first = {"a": [1.0, 2.0], "b": [3.0, 5.0]}
    second = {"a": [0.0, 0.0], "b": [1.0, 2.0]}
    found = statistics.of_differences(statistics.between(first, second))
    assert found["mean"] == 2.0
    assert found["effect_size"] == pytest.approx(2.0 / np.std([1.5, 2.5], ddof=1))
    unknown = float("nan")
    partly = statistics.between({**first, "c": [unknown]}, {**second, "c": [1.0]})
    assert statistics.of_differences(partly) == found  # a scene without the number is no scene
    both = statistics.joined([first, {"a": [6.0], "b": [4.0]}])
    assert statistics.over_scenes(both)["mean"] == (3.0 + 4.0) / 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.5, "supported"), (-0.5, -0.1, "refuted"), (-0.1, 0.1, "undecided")],
)
def test_verdicts_follow_the_interval(low, high, expected):
    assert statistics.verdict({"low": low, "high": high, "mean": 0.0}, 0.0) == expected
    assert statistics.verdict({"low": None, "high": None, "mean": 1.0}, 0.0) == "undecided"


def test_intervals_hold_the_mean_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found = statistics.over_scenes({str(n): [v] for n, v in enumerate(random.normal(size=8))})
        held += found["low"] <= 0 <= found["high"]
    assert 0.92 < held / 400 < 0.98


# Measures


def test_reach_is_the_distance_of_the_only_block_that_matters():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(6), progress=False)
    row, column = 3, 7
    values = np.where(np.isfinite(found.values), found.baseline, found.values)
    values[row, column] = found.baseline - 2.0
    alone = dataclasses.replace(found, values=values)
    numbers = measures.measure(alone)
    assert numbers["reach"] == pytest.approx(60 - 32)  # columns 56 to 64, the region ends at 32
    assert numbers["reliability"] == pytest.approx(1.0)
    outside = (~found.inside_roi).sum()
    assert numbers["strength"] == pytest.approx(np.sqrt(4 / outside), rel=1e-5)


def test_noise_adds_nothing_to_strength():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    random = np.random.default_rng(0)
    squared = []
    for _ in range(200):
        noise = random.normal(size=found.values.shape)
        noisy = dataclasses.replace(found, values=np.asarray(found.baseline + noise, np.float32))
        first, second = (half[~found.inside_roi] for half in measures.halves(noisy))
        squared.append((first * second).mean())
    assert abs(np.mean(squared)) < 4 * np.std(squared) / np.sqrt(200)


def test_halves_average_to_the_effect():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    np.testing.assert_allclose(np.mean(measures.halves(found), axis=0), found.effect, atol=1e-5)


# Masking


def test_curves_begin_and_end_at_the_baseline():
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    lines = masking.curves(network, scene, found, draws=2)
    for order in ("effect", "nearness", "random"):
        assert lines["deletion"][order][0] == pytest.approx(found.baseline, abs=1e-4)
        assert lines["insertion"][order][-1] == pytest.approx(found.baseline, abs=1e-4)
        assert lines["insertion"][order][0] == lines["deletion"]["effect"][-1]  # all replaced


def test_masking_the_harmful_blocks_helps_by_what_they_harm():
    """A network that adds the mean of the top row of blocks, of which the image's is bright."""
    network = cem.wrap(lambda x: x + 0.3 * x[:, :8].mean(axis=(1, 2), keepdims=True), name="top")
    clean = np.full((64, 64, 3), 0.5, np.float32)
    clean[:8] = 1.0
    scene = cem.Scene.denoising(clean, 1 / 255)
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    result = masking.masked(network, scene, found, draws=4)
    assert result["blocks"] == 8
    assert result["harmful_again"] == 100.0
    assert result["gain"] > 4 * result["single_gain"] > 0


def with_halves(effects):
    """A map of 8 x 8 blocks by four draws, with effects (first half, second half) at some."""
    network, scene = blurred()
    found = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(4), progress=False)
    values = np.full(found.values.shape, found.baseline, np.float32)
    for block, (first, second) in effects.items():
        values[block] -= np.array([first, first, second, second], np.float32)
    return network, scene, dataclasses.replace(found, values=values)


def test_blocks_are_chosen_by_the_first_half_and_judged_by_the_second():
    result = masking.masked(*with_halves({(0, 1): (-0.1, -0.2), (5, 6): (-0.1, 0.4)}), draws=1)
    assert result["blocks"] == 2
    assert result["harmful_again"] == 50.0
    assert result["single_gain"] == pytest.approx(-0.1, abs=1e-5)


def test_curves_are_ordered_by_the_first_half_alone(monkeypatch):
    """Of each image that is scored: which block was replaced, if it was one."""
    network, scene, found = with_halves({(0, 1): (1.0, -5.0), (5, 6): (0.5, 3.0)})

    def replaced_block(network, scene, roi, inputs):
        changed = np.stack([(one != scene.degraded).any(axis=2) for one in inputs])
        blocks = changed.reshape(-1, 8, 8, 8, 8).any(axis=(2, 4)).reshape(-1, 64)
        return np.where(blocks.sum(axis=1) == 1, blocks.argmax(axis=1), -1.0)

    monkeypatch.setattr(masking, "region_psnr", replaced_block)
    lines = masking.curves(network, scene, found, draws=1)
    assert masking.SHARES[1] == 0.01  # one of 63 blocks
    assert lines["deletion"]["effect"][1] == 1  # row 0, column 1


def test_replaced_blocks_hold_pool_patches_and_others_stay():
    clean = cem.example_image("cabin")[:64, :64]
    scene = cem.Scene.super_resolution(clean)
    blocks = np.zeros((8, 8), bool)
    blocks[[0, 7], [0, 3]] = True
    by = masking.replacement(scene, 2, cem.PatchPool.default(), jax.random.key(0))
    changed = masking.replaced(scene, blocks, 2, by)
    where = np.zeros(scene.degraded.shape[:2], bool)
    for y, x in ((0, 0), (14, 6)):
        where[y : y + 2, x : x + 2] = True
    np.testing.assert_array_equal(changed[~where], scene.degraded[~where])
    assert (changed[where] != scene.degraded[where]).any(axis=1).all()


# Replays


@pytest.mark.parametrize("plan", [cem.CoarseToFine(2, 3), cem.Fixed(4)])
def test_a_replayed_plan_finds_what_it_finds(plan):
    network, scene = blurred()
    recorded = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(6), progress=False)
    found = cem.causal_effect_map(network, scene, ROI, plan=plan, progress=False)
    effect, evaluations = replay(plan, recorded)
    assert evaluations == found.evaluations
    outside = ~found.inside_roi
    np.testing.assert_allclose(effect[outside], found.effect[outside], atol=2e-5)


def test_a_plan_that_needs_more_draws_is_refused():
    network, scene = blurred()
    recorded = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)
    with pytest.raises(ValueError, match="only 2 random draws"):
        replay(cem.Fixed(3), recorded)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_records_what_its_plans_need(name):
    most = PRESETS[name].recorded // 2
    for plans in (*random_plans(most).values(), *choosing_plans(most).values()):
        assert plans
