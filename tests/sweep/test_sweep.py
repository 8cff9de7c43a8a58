"""The sweep's two ways give one result; several outcomes come from one sweep; programs are kept."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import curved, unchanged

import cem_jax as cem
from cem_jax.scene import scene
from cem_jax.sweep import local as cones
from cem_jax.sweep import programs

ROI = cem.ROI(24, 32, 16, 16)


def opaque(network: cem.Network) -> cem.Network:
    """The same function behind an operation that hides its locality."""

    def hidden(params, x):
        return network.apply(params, x + 0.0 * jnp.mean(x, (1, 2), keepdims=True))

    return cem.wrap(hidden, scale=network.scale, params=network.params, name="hidden")


def sweep(network, scene, roi=ROI, **more):
    options = {"plan": cem.Fixed(2), "progress": False} | more
    return cem.causal_effect_map(network, scene, roi, **options)


@pytest.mark.parametrize("name", ["EDSR-compact", "DnCNN-compact"])
def test_cones_and_dense_images_give_the_same_outcomes(clean, name):
    network = cem.load(name)
    if network.scale > 1:
        image, roi = np.tile(clean, (2, 2, 1)), cem.ROI(0, 72, 16, 16)
        scene = cem.Scene.super_resolution(image, network.scale)
    else:
        image, roi = clean[:56], ROI
        scene = cem.Scene.denoising(image)
    one, two = sweep(network, scene, roi), sweep(opaque(network), scene, roi)
    assert one.provenance["computed"].startswith("cone")
    assert two.provenance["computed"].startswith("dense")
    both = np.isfinite(one.values)
    assert both.any() and not (both & np.isnan(two.values)).any()
    np.testing.assert_allclose(one.values[both], two.values[both], atol=1e-4)
    # Blocks that the cone leaves out have no effect in the dense computation either.
    rest = two.values[~both & ~one.inside_roi[:, :, None]]
    np.testing.assert_allclose(rest[np.isfinite(rest)], one.baseline, atol=1e-4)


def test_several_outcomes_come_from_one_sweep(tmp_path, clean, local):
    scene = cem.Scene.denoising(clean)
    plan = cem.CoarseToFine(2, 4)
    maps = cem.causal_effect_maps(
        local, scene, ROI, (cem.psnr, cem.negative_mse, cem.ssim), plan=plan, progress=False,
        directory=tmp_path,
    )  # fmt: skip
    assert list(maps) == ["psnr", "negative_mse", "ssim"]
    alone = sweep(local, scene, plan=plan)
    np.testing.assert_allclose(maps["psnr"].values, alone.values, atol=2e-5)
    for name in ("negative_mse", "ssim"):
        assert (np.isfinite(maps[name].values) == np.isfinite(alone.values)).all()
    # Both are functions of the same squared error.
    drawn = np.isfinite(alone.values)
    error = -maps["negative_mse"].values[drawn]
    np.testing.assert_allclose(-10 * np.log10(error), alone.values[drawn], atol=1e-3)
    again = cem.causal_effect_maps(
        local, scene, ROI, (cem.psnr, cem.negative_mse, cem.ssim), plan=plan, progress=False,
        directory=tmp_path,
    )  # fmt: skip
    for name, found in maps.items():
        np.testing.assert_array_equal(again[name].values, found.values)


@pytest.mark.parametrize("outcomes", [(), (cem.psnr, cem.psnr)])
def test_outcomes_have_different_names(clean, local, outcomes):
    with pytest.raises(ValueError, match="outcomes="):
        cem.causal_effect_maps(local, cem.Scene.denoising(clean), ROI, outcomes, progress=False)


def test_an_outcome_is_one_number(clean, local):
    with pytest.raises(ValueError, match="expected a scalar"):
        sweep(local, cem.Scene.denoising(clean), outcome=lambda a, b: a - b)


def test_an_output_that_is_not_finite_ends_the_sweep(tmp_path, clean):
    # A negative number under the root where a block is darker than the image is anywhere.
    network = cem.wrap(lambda x: jnp.sqrt(curved(x) - 0.115))
    scene = cem.Scene.custom(np.maximum(clean, 60), np.maximum(clean, 60), unchanged)
    with pytest.raises(ValueError, match="not finite"):
        sweep(network, scene, plan=cem.Fixed(40), directory=tmp_path)


def test_programs_serve_other_images_and_regions_of_one_size(clean, monkeypatch):
    network = cem.load("DnCNN-compact")
    count = []
    real = cones.compiled

    def counted(*args, **named):
        before = programs._compile.cache_info().misses
        found = real(*args, **named)
        count.append(programs._compile.cache_info().misses - before)
        return found

    monkeypatch.setattr(cones, "compiled", counted)
    image = np.tile(clean, (2, 2, 1))
    sweep(network, cem.Scene.denoising(image), cem.ROI(48, 48, 8, 24))
    assert sum(count) > 0
    count.clear()
    sweep(network, cem.Scene.denoising(image[::-1]), cem.ROI(56, 72, 8, 24))
    assert count and sum(count) == 0


def test_devices_can_be_chosen(clean, local):
    scene = cem.Scene.denoising(clean)
    one = sweep(local, scene, devices=jax.local_devices()[:1])
    assert one.provenance["devices"].startswith("1 ")
    np.testing.assert_allclose(one.values, sweep(local, scene).values, atol=1e-5)


def test_a_map_keeps_what_stands_behind_its_effects(tmp_path, clean, pool, local):
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = sweep(local, scene, pool=pool, plan=cem.Fixed(5), directory=tmp_path / "a")
    kept = found.extremes
    assert kept is not None
    values = found.values.reshape(-1, 5)
    strong = np.abs(np.nan_to_num(found.effect)).reshape(-1) >= found.tolerance
    np.testing.assert_array_equal(np.sort(kept.cells), np.flatnonzero(strong))
    truth = jnp.asarray(kept.clean / np.float32(255))
    for cell, draws, patches, regions in zip(
        kept.cells, kept.draws, kept.patches, kept.regions, strict=True
    ):
        assert values[cell, draws[0]] == values[cell].min()
        assert values[cell, draws[1]] == values[cell].max()
        row, column = divmod(int(cell), found.effect.shape[1])
        for draw, patch, region in zip(draws, patches, regions, strict=True):
            (given,) = cem.outcomes(local, scene, ROI, [[row, column]], patch[None])
            np.testing.assert_allclose(given, values[cell, draw], atol=1e-4)
            shown = float(cem.psnr(jnp.asarray(region / np.float32(255)), truth))
            np.testing.assert_allclose(shown, values[cell, draw], atol=0.1)  # 8 bits
    loaded = cem.EffectMap.load(tmp_path / "a" / "map.npz")
    np.testing.assert_array_equal(loaded.extremes.regions, kept.regions)


def test_one_do_is_never_taken_for_another():
    """jit tells programs apart by the structure of their arguments."""
    every = (scene.Shrink(4), scene.ShrinkAndEnlarge(4), scene.FreshNoise(4), scene.Custom(len))
    for one, other in itertools.combinations(map(jax.tree.structure, every), 2):
        assert one != other
    assert jax.tree.structure(scene.Shrink(4)) == jax.tree.structure(scene.Shrink(4))
