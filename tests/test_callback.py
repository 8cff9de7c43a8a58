"""Functions of the host inside programs of JAX, with this version's callbacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cem_jax.callback import call_on_host

OUT = jax.ShapeDtypeStruct((2,), jnp.float32)
VERSION = f"jax {jax.__version__}"


def sums(x):
    """The sums of the rows of [..., 2, 3], on the host."""
    assert isinstance(np.asarray(x), np.ndarray)
    return np.asarray(x).sum(axis=-1)


@pytest.mark.parametrize("vmap_method", ["expand_dims", "sequential"])
def test_a_function_of_the_host_is_one_of_jax(vmap_method):
    x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)

    def call(one):
        return call_on_host(sums, OUT, one, vmap_method=vmap_method)

    for found, wanted in ((jax.jit(call)(x[0]), sums(x[0])), (jax.vmap(call)(x), sums(x))):
        np.testing.assert_array_equal(found, wanted, VERSION)


def test_backends_beside_the_cpu_have_the_public_callback():
    program = jax.make_jaxpr(lambda x: call_on_host(sums, OUT, x, vmap_method="sequential"))
    used = str(program(jax.ShapeDtypeStruct((2, 3), jnp.float32)))
    assert "pure_callback[" in used and "buffer_callback[" in used, VERSION
