"""Maps by two windows and corrections: the exact ones where all is corrected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem

ROI = cem.ROI(24, 32, 8, 8)


KERNELS = [
    np.random.default_rng(n).normal(0, 0.1, (3, 3, *channels)).astype(np.float32)
    for n, channels in enumerate([(3, 8), (8, 8), (8, 3)])
]


@pytest.fixture
def network():
    """Convolutions whose channels are weighted by means of all they hold."""

    def apply(x):
        y, layout = x, ("NHWC", "HWIO", "NHWC")
        for kernel in KERNELS:
            y = jax.lax.conv_general_dilated(y, kernel, (1, 1), "SAME", dimension_numbers=layout)
            y = jnp.tanh(y) * (0.5 + jnp.mean(jnp.square(y), (1, 2), keepdims=True))
        return jnp.clip(x + y, 0, 1)

    return cem.wrap(apply, name="global")


def made(network, clean, pool, plan, roi=ROI, **more):
    scene = cem.Scene.denoising(clean)
    return cem.causal_effect_map(network, scene, roi, pool=pool, plan=plan, progress=False, **more)


def test_corrected_everywhere_it_is_the_exact_map(network, clean, pool):
    exact = made(network, clean, pool, cem.Fixed(3))
    assert exact.provenance["computed"].startswith("dense")
    found = made(network, clean, pool, cem.Corrected(cem.Fixed(3), share=1))
    assert found.provenance["computed"].startswith("two windows: ")
    assert "cem.Corrected may compute less" in exact.provenance["computed"]
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
    roi = cem.ROI(16, 24, 40, 40)  # large beside a block's cone
    found = made(local, clean, pool, cem.Corrected(cem.Fixed(2), share=0.5), roi)
    assert found.provenance["computed"].startswith("cone: ")
    assert found.provenance["computed"].endswith("so all draws are exact.")
    exact = made(local, clean, pool, cem.Fixed(2), roi)
    np.testing.assert_allclose(found.effect, exact.effect, atol=1e-6)
    assert found.provenance["corrections"]["largest"] < 1e-5
