"""Pools of any size from the bundled photographs."""

import numpy as np
import pytest
from conftest import curved

import cem_jax as cem
from cem_jax.pool import pool as pool_module
from cem_jax.pool.pool import sharpness


def test_other_sizes_are_cut_from_the_bundled_photographs_the_same_way_each_time():
    one = cem.PatchPool.default(9)
    assert one.patches.shape == (10_000, 9, 9, 3)
    pool_module._cut_anew.cache_clear()
    assert cem.PatchPool.default(9).digest == one.digest
    images = [cem.example_image(name) for name in cem.example_names()]
    random = np.random.default_rng(0)
    for which in random.integers(len(one), size=5):  # every patch is somewhere in a photograph
        patch = one.patches[which]
        windows = (np.lib.stride_tricks.sliding_window_view(i, (9, 9), (0, 1)) for i in images)
        where = [np.all(w[..., 4, 4] == patch[4, 4], -1) & np.all(w[..., 0, 8] == patch[0, 8], -1)
                 for w in windows]  # fmt: skip
        assert any(
            (np.moveaxis(image[y : y + 9, x : x + 9], 2, 2) == patch).all()
            for image, found in zip(images, where, strict=True)
            for y, x in np.argwhere(found)
        )
    assert np.quantile(sharpness(one.patches), 0.9) > 4 * np.quantile(sharpness(one.patches), 0.1)


def test_large_patches_are_fewer_and_too_large_ones_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(pool_module, "_BYTES", 2**20)
    assert len(cem.PatchPool.default(64)) == 2**20 // (3 * 64**2)
    with pytest.raises(ValueError, match=r"size=257.*from_images\(folder, size=257\)"):
        cem.PatchPool.default(257)
    pool_module._cut_anew.cache_clear()


def test_drawing_in_parts_gives_the_same_pool(monkeypatch):
    images = [cem.example_image("pagoda"), cem.example_image("dog")[:40, :60]]
    whole = cem.PatchPool.from_images(images, 6, 50, seed=3)
    monkeypatch.setattr(pool_module, "_TOGETHER", 1000)
    assert cem.PatchPool.from_images(images, 6, 50, seed=3).digest == whole.digest


def test_a_map_of_any_block_needs_no_pool(clean):
    scene = cem.Scene.super_resolution(clean, 3)
    network = cem.wrap(lambda x: curved(x.repeat(3, 1).repeat(3, 2)), scale=3)
    found = cem.causal_effect_map(
        network, scene, cem.ROI(24, 30, 18, 18), block=9, plan=cem.Fixed(2), progress=False
    )
    assert found.block == 3 and found.provenance["pool"].startswith("bundled-9 ")


def test_an_error_names_the_remedy(clean, pool, local):
    with pytest.raises(ValueError, match=r"block=4.*PatchPool\.default\(4\)"):
        cem.causal_effect_map(
            local, cem.Scene.denoising(clean), cem.ROI(24, 32, 16, 16), pool=pool, block=4
        )


def test_photographs_in_colour_and_in_grey_make_no_pool():
    colour = cem.example_image("pagoda")
    with pytest.raises(ValueError, match=r"images\[1\]"):
        cem.PatchPool.from_images([colour, cem.to_grey(colour)], count=10)
    grey = cem.PatchPool.from_images([cem.to_grey(colour)], count=10)
    assert grey.patches.shape == (10, 8, 8, 1)
