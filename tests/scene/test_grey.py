"""Grey scenes from file to map, report and picture."""

import dataclasses

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from conftest import curved

import cem_jax as cem

matplotlib.use("Agg")

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def grey(clean) -> np.ndarray:
    return cem.to_grey(clean)


SCENES = {
    "DN": cem.Scene.denoising,
    "DR": cem.Scene.deraining,
    "SR": cem.Scene.super_resolution,
    "preupsampled": cem.Scene.preupsampled,
}


@pytest.mark.parametrize("task", SCENES)
def test_a_grey_scene_is_one_channel_of_the_scene_with_three_equal_ones(task, grey):
    one = SCENES[task](grey[..., 0])
    three = SCENES[task](np.repeat(grey, 3, axis=2))
    assert one.clean.shape[2] == one.degraded.shape[2] == 1
    np.testing.assert_array_equal(one.clean[..., 0], three.clean[..., 1])
    if task != "DN":  # whose noise differs from channel to channel
        np.testing.assert_array_equal(one.degraded[..., 0], three.degraded[..., 1])
    else:
        noise = one.degraded - np.clip(one.clean, 0.2, 0.8)
        assert 0.1 < noise.std() < 0.25


@pytest.mark.parametrize("task", SCENES)
def test_a_grey_map_is_that_of_three_equal_channels(task, grey, pool, local):
    """But for the noise, which is drawn for each channel."""
    network = local
    if task == "SR":
        network = cem.wrap(lambda x: curved(x.repeat(4, 1).repeat(4, 2)), scale=4)
    shades = cem.PatchPool(np.repeat(pool.grey().patches, 3, axis=3))
    run = {"pool": pool, "plan": cem.Fixed(3), "progress": False}
    found = cem.causal_effect_map(network, SCENES[task](grey), ROI, **run)
    assert found.degraded.shape[2] == 1
    assert (np.abs(found.effect[~found.inside_roi]) > 0).any()
    if task != "DN":
        colour = SCENES[task](np.repeat(grey, 3, axis=2))
        expected = cem.causal_effect_map(network, colour, ROI, **run | {"pool": shades})
        np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
        assert cem.input_psnr(SCENES[task](grey), found) == pytest.approx(
            cem.input_psnr(colour, expected), abs=1e-4
        )


def test_grey_maps_are_saved_drawn_and_reported(grey, pool, local, tmp_path):
    scene = cem.Scene.denoising(grey)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(3), progress=False)
    found.save(tmp_path / "map.npz")
    again = cem.EffectMap.load(tmp_path / "map.npz")
    np.testing.assert_array_equal(again.degraded, found.degraded)
    assert again.extremes is not None and again.extremes.patches.shape[-1] == 1
    shown = cem.plot_input(again).get_images()[0].get_array()
    np.testing.assert_array_equal(shown, np.repeat(found.degraded, 3, axis=2))
    cem.plot_teaser([again]).savefig(tmp_path / "map.png")
    cem.report([again], tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    for method in (cem.gradient_map, cem.occlusion_map):
        attribution = method(local, scene, ROI)
        assert attribution.degraded.shape[2] == 1
        cem.plot_attribution(attribution)
    matplotlib.pyplot.close("all")


def test_the_luma_of_a_grey_image_is_the_image():
    random = np.random.default_rng(0)
    restored, target = random.random((2, 12, 12, 1)).astype(np.float32)
    assert float(cem.psnr_y(restored, target)) == float(cem.psnr(restored, target))
    three = [jnp.repeat(image, 3, axis=2) for image in (restored, target)]
    assert float(cem.psnr_y(*three)) > float(cem.psnr(*three))  # from 16 to 235


def test_the_pool_becomes_grey_with_the_scene(pool):
    shades = pool.grey()
    assert shades.channels == 1 and shades.grey() is shades
    np.testing.assert_array_equal(shades.patches[5], cem.to_grey(pool.patches[5]))
    assert shades.name == "every 50th in grey"


def test_channels_that_do_not_fit_are_refused_with_the_remedy(clean, grey, pool, local):
    network = dataclasses.replace(local, channels=1)
    with pytest.raises(ValueError, match=r"takes images of 1 channels.*has 3.*to_grey"):
        cem.causal_effect_map(network, cem.Scene.denoising(clean), ROI, pool=pool)
    cem.causal_effect_map(
        network, cem.Scene.denoising(grey), ROI, pool=pool, plan=cem.Fixed(1), progress=False
    )
    with pytest.raises(ValueError, match="pool: its patches are grey"):
        cem.causal_effect_map(local, cem.Scene.denoising(clean), ROI, pool=pool.grey())
