"""Effective receptive fields of networks that can be written down."""

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur

import cem_jax as cem


def test_the_field_of_a_blur_is_its_kernel():
    images = [np.full((15, 17, 3), 0.5), np.full((15, 17, 3), 0.2)]
    found = cem.effective_receptive_field(cem.wrap(blur), images)
    assert found.pixel == (7, 8) and found.images == 2
    wanted = np.zeros((15, 17))
    wanted[6:9, 7:10] = 1 / 9
    np.testing.assert_allclose(found.field, wanted, atol=1e-6)
    assert found.radius(1 / 9 - 1e-6) == 0 and found.radius(0.5) == found.radius(1.0) == 1
    assert found.area_ratio(0.99) == pytest.approx(9 / (15 * 17))


def test_a_mean_sees_everything_and_a_scale_is_summed():
    whole = cem.wrap(lambda x: 0 * x + x.mean((1, 2), keepdims=True))
    found = cem.effective_receptive_field(whole, [np.full((8, 8, 3), 0.5)], pixel=(0, 7))
    np.testing.assert_allclose(found.field, 1 / 64, atol=1e-6)
    assert found.radius(1.0) == 7
    twice = cem.wrap(lambda x: jnp.repeat(jnp.repeat(blur(x), 2, 1), 2, 2), scale=2)
    field = cem.effective_receptive_field(twice, [np.full((8, 8, 3), 0.5)]).field
    assert field[3:6, 3:6].sum() == pytest.approx(1)


def test_images_and_pixels_that_do_not_fit_are_told():
    network = cem.wrap(blur)
    with pytest.raises(ValueError, match="images have the shapes"):
        cem.effective_receptive_field(network, [np.zeros((8, 8, 3)), np.zeros((8, 9, 3))])
    with pytest.raises(ValueError, match="pixel="):
        cem.effective_receptive_field(network, [np.zeros((8, 8, 3))], pixel=(8, 0))
    with pytest.raises(ValueError, match="is 0 or not finite"):
        cem.effective_receptive_field(cem.wrap(lambda x: 0 * x), [np.zeros((8, 8, 3))])
    field = cem.effective_receptive_field(network, [np.zeros((8, 8, 3))])
    with pytest.raises(ValueError, match="share="):
        field.radius(0.0)


def test_radii_stand_beside_each_other():
    scene = cem.Scene.denoising(cem.example_image("facade")[:48, :48])
    network = cem.wrap(lambda x: blur(blur(x)))
    roi = cem.ROI(16, 16, 16, 16)
    effects = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(3), progress=False)
    row = cem.reach_row(network, scene, effects)
    assert (row["analytic"], row["global"]) == (2, 0)
    assert row["gradient_50"] == 1 and row["gradient_95"] == 2
    assert row["causal_50"] == row["causal_95"] == 8  # the blocks around the region
    mixed = cem.wrap(lambda x: (x + x.mean((1, 2), keepdims=True)) / 2)
    assert cem.reach_row(mixed, scene)["global"] == 1
