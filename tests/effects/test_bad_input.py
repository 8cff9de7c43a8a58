"""Bad input is refused before any work, with a message that names it."""

import dataclasses

import numpy as np
import pytest
from conftest import curved, unchanged
from PIL import Image

import cem_jax as cem
from cem_jax.scene.image import open_image

pytestmark = pytest.mark.usefixtures("unchecked")

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def scene(clean):
    return cem.Scene.custom(clean, clean, unchanged)


@pytest.mark.parametrize(
    ("roi", "message"),
    [
        (lambda: cem.ROI(-1, 0, 8, 8), r"roi.y=-1"),
        (lambda: cem.ROI(0, 0, 0, 8), r"roi.height=0"),
        (lambda: cem.ROI(0, 0, 8, 2.5), r"roi.width=2.5"),
    ],
)
def test_a_region_is_a_rectangle(roi, message):
    with pytest.raises(ValueError, match=message):
        roi()


def test_a_region_lies_in_the_image(local, scene, pool):
    with pytest.raises(ValueError, match=r"roi=.*72 x 88"):
        cem.causal_effect_map(local, scene, cem.ROI(64, 0, 16, 16), pool=pool)


def test_a_region_of_super_resolution_covers_whole_input_pixels(clean, pool):
    scene = cem.Scene.super_resolution(clean)
    network = cem.wrap(lambda x: x.repeat(4, 1).repeat(4, 2), scale=4)
    with pytest.raises(ValueError, match="multiples of 4"):
        cem.causal_effect_map(network, scene, cem.ROI(2, 0, 16, 16), pool=pool)


@pytest.mark.parametrize("block", [0, -8, 2.5, 100, "8"])
def test_a_block_is_a_positive_number_of_pixels(local, scene, pool, block):
    with pytest.raises(ValueError, match="block="):
        cem.causal_effect_map(local, scene, ROI, pool=pool, block=block)


def test_a_block_is_a_multiple_of_the_scale(clean, pool):
    scene = cem.Scene.super_resolution(clean)
    network = cem.wrap(lambda x: x.repeat(4, 1).repeat(4, 2), scale=4)
    with pytest.raises(ValueError, match="block=6"):
        cem.causal_effect_map(network, scene, cem.ROI(0, 0, 16, 16), pool=pool, block=6)


def test_the_pools_patches_have_the_blocks_size(local, scene, pool):
    with pytest.raises(ValueError, match=r"pool.*8 x 8.*block=4"):
        cem.causal_effect_map(local, scene, ROI, pool=pool, block=4)


@pytest.mark.parametrize(
    ("patches", "message"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "empty"),
        (np.zeros((5, 8, 7, 3), np.uint8), "shape"),
        (np.zeros((5, 8, 8), np.uint8), "shape"),
        (np.zeros((5, 8, 8, 3)), "uint8"),
    ],
)
def test_a_pool_holds_square_patches(patches, message):
    with pytest.raises(ValueError, match=message):
        cem.PatchPool(patches)


def test_a_pool_needs_images(tmp_path):
    with pytest.raises(ValueError, match="no image"):
        cem.PatchPool.from_images(tmp_path)
    with pytest.raises(ValueError, match="size=8"):
        cem.PatchPool.from_images([np.zeros((4, 90, 3), np.uint8)])
    with pytest.raises(ValueError, match="pool"):
        cem.PatchPool.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20, 2), np.uint8), "shape"),
        (np.zeros(400, np.uint8), "shape"),
        (np.zeros((20, 20, 4), np.uint8), "shape"),
        (np.zeros((0, 20, 3), np.uint8), "shape"),
        (np.full((20, 20, 3), np.nan), "NaN"),
        (np.full((20, 20, 3), 1.5), "1.5"),
        (np.full((20, 20, 3), -0.1), "-0.1"),
        (np.zeros((20, 20, 3), np.int32), "int32"),
    ],
)
@pytest.mark.parametrize("task", ["super_resolution", "denoising", "deraining"])
def test_an_image_is_in_colour_or_grey_and_in_range(image, message, task):
    with pytest.raises(ValueError, match=message):
        getattr(cem.Scene, task)(image)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_sigma_is_a_noise_level(clean, sigma):
    with pytest.raises(ValueError, match="sigma="):
        cem.Scene.denoising(clean, sigma=sigma)


def test_sizes_of_a_custom_scene_have_a_whole_ratio(clean):
    with pytest.raises(ValueError, match="multiple"):
        cem.Scene.custom(clean, clean[:30])


def test_rain_has_the_images_size(clean):
    from cem_jax.scene.degrade.rain import draw_rain

    with pytest.raises(ValueError, match="rain"):
        cem.Scene.deraining(clean, rain=draw_rain((20, 20), 0))


@pytest.mark.parametrize(
    "plan",
    [
        lambda: cem.Fixed(0),
        lambda: cem.Fixed(-3),
        lambda: cem.Fixed(2.5),  # type: ignore[arg-type]
        lambda: cem.CoarseToFine(0, 50),
        lambda: cem.CoarseToFine(3, 0),
        lambda: cem.CoarseToFine(3, 50, -0.1),
        lambda: cem.Fixed(3, float("nan")),
    ],
)
def test_a_plan_makes_draws(plan):
    with pytest.raises(ValueError, match="expected"):
        plan()


def test_a_scene_without_do_has_outcomes_only(local, clean, pool):
    with pytest.raises(ValueError, match="intervene"):
        cem.causal_effect_map(local, cem.Scene.custom(clean, clean), ROI, pool=pool)


def test_network_and_scene_have_the_same_scale(local, clean, pool):
    with pytest.raises(ValueError, match="scale 1"):
        cem.causal_effect_map(local, cem.Scene.super_resolution(clean), ROI, pool=pool)


def test_a_network_returns_the_scenes_size(scene, pool):
    shrinking = cem.wrap(lambda x: curved(x)[:, ::2, ::2])
    with pytest.raises(ValueError, match="network="):
        cem.causal_effect_map(shrinking, scene, ROI, pool=pool)


@pytest.mark.parametrize("name", ["network", "scene", "roi"])
def test_arguments_have_their_types(local, scene, pool, name):
    arguments = {"network": local, "scene": scene, "roi": ROI} | {name: "nonsense"}
    with pytest.raises(ValueError, match=f"{name}='nonsense'"):
        cem.causal_effect_map(**arguments, pool=pool)


@pytest.mark.parametrize(
    ("blocks", "patches", "message"),
    [
        ([[9, 0]], np.zeros((1, 8, 8, 3)), r"\(9, 0\)"),
        ([[0, -1]], np.zeros((1, 8, 8, 3)), r"\(0, -1\)"),
        ([[0.5, 1]], np.zeros((1, 8, 8, 3)), "integers"),
        ([0, 1], np.zeros((1, 8, 8, 3)), r"\[n, 2\]"),
        ([[0, 0]], np.zeros((2, 8, 8, 3)), "patches"),
        ([[0, 0]], np.zeros((1, 4, 4, 3)), "patches"),
        ([[0, 0]], np.full((1, 8, 8, 3), np.nan), "patches holds NaN"),
        ([[0, 0]], np.full((1, 8, 8, 3), 200.0), "patches has values"),
    ],
)
def test_outcomes_need_cells_and_patches(local, scene, blocks, patches, message):
    with pytest.raises(ValueError, match=message):
        cem.outcomes(local, scene, ROI, blocks, patches)


@pytest.mark.parametrize("chunk", [0, -1, 1.5])
def test_a_chunk_is_positive(local, scene, chunk):
    with pytest.raises(ValueError, match="chunk="):
        cem.outcomes(local, scene, ROI, [[0, 0]], np.zeros((1, 8, 8, 3)), chunk=chunk)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"'dncn'.*DnCNN"):
        cem.load("dncn")
    with pytest.raises(ValueError, match="facade"):
        cem.example_image("fasade")


def test_a_network_without_bundled_weights_names_the_official_file():
    with pytest.raises(ValueError, match=r"dncnn_color_blind\.pth.*KAIR"):
        cem.load("DnCNN")


def test_unreadable_files_are_named(tmp_path):
    for name in ("weights.pth", "weights.safetensors"):
        path = tmp_path / name
        with pytest.raises(ValueError, match="not a file"):
            cem.load("DnCNN", path)
        path.write_bytes(b"no weights at all" * 10)
        with pytest.raises(ValueError, match=name):
            cem.load("DnCNN", path)
    picture = tmp_path / "picture.png"
    with pytest.raises(ValueError, match=r"picture\.png"):
        open_image(picture)
    picture.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"picture\.png"):
        open_image(picture)


def test_files_of_other_kinds_are_read_or_refused(tmp_path):
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(open_image(tmp_path / "grey.png"), np.stack([ramp] * 3, -1))
    deep = ramp.astype(np.uint16) * 1000 + 7
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_allclose(open_image(tmp_path / "deep.png")[..., 1], deep / 65535, rtol=1e-6)
    colour = np.stack([ramp] * 3 + [np.full_like(ramp, 255)], -1)
    Image.fromarray(colour, "RGBA").save(tmp_path / "opaque.png")
    assert open_image(tmp_path / "opaque.png").shape == (8, 8, 3)
    colour[0, 0, 3] = 100
    Image.fromarray(colour, "RGBA").save(tmp_path / "glass.png")
    with pytest.raises(ValueError, match="transparent"):
        open_image(tmp_path / "glass.png")


def test_wrap_takes_functions():
    for bad in ({"fn": 3}, {"fn": curved, "scale": 0}, {"fn": curved, "receptive_radius": -1}):
        with pytest.raises(ValueError, match=r"fn=|scale=|receptive_radius="):
            cem.wrap(**bad)


def test_maps_are_refused_when_damaged(tmp_path):
    path = tmp_path / "map.npz"
    with pytest.raises(ValueError, match=r"map\.npz"):
        cem.EffectMap.load(path)
    path.write_bytes(b"PK no map")
    with pytest.raises(ValueError, match=r"map\.npz"):
        cem.EffectMap.load(path)


def test_state_dicts_list_every_key_that_does_not_fit():
    from cem_jax.models.convert import to_torch

    state = to_torch(cem.load("DnCNN-compact").params)
    del state["model.4.bias"]
    state["extra"] = np.zeros(3)
    state["model.6.weight"] = np.zeros((48, 48, 5, 5))
    with pytest.raises(
        ValueError, match=r"missing: model.4.bias.*extra.*model.6.weight \(48, 48, 5"
    ):
        cem.from_torch("DnCNN-compact", state)


def test_a_scene_is_frozen(scene):
    with pytest.raises(dataclasses.FrozenInstanceError):
        scene.scale = 2
