"""Statements about the method, each of which the code could fail."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, curved, unchanged

import cem_jax as cem

ROI = cem.ROI(24, 32, 16, 16)


def mean_outcome(restored: jax.Array, target: jax.Array) -> jax.Array:
    """Linear in the restored region."""
    return jnp.mean(restored)


def test_a_block_outside_the_receptive_field_has_exactly_zero_effect(clean, pool, local):
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(3), progress=False)
    far = np.ones(found.effect.shape, bool)
    far[2:6, 3:7] = False  # the region's 2 x 2 blocks and the ring around them
    assert (found.effect[far] == 0).all()
    assert (found.samples[far] == 0).all()
    assert (found.samples[~far & ~found.inside_roi] == 3).all()
    assert (found.effect[~far & ~found.inside_roi] != 0).all()


def test_evaluating_such_a_block_gives_the_baseline_too(clean, pool):
    # Nothing in this function tells that it is local, so every block is evaluated.
    everywhere = cem.wrap(lambda x: curved(x) + 0.0 * jnp.mean(x, (1, 2), keepdims=True))
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = cem.causal_effect_map(
        everywhere, scene, ROI, pool=pool, plan=cem.Fixed(2), progress=False
    )
    assert (found.samples[~found.inside_roi] == 2).all()
    far = np.ones(found.effect.shape, bool)
    far[2:6, 3:7] = False
    assert np.abs(found.effect[far]).max() < 1e-5


def test_locality_is_found_where_no_radius_is_told(clean, pool, local):
    scene = cem.Scene.custom(clean, clean, unchanged)
    told, found = (
        cem.causal_effect_map(network, scene, ROI, pool=pool, plan=cem.Fixed(2), progress=False)
        for network in (local, cem.wrap(curved))
    )
    np.testing.assert_array_equal(found.samples, told.samples)
    np.testing.assert_allclose(found.values, told.values, atol=2e-5)


def test_replacing_a_block_by_itself_has_zero_effect(clean, local):
    degraded = clean.astype(np.float32) / 255
    scene = cem.Scene.custom(clean, clean)
    blocks = np.argwhere(np.ones((9, 11), bool))
    patches = np.stack([degraded[8 * i : 8 * i + 8, 8 * j : 8 * j + 8] for i, j in blocks])
    values = cem.outcomes(local, scene, ROI, blocks, patches)
    reference = cem.psnr(
        local(degraded[None])[0, 24:40, 32:48], jnp.asarray(degraded[24:40, 32:48])
    )
    np.testing.assert_allclose(values, float(reference), atol=2e-5)


def test_for_a_linear_network_the_estimate_meets_the_known_effect(clean, pool):
    network = cem.wrap(blur, receptive_radius=1)
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = cem.causal_effect_map(
        network, scene, ROI, pool=pool, plan=cem.Fixed(64), outcome=mean_outcome, progress=False
    )
    # Each pixel enters the region's mean with a weight that blurring the region's indicator gives.
    indicator = np.zeros((1, *clean.shape), np.float32)
    indicator[0, 24:40, 32:48] = 1
    weight = np.asarray(blur(jnp.asarray(indicator)))[0] / (16 * 16 * 3)
    image, mean_patch = clean / 255, pool.patches.mean(axis=0) / 255
    known = np.zeros(found.effect.shape)
    for i, j in np.ndindex(known.shape):
        rows, columns = slice(8 * i, 8 * i + 8), slice(8 * j, 8 * j + 8)
        known[i, j] = (weight[rows, columns] * (image[rows, columns] - mean_patch)).sum()
    drawn = found.samples > 0
    error = (found.effect - known)[drawn] / found.standard_error[drawn]
    assert drawn.sum() == 12
    assert np.abs(error).max() < 4
    assert 0.4 < np.sqrt(np.mean(error**2)) < 1.8
    assert np.abs(known[~drawn & ~found.inside_roi]).max() < 1e-9


@pytest.mark.parametrize("draws", [10, 40])
def test_the_standard_error_covers_at_its_nominal_rate(draws):
    from cem_jax.plans.drawing import RandomDraws

    random = np.random.default_rng(draws)
    values = 30 - random.gamma(2.0, 0.5, (20_000, draws))  # skewed, as drops of PSNR are
    found = RandomDraws().means(30.0 - values, np.ones(values.shape, bool))
    covered = np.abs(found.effect - 1.0) < 1.96 * found.standard_error
    assert 0.88 < covered.mean() < 0.955


def test_the_standard_error_falls_with_the_root_of_the_number_of_draws():
    from cem_jax.plans.drawing import RandomDraws

    values = np.random.default_rng(0).normal(25, 0.2, (4000, 64))
    every = np.ones(values.shape, bool)
    few = np.broadcast_to(np.arange(64) < 16, values.shape)
    ratio = (
        RandomDraws().means(25.0 - values, few).standard_error.mean()
        / RandomDraws().means(25.0 - values, every).standard_error.mean()
    )
    assert ratio == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("chunk", [1, 6, 500])
def test_the_result_is_the_same_for_every_chunk_size(clean, pool, local, chunk):
    scene = cem.Scene.denoising(clean)
    plan = cem.CoarseToFine(2, 5)
    one, other = (
        cem.causal_effect_map(local, scene, ROI, pool=pool, plan=plan, progress=False, chunk=size)
        for size in (chunk, None)
    )
    np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_draws_depend_on_the_seed_and_not_on_the_plan(clean, pool, local):
    scene = cem.Scene.denoising(clean)

    def make(plan: cem.Plan, seed: int) -> np.ndarray:
        return cem.causal_effect_map(
            local, scene, ROI, pool=pool, plan=plan, seed=seed, progress=False
        ).values

    few, many, other = make(cem.Fixed(2), 0), make(cem.Fixed(5), 0), make(cem.Fixed(2), 1)
    np.testing.assert_allclose(few, many[:, :, :2], atol=1e-5)
    drawn = np.isfinite(few)
    assert np.abs(few - other)[drawn].min() > 0


@pytest.mark.parametrize("task", ["super_resolution", "denoising", "deraining"])
def test_do_before_the_degradation_differs_from_do_after_it(clean, pool, task):
    scene = getattr(cem.Scene, task)(clean)
    scale = scene.scale

    def enlarge(x: jax.Array) -> jax.Array:
        return curved(jnp.repeat(jnp.repeat(x, scale, 1), scale, 2))

    network = cem.wrap(enlarge, scale=scale, receptive_radius=3)
    after = dataclasses.replace(
        scene,
        intervene=cem.Scene.custom(clean, clean, lambda p, y, x, k: p[::scale, ::scale]).intervene,
    )
    first, second = (
        cem.causal_effect_map(network, one, ROI, pool=pool, plan=cem.Fixed(4), progress=False)
        for one in (scene, after)
    )
    drawn = first.samples > 0
    assert np.abs(first.effect - second.effect)[drawn].max() > 1e-3


def test_the_same_rain_falls_on_the_patch(clean):
    scene = cem.Scene.deraining(clean, seed=3)
    key = jax.random.key(0)
    own = jnp.asarray(scene.clean[16:24, 40:48])
    again = scene.intervene(own, jnp.int32(16), jnp.int32(40), key)
    np.testing.assert_allclose(again, scene.degraded[16:24, 40:48], atol=1e-7)


def test_noise_on_a_patch_is_fresh_and_has_the_images_sigma(clean):
    scene = cem.Scene.denoising(clean, sigma=20 / 255)
    patch = jnp.full((64, 64, 3), 128 / 255)
    one, two = (
        scene.intervene(patch, jnp.int32(0), jnp.int32(0), jax.random.key(k)) for k in (0, 1)
    )
    assert float(jnp.std(one)) == pytest.approx(20 / 255, rel=0.03)
    assert abs(np.corrcoef(np.ravel(one), np.ravel(two))[0, 1]) < 0.05


def test_coarse_to_fine_draws_more_only_where_a_coarse_draw_moved_the_outcome(clean, pool, local):
    scene = cem.Scene.denoising(clean)
    plan = cem.CoarseToFine(coarse=2, fine=6, tolerance=0.05)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=plan, progress=False)
    coarse, fine = found.values[..., :2], found.values[..., 2:]
    moved = (np.abs(coarse - found.baseline) >= 0.05).any(axis=2)
    drawn = np.isfinite(coarse).all(axis=2)
    assert (np.isfinite(fine).all(axis=2) == moved).all()
    assert moved.any() and (drawn & ~moved).any()
    np.testing.assert_allclose(found.effect[moved], found.baseline - fine[moved].mean(1), atol=1e-5)
    still = drawn & ~moved
    np.testing.assert_allclose(
        found.effect[still], found.baseline - coarse[still].mean(1), atol=1e-5
    )


def test_counts_and_range_leave_out_the_region(clean, pool, local):
    scene = cem.Scene.denoising(clean)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(4), progress=False)
    assert found.inside_roi.sum() == 4
    assert np.isnan(found.effect[found.inside_roi]).all()
    assert (found.samples[found.inside_roi] == 0).all()
    assert sum(found.counts) == found.effect.size - 4
    outside = found.effect[~found.inside_roi]
    assert found.counts.positive == (outside >= 0.01).sum()
    assert found.range == (outside.min(), outside.max())


def test_blocks_cut_off_at_the_border_are_written_as_far_as_they_reach(local):
    clean = cem.example_image("cabin")[:37, :45]
    scene = cem.Scene.custom(clean, clean)
    roi = cem.ROI(16, 16, 21, 29)
    patch = np.full((1, 8, 8, 3), 0.5, np.float32)
    value = cem.outcomes(local, scene, roi, np.array([[4, 5]]), patch)
    changed = scene.degraded.copy()
    changed[32:, 40:] = 0.5
    restored = local(changed[None])[0, 16:37, 16:45]
    assert value[0] == pytest.approx(
        float(cem.psnr(restored, jnp.asarray(scene.clean[16:, 16:]))), abs=1e-5
    )


def test_several_colours_stay_in_order(local):
    """A red patch on a grey image worsens the red channel of a red-less target."""
    clean = np.full((32, 32, 3), 128, np.uint8)
    scene = cem.Scene.custom(clean, clean)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 255

    def red_error(restored, target):
        return jnp.mean(jnp.abs(restored - target)[..., 0])

    def blue_error(restored, target):
        return jnp.mean(jnp.abs(restored - target)[..., 2])

    network, roi, block = cem.wrap(lambda x: x, receptive_radius=0), cem.ROI(8, 8, 8, 8), [[1, 1]]
    red_value = cem.outcomes(network, scene, roi, block, red, outcome=red_error)[0]
    blue_value = cem.outcomes(network, scene, roi, block, red, outcome=blue_error)[0]
    assert red_value == pytest.approx(127 / 255, abs=1e-6)
    assert blue_value == pytest.approx(128 / 255, abs=1e-6)
