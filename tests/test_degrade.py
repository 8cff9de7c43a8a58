"""Degradations that others can repeat."""

import jax
import numpy as np
import pytest
from PIL import Image

import cem_jax as cem
from cem_jax.degrade.bicubic import downsample
from cem_jax.degrade.noise import add_noise
from cem_jax.degrade.rain import Rain, add_rain, draw_rain


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(48, 72), (24, 24)])
def test_bicubic_reduction_equals_pillow(scale, size):
    image = np.random.default_rng(scale).integers(0, 256, (*size, 3)).astype(np.uint8)
    ours = np.asarray(downsample(image, scale))
    small = (size[1] // scale, size[0] // scale)
    pillow = np.asarray(Image.fromarray(image).resize(small, Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(ours, pillow)


def test_a_scene_of_super_resolution_cuts_to_the_scale():
    clean = cem.example_image("pagoda")[:61, :46]
    scene = cem.Scene.super_resolution(clean, 4)
    assert scene.clean.shape == (60, 44, 3)
    assert scene.degraded.shape == (15, 11, 3)


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
