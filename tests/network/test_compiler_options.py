"""Options of the compiler are asked for, and change no numbers."""

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.network.compiler_options import CONVOLUTIONS, COPIES, known


def test_an_option_that_the_compiler_does_not_know_is_left_out():
    found = known((("xla_no_such_option_exists", True), *COPIES))
    assert "xla_no_such_option_exists" not in found
    assert found == dict(COPIES)


def test_programs_compile_with_what_is_known():
    def function(x):
        return jax.nn.softmax(jnp.where(x > 0, x, 0.1 * x)) + jax.image.resize(x, x.shape, "linear")

    x = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    lowered = jax.jit(function).lower(x)
    wanted = np.asarray(lowered.compile()(x))
    found = np.asarray(lowered.compile(compiler_options=known(CONVOLUTIONS + COPIES))(x))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
