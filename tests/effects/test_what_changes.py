"""Functions that read what changes between two maps are what they are when a map is made."""

import conftest
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur

import cem_jax as cem

ROI = cem.ROI(24, 32, 16, 16)
READ = {"share": 1.0}
"""What the functions below read, as a cell of a notebook sets it."""


def restore(x):
    return x + READ["share"] * (blur(x) - x)


def score(restored, target):
    return -READ["share"] * jnp.mean(jnp.abs(restored - target)) - 0.01 * jnp.mean(restored)


def darker(patch, y, x, key):
    return READ["share"] * patch


def degrade(image):
    return READ["share"] * image


def values(network, scene, **more):
    options = {"plan": cem.Fixed(1), "progress": False} | more
    return cem.causal_effect_map(network, scene, ROI, **options).values


@pytest.fixture(autouse=True)
def share(monkeypatch):
    def put(value):
        monkeypatch.setitem(READ, "share", value)

    put(1.0)
    return put


@pytest.mark.parametrize("again", [True, False], ids=["wrapped again", "as it was"])
@pytest.mark.parametrize("more", [{}, {"size_multiple": 4}], ids=["any size", "padded"])
def test_a_network_is_what_it_computes_now(clean, share, again, more):
    scene = cem.Scene.denoising(clean, sigma=0.1)
    network = cem.wrap(restore, **more)
    first = values(network, scene)
    share(0.25)
    wanted = values(cem.wrap(lambda x: x + 0.25 * (blur(x) - x), **more), scene)
    assert not np.allclose(first, wanted, equal_nan=True)
    found = values(cem.wrap(restore, **more) if again else network, scene)
    np.testing.assert_array_equal(found, wanted)
    share(1.0)
    np.testing.assert_array_equal(values(network, scene), first)


@pytest.mark.parametrize("method", [cem.gradient_map, cem.occlusion_map])
def test_attributions_are_of_what_it_computes_now(clean, share, method):
    scene = cem.Scene.denoising(clean, sigma=0.1)
    network = cem.wrap(restore)
    method(network, scene, ROI, outcome=score)
    share(0.25)
    wanted = method(cem.wrap(lambda x: restore(x)), scene, ROI, outcome=lambda a, b: score(a, b))
    found = method(network, scene, ROI, outcome=score)
    np.testing.assert_array_equal(found.attribution, wanted.attribution)


def test_an_outcome_is_what_it_computes_now(clean, share):
    scene = cem.Scene.denoising(clean, sigma=0.1)
    network, blocks = cem.wrap(blur), ([[0, 0], [2, 4]], np.zeros((2, 8, 8, 3), np.uint8))
    for which in (score, cem.cropped(score, 2)):
        share(1.0)
        first = values(network, scene, outcome=which)
        cem.outcomes(network, scene, ROI, *blocks, outcome=which)
        share(0.25)
        found = cem.causal_effect_map(
            network, scene, ROI, outcome=which, plan=cem.Fixed(1), progress=False
        )
        assert found.outcome == which.__name__
        assert not np.array_equal(found.values, first, equal_nan=True)
        restored = np.asarray(network(scene.degraded[None]))[0, 24:40, 32:48].clip(0, 1)
        wanted = float(which(restored, scene.clean[24:40, 32:48]))
        assert found.baseline == pytest.approx(wanted, rel=1e-5)
        given = cem.outcomes(network, scene, ROI, *blocks, outcome=which)
        assert given[0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("do", [darker, cem.again(degrade, reach=0)], ids=["custom", "again"])
def test_a_do_is_what_it_computes_now(clean, share, do):
    network = cem.wrap(blur)
    first = values(network, cem.Scene.custom(clean, clean, do))
    share(0.25)
    other = cem.Scene.custom(clean, clean, lambda patch, y, x, key: 0.25 * patch)
    found = values(network, cem.Scene.custom(clean, clean, do))
    assert not np.array_equal(found, first, equal_nan=True)
    if do is darker:
        np.testing.assert_array_equal(found, values(network, other))


def test_a_directory_tells_what_was_read(tmp_path, clean, share):
    scene = cem.Scene.custom(clean, clean, conftest.unchanged)
    values(cem.wrap(restore), scene, directory=tmp_path)
    share(0.25)
    with pytest.raises(ValueError, match="function was"):
        values(cem.wrap(restore), scene, directory=tmp_path)


def test_what_is_read_and_stays_compiles_once(clean):
    """A function that notes its calls computes the same."""
    calls = []

    def noted(x):
        calls.append(x.shape)
        return blur(x)

    scene = cem.Scene.denoising(clean, sigma=0.1)
    network = cem.wrap(noted)
    values(network, scene)
    before = len(calls)
    values(network, scene)
    values(cem.wrap(noted), scene)
    assert len(calls) - before <= 4  # a fingerprint, and what a new network is tried with
