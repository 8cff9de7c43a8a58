"""The zoo's local networks: no code of their own, equal to the dense computation."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx
from test_exact import dense

from cem_jax import cone as cones
from cem_jax import models

COMPACT = ("DnCNN-compact", "EDSR-compact", "SRResNet_DR-compact")


@dataclasses.dataclass(frozen=True)
class Apply:
    graph: object

    def __call__(self, params, x):
        return nnx.merge(self.graph, params)(x)


def build(name):
    entry = models.find(name)
    graph, params = nnx.split(entry.architecture(**entry.config, rngs=nnx.Rngs(0)))
    return entry, Apply(graph), params


def compare(name, size, block, blocks):
    entry, apply, params = build(name)
    period = max(entry.size_multiple or 1, entry.anchor or 1)
    colours = entry.config.get("in_nc", 3)
    h, w = (-(-n // period) * period for n in size)
    x = np.random.default_rng(0).random((1, h, w, colours), np.float32)
    f = jax.jit(lambda image: apply(params, image))
    out = jax.eval_shape(f, x).shape
    roi = (0, out[2] // 2, 2 * entry.scale, 3 * entry.scale)
    origins = np.stack(np.meshgrid(np.arange(0, h, block), np.arange(0, w, block)), -1)
    found = cones.cone(
        apply, x, roi, block, origins=origins.reshape(-1, 2), params=params, draws=(1, 1)
    )
    near = np.flatnonzero(found.plan.program_of >= 0)
    chosen = near[np.linspace(0, len(near) - 1, blocks).astype(int)]
    for number in chosen.tolist():
        origin = found.plan.origins[number]
        patches = np.random.default_rng(number).random((2, block, block, colours), np.float32)
        expected = dense(f, x, roi, tuple(origin), patches)
        got = found.evaluate(origin, patches)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    return found.plan


@pytest.mark.parametrize("name", COMPACT)
def test_the_cone_of_a_compact_network_is_exact_and_pays(name):
    plan = compare(name, (34, 40), 4, 2)
    assert not plan.dense
    assert plan.multiply_adds.programs.max() < plan.multiply_adds.crop < plan.multiply_adds.dense


@pytest.mark.parametrize("name", COMPACT)
def test_the_receptive_radius_is_the_one_that_the_network_states(name):
    entry, apply, params = build(name)
    stated = entry.architecture.receptive_radius(**entry.config)
    assert cones.receptive_radius(apply, (1, 16, 16, 3), params) == stated


LOCAL = [n for n in models.names() if models.describe(n).receptive_radius is not None]


@pytest.mark.long
@pytest.mark.parametrize("name", LOCAL)
def test_the_cone_of_every_local_network_is_exact(name):
    compare(name, (20, 24), 4, 2)
