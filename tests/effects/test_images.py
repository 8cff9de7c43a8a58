"""Whole images of a map: those of the network and the scene, and none where they do not belong."""

import numpy as np
import pytest

import cem_jax as cem

ROI = cem.ROI(32, 40, 16, 16)


def of(network: cem.Network, scene: cem.Scene) -> cem.EffectMap:
    return cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(2), progress=False)


def test_they_are_what_the_network_makes_and_what_is_true(local, clean, tmp_path):
    scene = cem.Scene.denoising(clean, 30 / 255)
    found = of(local, scene)
    assert found.images is None
    kept = cem.with_images(found, local, scene)
    restored = np.clip(np.asarray(local(scene.degraded[None]))[0], 0, 1)
    np.testing.assert_array_equal(kept.images.restored, np.round(restored * 255).astype(np.uint8))
    np.testing.assert_array_equal(kept.images.clean, clean)
    inside = slice(ROI.y, ROI.y + ROI.height), slice(ROI.x, ROI.x + ROI.width)
    far = np.abs(kept.images.restored[inside].astype(int) - kept.extremes.restored)
    assert far.max() <= 1  # computed by another program, and rounded
    assert cem.with_images(kept, local, scene) is kept
    kept.save(tmp_path / "map.npz")
    again = cem.EffectMap.load(tmp_path / "map.npz")
    np.testing.assert_array_equal(again.images.restored, kept.images.restored)


def test_a_scene_of_another_map_is_refused(local, clean):
    scene = cem.Scene.denoising(clean, 30 / 255)
    found = of(local, scene)
    with pytest.raises(ValueError, match="its input is not that of the map"):
        cem.with_images(found, local, cem.Scene.denoising(clean, 30 / 255, seed=1))
    with pytest.raises(ValueError, match="scale"):
        cem.with_images(found, local, cem.Scene.super_resolution(clean))


def test_another_network_is_refused(local, clean, pool):
    """Whatever its name: by parameters, and by what it makes of the region."""
    scene = cem.Scene.denoising(clean, 30 / 255)
    found = of(local, scene)
    darker = cem.wrap(lambda x: 0.97 * local.apply(None, x), name=local.name, receptive_radius=2)
    with pytest.raises(ValueError, match=r"network=curved: the map is of another one, 'curved': "):
        cem.with_images(found, darker, scene)

    def scaled(factor):
        params = np.float32(factor)
        return cem.wrap(lambda factor, x: factor * local.apply(None, x), params=params, name="net")

    def psnr(restored, target):  # a function of the user's own, of a known name
        return -((restored - target) ** 2).mean()

    for outcome in ("psnr", "ssim", "removal", "psnr_y-crop2", psnr, lambda a, b: (a * b).mean()):
        own = cem.causal_effect_map(
            scaled(1.0), scene, ROI, plan=cem.Fixed(1), outcome=outcome, pool=pool,
            rounded=outcome == "ssim", progress=False,
        )  # fmt: skip
        assert cem.with_images(own, scaled(1.0), scene).images is not None
        with pytest.raises(ValueError, match=r"network=net: the map is of another one, 'net': "):
            cem.with_images(own, scaled(0.97), scene)


def test_what_is_no_map_network_or_scene_is_named(local, clean):
    scene = cem.Scene.denoising(clean, 30 / 255)
    found = of(local, scene)
    for name in ("effect_map", "network", "scene"):
        for value in (None, "facade", 3):
            given = {"effect_map": found, "network": local, "scene": scene} | {name: value}
            with pytest.raises(ValueError, match=f"^{name}="):
                cem.with_images(**given)


def test_larger_images_than_a_megapixel_are_left_out(local, clean):
    large = np.tile(clean, (14, 12, 1))[:1000, :1050]
    scene = cem.Scene.denoising(large, 30 / 255)
    found = of(local, scene)
    assert cem.with_images(found, local, scene) is found
