"""Maps by two windows and corrections: as the exact ones where all is corrected, honest elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur

import cem_jax as cem

ROI = cem.ROI(24, 32, 8, 8)


@pytest.fixture
def network():
    """Blurred detail, weighted by a statistic of all of it."""

    def apply(x):
        detail = jnp.tanh(3 * (x - blur(x)))
        return jnp.clip(
            x + detail * jnp.mean(jnp.square(blur(detail)), (1, 2), keepdims=True), 0, 1
        )

    return cem.wrap(jax.jit(apply), name="global")


def made(network, clean, pool, plan, **more):
    scene = cem.Scene.denoising(clean)
    return cem.causal_effect_map(network, scene, ROI, pool=pool, plan=plan, progress=False, **more)


def test_corrected_everywhere_it_is_the_exact_map(network, clean, pool):
    exact = made(network, clean, pool, cem.Fixed(3))
    assert exact.provenance["computed"].startswith("dense")
    found = made(network, clean, pool, cem.Corrected(cem.Fixed(3), share=1))
    assert found.provenance["computed"].startswith("cone: ")
    assert "two windows" in found.provenance["computed"]
    np.testing.assert_allclose(found.values[..., 3:], exact.values, atol=1e-5)
    np.testing.assert_allclose(found.effect, exact.effect, atol=1e-5)
    told = found.provenance["corrections"]
    assert told["count"] == np.isfinite(exact.values).sum() and told["largest"] > 0
    assert found.plan == cem.Corrected(cem.Fixed(3), share=1, tolerance=found.plan.tolerance)
    with pytest.raises(ValueError, match="windows"):
        cem.difference(found, found)


def test_a_sweep_that_stopped_goes_on_and_the_map_is_kept(network, clean, pool, tmp_path):
    plan = cem.Corrected(cem.Fixed(2), share=0.2)
    one = made(network, clean, pool, plan, directory=tmp_path)
    log = next(path for path in tmp_path.iterdir() if path.suffix != ".npz")
    assert log.exists()
    again = made(network, clean, pool, plan, directory=tmp_path)
    np.testing.assert_array_equal(one.values, again.values)
    np.testing.assert_array_equal(one.standard_error, again.standard_error)


def test_a_local_network_is_computed_exactly(local, clean, pool):
    found = made(local, clean, pool, cem.Corrected(cem.Fixed(2), share=0.5))
    assert "two windows" not in found.provenance["computed"]
    exact = made(local, clean, pool, cem.Fixed(2))
    np.testing.assert_allclose(found.effect, exact.effect, atol=1e-6)
    assert found.provenance["corrections"]["largest"] < 1e-5
