"""Numbers of figures at their edges: empty maps, single scenes, bounds, uneven images."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.experiments.figures import masking, measures, statistics
from cem_jax.plans.names import plan_record


@pytest.fixture(scope="module")
def scene() -> cem.Scene:
    clean = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    return cem.Scene.denoising(clean, 10 / 255)


@pytest.fixture
def drawn() -> cem.EffectMap:
    """A map of 8 x 8 blocks by four draws, of which none does anything; two rows are in reach."""
    inside, reached = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    inside[3, 3], reached[3:5] = True, True
    reached &= ~inside
    values = np.where(reached[..., None], np.float32(20), np.full((8, 8, 4), np.nan, np.float32))
    return cem.EffectMap(
        effect=np.where(inside, np.nan, 0.0), standard_error=np.where(inside, np.nan, 0.0),
        samples=np.where(reached, 4, 0), undecided=np.zeros((8, 8), bool), inside_roi=inside,
        values=values, baseline=20.0, tolerance=0.01, roi=cem.ROI(24, 24, 8, 8), block=8, scale=1,
        task="DN", degraded=np.zeros((64, 64, 3), np.uint8),
        provenance={"plan": plan_record(cem.Fixed(4))},
    )  # fmt: skip


NETWORK = cem.wrap(lambda x: x, receptive_radius=0)


def with_halves(found: cem.EffectMap, effects: dict, **changed) -> cem.EffectMap:
    """A map of four draws with effects (first half, second half) at some blocks, 0 elsewhere."""
    values = np.full(found.values.shape, found.baseline, np.float32)
    effect = np.where(found.inside_roi, np.nan, 0.0)
    for block, (first, second) in effects.items():
        values[block] -= np.array([first, first, second, second], np.float32)
        effect[block] = (first + second) / 2
    return dataclasses.replace(found, **{"values": values, "effect": effect, **changed})


# Statistics


def test_a_share_of_equal_wholes_is_a_mean_and_of_equal_shares_has_no_error():
    parts = {"a": [1.0, 2.0], "b": [5.0], "c": [2.5]}
    found = statistics.share(parts, {"a": [6.0, 2.0], "b": [8.0], "c": [8.0]})
    means = statistics.over_scenes({"a": [3 / 8], "b": [5 / 8], "c": [2.5 / 8]})
    assert found == pytest.approx(means)
    same = statistics.share(parts, {"a": [4.0, 8.0], "b": [20.0], "c": [10.0]})
    assert [same[name] for name in ("mean", "low", "high")] == pytest.approx([0.25] * 3)
    two = statistics.share({"a": [1.0], "b": [3.0]}, {"a": [4.0], "b": [4.0]})
    assert two == pytest.approx(statistics.over_scenes({"a": [0.25], "b": [0.75]}))


def test_shares_of_the_same_scenes_are_compared_in_pairs():
    wholes = {"a": [4.0], "b": [4.0], "c": [4.0]}
    first, second = {"a": [1.0], "b": [3.0], "c": [2.0]}, {"a": [0.5], "b": [2.0], "c": [2.0]}
    found = statistics.share_difference((first, wholes), (second, wholes))
    pairs = statistics.over_scenes({"a": [0.125], "b": [0.25], "c": [0.0]})
    assert found == pytest.approx(pairs)


def test_an_interval_that_ends_at_the_bound_says_nothing():
    for low, high in ((0.0, 1.0), (-1.0, 0.0)):
        assert statistics.verdict({"low": low, "high": high, "mean": 0.5}, 0.0) == "undecided"


def test_means_are_written_with_their_interval():
    found = {"mean": 1.234, "low": 1.0, "high": 1.5, "scenes": 9}
    assert statistics.written(found, "dB") == "1.23 [1.00, 1.50] dB"
    assert statistics.written(found, "+dB", 1) == "+1.2 [1.0, 1.5] dB"
    assert statistics.written({**found, "low": None}) == "1.23"
    assert statistics.written({"mean": None}, "dB") == "-"


def test_networks_are_compared_with_their_mean_region_by_region():
    one, other = {"a": [1.0, 5.0], "b": [2.0]}, {"a": [3.0, 5.0], "b": [8.0]}
    found = statistics.from_their_mean((one, other))
    assert found == [{"a": [-1, 0], "b": [-3]}, {"a": [1, 0], "b": [3]}]


def test_scenes_with_other_regions_make_no_pairs():
    with pytest.raises(ValueError, match="shorter"):
        statistics.between({"a": [1.0, 2.0]}, {"a": [1.0]})


# Measures


def test_distances_are_to_the_nearest_pixel_of_the_region():
    """Blocks of 2 x 2 output pixels for each of the input; a region of 4 rows and 2 columns."""
    found = SimpleNamespace(block=2, scale=2, roi=cem.ROI(4, 8, 4, 2), effect=np.zeros((4, 5)))
    dy = np.array([2.0, 0, 2, 6])
    dx = np.array([6.0, 2, 0, 4, 8])
    np.testing.assert_allclose(measures.distance(found), np.hypot(dy[:, None], dx))


def test_shares_of_blocks_are_in_percent(drawn):
    found = with_halves(drawn, {(0, 1): (1.0, 1.0), (0, 2): (1.0, 1.0), (7, 7): (-1.0, -1.0)})
    numbers, blocks = measures.measure(found), (~drawn.inside_roi).sum()
    assert blocks == 63
    names = ("positive", "negative", "involved", "low", "high")
    shares = [100 * 2 / 63, 100 / 63, 100 * 3 / 63, -1, 1]
    assert [numbers[name] for name in names] == pytest.approx(shares)


def test_a_map_without_effects_has_no_reach_and_no_reliability(drawn):
    for effects in ({}, {(0, 1): (0.0, 1.0)}, {(0, 1): (1.0, 0.0)}):
        numbers = measures.measure(with_halves(drawn, effects))
        assert (numbers["reach"], numbers["reliability"], numbers["strength"]) == (None, None, 0)


def test_halves_that_contradict_each_other_have_no_strength(drawn):
    numbers = measures.measure(with_halves(drawn, {(0, 1): (1.0, -0.5)}))
    assert (numbers["reach"], numbers["strength"]) == (None, 0)


def test_reliability_is_that_of_a_map_twice_as_long_as_its_halves(drawn):
    """Spearman and Brown: 2 r / (1 + r)."""
    found = with_halves(drawn, {(0, 1): (1.0, 1.0), (5, 6): (1.0, 0.0)})
    first, second = np.zeros(63), np.zeros(63)
    first[:2], second[0] = 1, 1
    r = np.corrcoef(first, second)[0, 1]
    assert measures.measure(found)["reliability"] == pytest.approx(2 * r / (1 + r), rel=1e-4)


def test_halves_are_zero_where_nothing_reaches_and_unknown_inside_the_region(drawn):
    first, second = measures.halves(drawn)
    away = (drawn.samples == 0) & ~drawn.inside_roi
    assert away.any() and (first[away] == 0).all() and (second[away] == 0).all()
    full = with_halves(drawn, {})
    for half in measures.halves(full):
        np.testing.assert_array_equal(np.isnan(half), drawn.inside_roi)


# Masking


def test_the_shares_of_a_curve_rise_from_nothing_to_all():
    assert masking.SHARES[0] == 0 and masking.SHARES[-1] == 1
    assert (np.diff(masking.SHARES) > 0).all()


def test_every_block_is_replaced_by_a_patch_where_it_lies():
    """Also those that the image cuts off; do() adds its corner to the patch."""
    clean = np.zeros((20, 28, 3), np.float32)

    def do(patch, y, x, key):
        return patch + jnp.asarray([[[0, 1, 100]]], jnp.float32) * (y + 28 * x).astype(jnp.float32)

    scene = cem.Scene.custom(clean, clean, do)
    pool = cem.PatchPool(np.full((1, 8, 8, 3), 51, np.uint8))
    image = masking.replacement(scene, 8, pool, jax.random.key(0))
    assert image.shape == (20, 28, 3)
    y, x = np.indices((20, 28)) // 8 * 8
    corner = (y + 28 * x)[..., None] * np.array([0, 1, 100])
    np.testing.assert_allclose(image, 0.2 + corner, rtol=1e-6)


def test_a_map_without_harm_has_nothing_to_mask(scene, drawn):
    nothing = {"blocks": 0, "gain": 0.0, "harmful_again": None, "single_gain": None}
    for tolerance in (0.0, 0.01):
        found = with_halves(drawn, {(0, 1): (0.5, 0.5)}, tolerance=tolerance)
        assert masking.masked(NETWORK, scene, found, draws=1) == nothing


def test_a_second_half_without_an_effect_does_not_harm_again(scene, drawn, monkeypatch):
    monkeypatch.setattr(masking, "region_psnr", lambda *args: np.array([21.0, 24.0]))
    found = with_halves(drawn, {(0, 1): (-0.5, 0.0), (5, 6): (-0.5, -0.5)})
    told = masking.masked(NETWORK, scene, found, draws=2)
    assert told == {"blocks": 2, "gain": 2.5, "harmful_again": 50, "single_gain": 0.25}


def test_the_nearest_blocks_come_first(scene, drawn, monkeypatch):
    """Of each image that is scored: how many blocks were replaced, and how far away the last is."""
    far = measures.distance(drawn)

    def farthest(network, scene, roi, inputs):
        changed = np.stack([(one != scene.degraded).any(axis=2) for one in inputs])
        blocks = changed.reshape(-1, 8, 8, 8, 8).any(axis=(2, 4))
        return np.where(blocks, far, 0).max(axis=(1, 2))

    monkeypatch.setattr(masking, "region_psnr", farthest)
    lines = masking.curves(NETWORK, scene, drawn, draws=1)["deletion"]["nearness"]
    nearest = np.sort(far[~drawn.inside_roi])
    expected = [nearest[round(share * 63) - 1] if share else 0 for share in masking.SHARES]
    assert lines == pytest.approx(expected)
