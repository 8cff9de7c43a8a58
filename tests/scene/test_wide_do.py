"""Maps of scenes whose do() changes more than the block, by cones and by whole images."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import curved
from PIL import Image

import cem_jax as cem
from cem_jax.scene.degrade.sequence import degrade

ROI = cem.ROI(24, 32, 16, 16)


def spread(x: jax.Array) -> jax.Array:
    """A network that attends to the whole image."""
    return curved(curved(x * (0.5 + jnp.mean(x, (1, 2), keepdims=True))))


NETWORKS = {
    "cone": (cem.wrap(curved, name="cone"), "cone"),
    "declared": (cem.wrap(curved, name="declared", receptive_radius=2), "cone"),
    "dense": (cem.wrap(spread, name="dense"), "dense"),
}
STEPS = {
    "jpeg": [cem.Jpeg(10)],
    "blur and jpeg": [cem.Blur.gaussian(1.5), cem.Jpeg(30, "4:4:4")],
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("steps", STEPS)
def test_a_map_is_that_of_whole_images_degraded_again(name, steps, pool):
    network, way = NETWORKS[name]
    clean, roi = cem.example_image("facade")[:92, :108], cem.ROI(24, 32, 40, 48)
    one = cem.PatchPool(pool.patches[11:12], "one")
    steps = STEPS[steps]
    scene = cem.Scene.degraded_by(clean, steps)
    found = cem.causal_effect_map(network, scene, roi, pool=one, plan=cem.Fixed(1), progress=False)
    assert found.provenance["computed"].startswith(way)
    levels = np.round(255 * scene.clean).astype(np.uint8)
    box = slice(24, 64), slice(32, 80)
    moved = 0
    restore = jax.jit(lambda x: cem.psnr(network(x[None])[0][box], scene.clean[box]))
    again = jax.jit(lambda image: degrade(image, steps, scene.intervene.drawn) / 255)
    for row, column in np.ndindex(*found.effect.shape):
        changed = levels.copy()
        rows, columns = slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8)
        height, width = changed[rows, columns].shape[:2]
        changed[rows, columns] = one.patches[0][:height, :width]
        expected = found.baseline - float(restore(again(changed)))
        if found.inside_roi[row, column]:
            continue
        assert found.effect[row, column] == pytest.approx(expected, abs=2e-4), (row, column)
        moved += abs(expected) > 1e-3
    assert moved > 12  # more than the blocks beside the region


def test_the_blocks_own_patch_has_no_effect(clean, local):
    """A flat block in place of itself: every draw restores what was there."""
    flat = np.array(clean)
    flat[8:16, 24:40] = flat[40:48, 32:40] = (90, 120, 30)
    pool = cem.PatchPool(np.full((1, 8, 8, 3), (90, 120, 30), np.uint8))
    steps = [cem.Blur.motion(7, 20), cem.Rain.of_kind("small"), cem.Haze(slope=0.3), cem.Jpeg(20)]
    scene = cem.Scene.degraded_by(flat, steps)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(1), progress=False)
    assert np.abs(found.effect[[1, 1, 5], [3, 4, 4]]).max() < 1e-5
    assert np.abs(np.nan_to_num(found.effect)).max() > 0.01


def test_reduced_scenes_spread_over_their_neighbours(clean, pool):
    network = cem.wrap(lambda x: curved(x.repeat(4, 1).repeat(4, 2)), scale=4)
    exact = cem.Scene.degraded_by(clean, [cem.Reduce(4)], task="SR")
    paper = cem.Scene.super_resolution(clean, 4)
    np.testing.assert_array_equal(exact.degraded, paper.degraded)
    maps = [
        cem.causal_effect_map(network, scene, ROI, pool=pool, plan=cem.Fixed(3), progress=False)
        for scene in (exact, paper)
    ]
    reached = [(one.samples > 0).sum() for one in maps]
    assert reached[0] > reached[1]  # a block two blocks away changes the region's input
    assert maps[0].provenance["images"] != maps[1].provenance["images"]
    assert (maps[0].task, maps[0].provenance["scene"]["steps"]) == ("SR", ["Reduce(factor=4)"])


def codec(image: np.ndarray) -> np.ndarray:
    """What a user's own numpy code may be."""
    file = io.BytesIO()
    Image.fromarray(np.round(255 * image).astype(np.uint8)).save(file, "JPEG", quality=10)
    return np.asarray(Image.open(file))


def test_files_with_a_function_give_the_map_of_the_scene_in_memory(clean, pool, local, tmp_path):
    scene = cem.Scene.degraded_by(clean, [cem.Jpeg(10)])
    Image.fromarray(clean).save(tmp_path / "clean.png")
    Image.fromarray(clean).save(tmp_path / "degraded.jpg", quality=10)
    Image.fromarray(np.round(255 * scene.degraded).astype(np.uint8)).save(tmp_path / "degraded.png")
    run = {"pool": pool, "plan": cem.Fixed(3), "progress": False}
    expected = cem.causal_effect_map(local, scene, ROI, **run)
    for name in ("degraded.jpg", "degraded.png"):
        pair = cem.open_image(tmp_path / "clean.png"), cem.open_image(tmp_path / name)
        for reach in (10, None):
            given = cem.Scene.custom(*pair, cem.again(codec, reach=reach))
            assert given.facts == {"do": "again", "reach": reach, "on": "host"}
            found = cem.causal_effect_map(local, given, ROI, **run)
            drawn = expected.samples > 0
            np.testing.assert_allclose(found.values[drawn], expected.values[drawn], atol=0.02)
            assert np.abs(expected.effect[drawn & ~expected.inside_roi]).max() > 0.1


def test_a_function_of_jax_runs_on_the_device_and_keeps_what_it_does_not_explain(
    clean, pool, local
):
    def darker(image: jax.Array) -> jax.Array:
        return 0.6 * jnp.square(image)

    random = np.random.default_rng(0)
    degraded = np.clip(0.6 * np.square(clean / 255) + random.normal(0, 0.02, clean.shape), 0, 1)
    scene = cem.Scene.custom(clean, degraded, cem.again(darker, reach=0))
    assert scene.facts == {"do": "again", "reach": 0}
    own = jnp.asarray(scene.clean[8:16, 16:24])
    same = scene.intervene(own, jnp.int32(8), jnp.int32(16), jax.random.key(0))
    np.testing.assert_allclose(same, scene.degraded[8:16, 16:24], atol=1e-6)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(2), progress=False)
    assert np.nanmax(np.abs(found.effect)) > 0.01


def test_the_residual_falls_on_the_patch_again(clean, pool, local):
    rain = cem.Scene.deraining(clean, seed=2)
    pair = np.round(255 * rain.clean), np.round(255 * rain.degraded)
    scene = cem.Scene.custom(*(image.astype(np.uint8) for image in pair), cem.residual())
    run = {"pool": pool, "plan": cem.Fixed(3), "progress": False}
    found, expected = (cem.causal_effect_map(local, s, ROI, **run) for s in (scene, rain))
    drawn = expected.samples > 0  # equal but for streaks that white hides
    assert np.abs(found.values - expected.values)[drawn].mean() < 0.05
    own = jnp.asarray(scene.clean[16:24, 40:48])
    again = scene.intervene(own, jnp.int32(16), jnp.int32(40), jax.random.key(0))
    np.testing.assert_allclose(again, scene.degraded[16:24, 40:48], atol=1e-6)


def test_patches_of_degraded_photographs_are_pasted_as_they_are(clean, local):
    degraded = cem.Jpeg(10)(clean)
    pool = cem.PatchPool.from_images([degraded], count=200)
    scene = cem.Scene.custom(clean, degraded, cem.from_degraded_pool())
    one = cem.PatchPool(pool.patches[:1])
    found = cem.causal_effect_map(local, scene, ROI, pool=one, plan=cem.Fixed(1), progress=False)
    cells = np.argwhere(found.samples > 0)
    expected = cem.outcomes(local, scene, ROI, cells, np.repeat(one.patches, len(cells), 0))
    np.testing.assert_allclose(found.values[*cells.T, 0], expected, atol=1e-5)
    small = cem.Scene.custom(clean, clean[::4, ::4], cem.from_degraded_pool())
    patch = jnp.asarray(one.patches[0] / 255, jnp.float32)
    written = small.intervene(patch, jnp.int32(0), jnp.int32(0), jax.random.key(0))
    np.testing.assert_array_equal(written, patch[:2, :2])


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_a_do_is_refused_when_the_scene_is_made(clean):
    random = np.random.default_rng(0)
    for wrong, message in (
        (lambda patch: patch, r"it takes \(patch\); expected a function of \(patch, y, x, key\)"),
        (lambda a, b, c, d, e: a, r"\(a, b, c, d, e\)"),
        (3, "intervene=3"),
        (cem.again(lambda image: image[:8]), r"function: it made \(8, 88, 3\).*\(72, 88, 3\)"),
        (cem.again(lambda image: image + random.normal(0, 0.1, image.shape)), "another result"),
        (cem.again(lambda image: np.asarray(image) * np.nan), "NaN"),
        (cem.again(lambda image: jnp.roll(image, 30, 0), reach=8), "30 pixels from it"),
    ):
        with pytest.raises(ValueError, match=message):
            cem.Scene.custom(clean, clean, wrong)
    with pytest.raises(ValueError, match="channels"):
        cem.Scene.custom(clean, cem.to_grey(clean))
    with pytest.raises(ValueError, match="function=3"):
        cem.again(3)
