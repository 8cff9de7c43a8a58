"""Degradations that others can repeat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import cem_jax as cem
from cem_jax.experiments.degradations import degrade
from cem_jax.scene.degrade.bicubic import downsample, upsample
from cem_jax.scene.degrade.noise import add_noise
from cem_jax.scene.degrade.rain import Rain, add_rain, draw_rain


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(48, 72), (24, 24)])
def test_bicubic_reduction_equals_pillow(scale, size):
    image = np.random.default_rng(scale).integers(0, 256, (*size, 3)).astype(np.uint8)
    ours = np.asarray(downsample(image, scale))
    np.testing.assert_array_equal(ours, reduced(image, scale))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(2, 2), (1, 3), (37, 20)])
def test_bicubic_enlargement_equals_pillow(scale, size):
    image = np.random.default_rng(scale).integers(0, 256, (*size, 3)).astype(np.uint8)
    np.testing.assert_array_equal(upsample(image, scale), enlarged(image, scale))


def enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    """By Pillow."""
    sides = (factor * image.shape[1], factor * image.shape[0])
    return np.asarray(Image.fromarray(image).resize(sides, Image.Resampling.BICUBIC))


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """By Pillow."""
    sides = (image.shape[1] // factor, image.shape[0] // factor)
    return np.asarray(Image.fromarray(image).resize(sides, Image.Resampling.BICUBIC))


def test_a_scene_of_super_resolution_cuts_to_the_scale():
    clean = cem.example_image("pagoda")[:61, :46]
    scene = cem.Scene.super_resolution(clean, 4)
    assert scene.clean.shape == (60, 44, 3)
    assert scene.degraded.shape == (15, 11, 3)


def test_a_preupsampled_scene_is_pillows_reduction_and_enlargement():
    clean = cem.example_image("pagoda")[:63, :46]
    for factor, (h, w) in ((4, (60, 44)), (3, (63, 45))):
        scene = cem.Scene.preupsampled(clean, factor)
        assert (scene.task, scene.scale, scene.facts["factor"]) == ("SR", 1, factor)
        np.testing.assert_array_equal(scene.clean, np.float32(clean[:h, :w]) / np.float32(255))
        expected = enlarged(reduced(clean[:h, :w], factor), factor)
        np.testing.assert_array_equal(scene.degraded, np.float32(expected) / np.float32(255))
        if factor == 4:  # what networks of several tasks are trained on
            np.testing.assert_array_equal(degrade(clean[:h, :w], "SR", 0, scale=1), expected)


def test_a_patch_is_shrunk_and_enlarged_on_its_own():
    scene = cem.Scene.preupsampled(cem.example_image("pagoda"))
    patches = cem.PatchPool.default().patches[::500]
    keys = jax.random.split(jax.random.key(0), len(patches))
    corners = 8 * jnp.arange(len(patches))
    do = jax.jit(jax.vmap(scene.intervene, (0, 0, None, 0)))
    found = do(np.float32(patches) / np.float32(255), corners, 3, keys)
    expected = np.stack([enlarged(reduced(patch, 4), 4) for patch in patches])
    np.testing.assert_allclose(found, expected / 255, atol=1e-7)  # a level is 4e-3


def test_a_map_of_a_preupsampled_scene_pastes_such_patches(clean, pool, local):
    scene = cem.Scene.preupsampled(clean)
    one = cem.PatchPool(pool.patches[7:8], "a single patch")
    roi = cem.ROI(22, 32, 18, 16)  # in full-size pixels: no multiples of the factor
    found = cem.causal_effect_map(local, scene, roi, pool=one, plan=cem.Fixed(1), progress=False)
    cells = np.argwhere(found.samples > 0)
    assert len(cells) > 5
    patch = enlarged(reduced(one.patches[0], 4), 4)
    expected = cem.outcomes(local, scene, roi, cells, np.stack([patch] * len(cells)))
    np.testing.assert_allclose(found.values[*cells.T, 0], expected, atol=1e-5)
    assert found.provenance["scene"]["factor"] == 4
    same = cem.wrap(lambda x: x, name="identity")
    found = cem.causal_effect_map(same, scene, roi, pool=one, plan=cem.Fixed(1), progress=False)
    np.testing.assert_allclose(found.effect[~found.inside_roi], 0, atol=1e-5)
    assert found.baseline == pytest.approx(cem.input_psnr(scene, found), abs=1e-4)


@pytest.mark.parametrize("factor", [0, 1, 2.5, 200])
def test_the_factor_is_a_whole_number_that_leaves_an_image(clean, factor):
    with pytest.raises(ValueError, match=f"factor={factor}"):
        cem.Scene.preupsampled(clean, factor)
    with pytest.raises(ValueError, match=f"scale={factor}"):
        cem.Scene.super_resolution(clean, factor)


def test_blocks_that_cannot_be_reduced_are_refused_before_any_work(clean, local, tmp_path):
    scene, six = cem.Scene.preupsampled(clean), cem.PatchPool(np.zeros((1, 6, 6, 3), np.uint8))
    with pytest.raises(ValueError, match=r"block=6: .*multiple of 4"):
        cem.causal_effect_map(
            local, scene, cem.ROI(24, 32, 16, 16), pool=six, block=6, directory=tmp_path / "new"
        )
    assert not (tmp_path / "new").exists()


def test_a_do_that_makes_another_size_is_refused_before_any_work(clean, local, pool, tmp_path):
    scene = cem.Scene.custom(clean, clean, lambda patch, y, x, key: patch[::2, ::2])
    with pytest.raises(ValueError, match=r"do\(\) made \(4, 4, 3\).*\(8, 8, 3\)"):
        cem.causal_effect_map(
            local, scene, cem.ROI(24, 32, 16, 16), pool=pool, directory=tmp_path / "new"
        )
    assert not (tmp_path / "new").exists()


def test_noise_is_repeatable_and_of_the_given_sigma():
    image = np.full((200, 200, 3), 128, np.uint8)
    one, two = add_noise(image, 25 / 255, 7), add_noise(image, 25 / 255, 7)
    np.testing.assert_array_equal(one, two)
    assert one.std() == pytest.approx(25, rel=0.02)
    assert (add_noise(image, 25 / 255, 8) != one).any()


def test_rain_is_drawn_from_its_seed_within_the_papers_ranges():
    for seed in range(20):
        rain, layer = draw_rain((64, 80), seed)
        assert 0.6 <= rain.beta <= 1.0 and 0.005 <= rain.amount <= 0.007
        assert rain.width in (3, 5, 7) and 35 <= rain.length <= 45 and -30 <= rain.angle <= 30
        assert layer.shape == (64, 80) and layer.dtype == np.uint8
    again, same = draw_rain((64, 80), 19)
    assert again == rain
    np.testing.assert_array_equal(same, layer)


def test_rain_parameters_are_those_of_the_papers_code_for_the_same_seed():
    rain, _ = draw_rain((256, 200), 0)
    assert rain == Rain(0.006430378732744839, 5, 38, 9, 0.8195254015709299)


def test_streaks_lie_along_their_angle():
    """The layer varies least along the streak."""
    for seed in range(4):
        rain, layer = draw_rain((160, 160), seed)
        values = layer.astype(float) - layer.mean()
        turn = np.deg2rad(rain.angle)
        change = []
        for lean in (turn, -turn - np.pi / 2):
            dy, dx = round(8 * np.cos(lean)), round(8 * np.sin(lean))
            change.append((values * np.roll(values, (dy, dx), (0, 1))).mean())
        assert change[0] > 2 * change[1]


def test_rain_is_added_and_clipped():
    image = np.full((4, 4, 3), 200)
    layer = np.array([[0, 100, 50, 10]] * 4)
    rainy = np.asarray(add_rain(image, layer, 0.8))
    np.testing.assert_array_equal(rainy[0, :, 0], [200, 255, 240, 208])


def test_scenes_return_the_rain_that_do_adds_again():
    clean = cem.example_image("cabin")
    rain, layer = draw_rain(clean.shape[:2], 5)
    given = cem.Scene.deraining(clean, rain=(rain, layer))
    drawn = cem.Scene.deraining(clean, seed=5)
    np.testing.assert_array_equal(given.degraded, drawn.degraded)
    np.testing.assert_array_equal(jax.tree.leaves(drawn.intervene)[0], layer)
