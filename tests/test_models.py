"""Every network: equal to its reference, described truly, converted without loss.

The fixture holds 256 sampled outputs of each reference network for weights and an image made by
formula. Networks that are one and the same under several names are computed once.
"""

import functools
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from parity_formula import image, weight

import cem_jax as cem
from cem_jax.grid import Crop
from cem_jax.models import registry
from cem_jax.models.convert import to_torch, torch_shapes

_DATA = np.load(Path(__file__).parent / "fixtures" / "parity.npz")
INDEX = json.loads(str(_DATA["index"]))
HEAVY = ("CSNLN", "HAT-L", "DRRN")
"""Their reference input alone costs minutes; they run with `pytest -m long`."""


def same(name: str) -> str:
    """The first name of the same network with the same weights."""
    mine = registry.find(name)
    for other in sorted(INDEX):
        theirs = registry.find(other)
        equal = (theirs.architecture, theirs.config) == (mine.architecture, mine.config)
        if equal and INDEX[other]["formula_args"] == INDEX[name]["formula_args"]:
            return other
    return name


NAMES = sorted(INDEX)
PARAMETERS = [pytest.param(name, marks=pytest.mark.long if name in HEAVY else ()) for name in NAMES]


@functools.lru_cache(maxsize=1)
def state_dict(name: str) -> dict[str, np.ndarray]:
    """The formula's weights for every key that the network asks for."""
    facts = INDEX[name]
    shapes = torch_shapes(registry.nnx.state(registry.abstract(name)))
    return {
        key: weight(key, shape, facts["weight_salt"], **facts["formula_args"])
        for key, shape in shapes.items()
    }


@functools.cache
def output(name: str) -> np.ndarray:
    facts = INDEX[name]
    x = image(*facts["input_hw"], salt=facts["image_salt"])[None]
    return np.asarray(cem.from_torch(name, state_dict(name))(x)[0])


def test_every_reference_network_is_here():
    assert set(INDEX) <= set(cem.models.names())


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_output_is_the_references(name):
    facts = INDEX[name]
    got = output(same(name))
    assert got.shape == tuple(facts["shape"])
    want = _DATA[f"{name}/values"].astype(np.float64)
    error = np.linalg.norm(got.reshape(-1)[_DATA[f"{name}/idx"]] - want) / np.linalg.norm(want)
    assert error < facts["tolerance"]
    jax.clear_caches()


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_the_references(name):
    facts, told = INDEX[name], cem.models.describe(name)
    assert told.parameters == facts["parameters"]
    assert told.scale == facts["scale"]
    assert set(told.tasks) == set(facts["tasks"])
    assert (told.receptive_radius is None) == bool(told.global_operations)


@pytest.mark.parametrize("name", ["EDSR-compact", "DnCNN-compact", "SRResNet_DR-compact"])
def test_bundled_networks_round_trip_through_torch(name):
    path = cem.models.bundled_weights(name)
    assert path is not None
    original = cem.models.read_state_dict(path)
    again = to_torch(cem.load(name).params)
    assert again.keys() == original.keys()
    for key, value in original.items():
        np.testing.assert_array_equal(again[key], value)


@pytest.mark.parametrize("name", ["EDSR-compact", "DnCNN-compact", "SRResNet_DR-compact"])
def test_the_receptive_radius_is_where_the_gradient_ends(name):
    network = cem.load(name)
    radius, scale = network.receptive_radius, network.scale
    assert radius is not None
    side, centre = 2 * radius + 9, radius + 4
    x = np.full((1, side, side, 3), 0.5, np.float32)
    reached = 0
    for dy in range(scale):
        y = scale * centre + dy
        slope = jax.grad(lambda x, y=y: network.apply(network.params, x)[0, y, y, 0])(x)
        touched = np.flatnonzero(np.abs(slope[0]).sum((1, 2)))
        reached = max(reached, centre - touched.min(), touched.max() - centre)
    assert reached == radius


LOCAL = ["SRCNN", "FSRCNN", "ESPCN", "LapSRN", "FFDNet", "IRCNN", "PAN", "DnCNN", "EDSR-32-16"]


@pytest.mark.parametrize(
    "name", [*LOCAL, *(pytest.param(n, marks=pytest.mark.long) for n in ("SwinIR_DN", "SCUNet"))]
)
def test_the_crop_of_a_region_restores_it_as_the_whole_image_does(name):
    network = cem.from_torch(name, state_dict(name))
    radius, scale = network.receptive_radius, network.scale
    assert radius is not None
    h, w = 2 * radius + 34, 2 * radius + 45
    x = image(h, w, salt=1)
    roi = cem.ROI(scale * (radius + 13), scale * (radius + 19), 6 * scale, 9 * scale)
    crop = Crop.make(h, w, roi, scale, radius, network.anchor)
    assert network.anchor is None or crop.height * crop.width < h * w
    part = x[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    whole, cut = (
        np.asarray(network(one[None]))[0, at.y : at.y + at.height, at.x : at.x + at.width]
        for one, at in ((x, roi), (part, crop.roi))
    )
    assert np.abs(whole - cut).max() < 2e-5 * np.abs(whole).max()


@pytest.mark.parametrize("name", ["EDSR-compact", "DnCNN-compact", "SRResNet_DR-compact"])
def test_the_bundled_record_says_what_the_network_is(name):
    path = cem.models.bundled_weights(name)
    assert path is not None
    record = json.loads(path.with_suffix(".json").read_text())
    entry = registry.find(name)
    assert record["config"] == dict(entry.config)
    assert record["psnr_val"] > record["psnr_val_input"]


def test_images_of_any_size_are_taken():
    network = cem.load("EDSR-compact")
    for size in ((1, 1), (7, 30), (33, 2)):
        restored = network(np.zeros((1, *size, 3), np.float32))
        assert restored.shape == (1, 4 * size[0], 4 * size[1], 3)
