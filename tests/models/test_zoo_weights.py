"""State dicts of every network: what may be absent, what must agree, what shapes decide."""

import functools
import json
import zlib

import jax
import numpy as np
import pytest
import zoo
from flax import nnx
from parity_formula import image

import cem_jax as cem
from cem_jax.models import registry
from cem_jax.models.convert import torch_key
from cem_jax.models.layers import Constant

NAMES = cem.models.names()


@functools.cache
def derived(name: str, kind: str) -> dict:
    """Tables and masks, or second names, of a small network; empty where torch has none."""
    make = getattr(registry.find(name).architecture, kind, None)
    return make(**zoo.small(name)) if make else {}


def constants(network: cem.Network) -> dict[str, np.ndarray]:
    """Entries with a defined value, by torch key."""
    flat = nnx.to_flat_state(nnx.filter_state(network.params, Constant))
    keys = [torch_key(path) for path, _ in flat]
    stored = cem.to_torch(network)
    return {key: stored[key] for key in keys}


@pytest.mark.parametrize("name", NAMES)
def test_torch_to_ours_to_torch_is_the_identity(name):
    state = zoo.state_dict(name, zoo.small(name))
    found = cem.to_torch(zoo.small_network(name))
    defined = constants(zoo.small_network(name))
    whole = {**state, **defined, **derived(name, "tables")}
    whole |= {later: state[first] for later, first in derived(name, "aliases").items()}
    assert found.keys() == whole.keys()
    for key, value in whole.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == value.dtype
    again = cem.to_torch(cem.from_torch(name, found))
    assert again.keys() == found.keys()
    for key, value in found.items():
        np.testing.assert_array_equal(again[key], value)


DERIVED = [
    name for name in NAMES if {"tables", "aliases"} & set(dir(registry.find(name).architecture))
]


@pytest.mark.parametrize("name", DERIVED)
def test_tables_and_second_names_must_agree_where_they_are_present(name):
    state = cem.to_torch(zoo.small_network(name))
    for key in (*derived(name, "tables"), *derived(name, "aliases")):
        other = state[key].copy()
        other.flat[-1] += 1
        with pytest.raises(ValueError, match=f"{name}: other values.*{key}"):
            cem.from_torch(name, {**state, key: other})


def test_mean_shifts_are_loaded_where_they_are_present():
    for name in NAMES:
        network = zoo.small_network(name)
        defined = constants(network)
        changed = {
            key: value + (np.float32(0.25) if value.dtype == np.float32 else 7)
            for key, value in defined.items()
        }
        loaded = cem.from_torch(name, {**zoo.state_dict(name, zoo.small(name)), **changed})
        for key, value in constants(loaded).items():
            np.testing.assert_array_equal(value, changed[key])
    x = image(16, 18)[None]
    edsr = zoo.small_network("EDSR")
    shifted = {"add_mean.bias": np.ones(3, np.float32)}
    other = cem.from_torch("EDSR", {**zoo.state_dict("EDSR", zoo.small("EDSR")), **shifted})
    difference = 1 - constants(edsr)["add_mean.bias"]
    np.testing.assert_allclose(other(x), edsr(x) + difference.reshape(1, 1, 1, 3), atol=1e-5)


def test_entries_with_a_defined_value_have_the_references(shared):
    for path in sorted((shared / "parity").glob("**/manifest/*.json")):
        if path.stem not in zoo.INDEX:
            continue
        network = zoo.small_network(path.stem)
        defined = constants(network)
        given = {key: fixed for fixed in json.loads(path.read_text())["fixed"]
                 for key in fixed["keys"]}  # fmt: skip
        assert defined.keys() <= given.keys(), path.stem
        for key, value in defined.items():
            assert list(value.shape) == given[key]["shape"], key
            assert value.dtype == given[key]["dtype"], key
            assert zlib.crc32(value.tobytes()) == given[key]["crc32_of_bytes"], key


FACTORS = {
    "ESPCN": {"scale_factor": 3}, "EDSR": {"factor": 2}, "SRResNet": {"upscale": 2},
    "RCAN": {"upscale": 2}, "SAN": {"factor": 2}, "DRLN": {"factor": 2}, "RFDN": {"upscale": 2},
    "IMDN": {"upscale": 2}, "HAT": {"upscale": 2}, "SwinIR": {"upscale": 2},
    "BSRN": {"upscale": 3}, "SPAN": {"upscale": 2}, "RLFN": {"upscale": 2},
    "SAFMN": {"upscaling_factor": 3}, "SAFMN_NTIRE23": {"upscaling_factor": 2},
    "DDBPN": {"scale_factor": 2}, "RNAN": {"factor": 2}, "MSRN": {"factor": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_the_scale_is_read_off_the_tensors(name):
    config = {**zoo.small(name), **FACTORS[name]}
    (scale,) = FACTORS[name].values()
    network = cem.from_torch(name, zoo.state_dict(name, config))
    assert network.scale == scale
    x = jax.ShapeDtypeStruct((1, 16, 18, 3), np.float32)
    restored = jax.eval_shape(network.apply, network.params, x)
    assert restored.shape == (1, 16 * scale, 18 * scale, 3)


@pytest.mark.parametrize("name", zoo.INDEX)
def test_sizes_are_read_off_the_tensors(name):
    found = zoo.config(zoo.small_network(name))
    hidden = {"conv_scale", "output_range", "overlap_ratio", "bins", "cell", "img_size", "scale"}
    for argument, value in zoo.small(name).items():
        assert found[argument] == value or argument in hidden, argument
