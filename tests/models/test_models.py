"""Every network is its reference: outputs and facts, and what its bundled weights are.

The fixture holds 256 sampled outputs of each reference network for weights and an image made by
formula.
"""

import functools
import json

import jax
import numpy as np
import pytest
import zoo
from parity_formula import image

import cem_jax as cem
from cem_jax.grid import Crop
from cem_jax.models import registry
from cem_jax.models.convert import to_torch

NAMES = sorted(zoo.INDEX)


@functools.lru_cache(maxsize=4)
def output(network: str) -> np.ndarray:
    facts = zoo.INDEX[network]
    x = zoo.picture(network, *facts["input_hw"], salt=facts["image_salt"])
    return np.asarray(zoo.network(network)(x)[0])


def test_every_reference_network_is_here():
    assert set(zoo.INDEX) <= set(cem.models.names())


# One and the same network under several names is computed once: its names stand together.
@pytest.mark.parametrize("name", sorted(NAMES, key=zoo.first))
def test_the_output_is_the_references(name):
    facts = zoo.INDEX[name]
    got = output(zoo.first(name))
    assert got.shape == tuple(facts["shape"])
    want = zoo.SAMPLES[f"{name}/values"].astype(np.float64)
    places = zoo.SAMPLES[f"{name}/idx"]
    error = np.linalg.norm(got.reshape(-1)[places] - want) / np.linalg.norm(want)
    assert error < facts["tolerance"]
    jax.clear_caches()


DEPLOYED = {"SPAN_48": 426_288}
"""Parameters where the reference counts layers that training has in place of one, and ours not."""


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_the_references(name):
    facts, told = zoo.INDEX[name], cem.models.describe(name)
    assert told.parameters == DEPLOYED.get(name, facts["parameters"])
    assert told.scale == facts["scale"]
    assert set(told.tasks) == set(facts["tasks"])
    assert (told.receptive_radius is None) == bool(told.global_operations)


LOCAL = ["SRCNN", "FSRCNN", "ESPCN", "LapSRN", "FFDNet", "IRCNN", "PAN", "DnCNN", "EDSR-32-16"]


@pytest.mark.parametrize(
    "name", [*LOCAL, *(pytest.param(n, marks=pytest.mark.long) for n in ("SwinIR_DN", "SCUNet"))]
)
def test_the_crop_of_a_region_restores_it_as_the_whole_image_does(name):
    network = zoo.network(name)
    radius, scale = network.receptive_radius, network.scale
    assert radius is not None
    spare = 2 * (network.anchor or 1)  # for crops that begin and end on the network's grid
    h, w = 2 * radius + 34 + spare, 2 * radius + 45 + spare
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


BUNDLED = [name for name in cem.models.names() if registry.find(name).bundled]


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks_round_trip_through_torch(name):
    path = cem.models.bundled_weights(name)
    assert path is not None
    original = cem.models.read_state_dict(path)
    again = to_torch(cem.load(name).params)
    assert again.keys() == original.keys()
    for key, value in original.items():
        np.testing.assert_array_equal(again[key], value)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_record_says_what_the_network_is(name):
    path = cem.models.bundled_weights(name)
    assert path is not None
    record = json.loads(path.with_suffix(".json").read_text())
    entry = registry.find(name)
    assert record["config"] == json.loads(json.dumps(dict(entry.config)))  # tuples are lists there
    assert record["psnr_val"] > record["psnr_val_input"]
