"""Options of the compiler are asked for, and change no numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

import cem_jax as cem
from cem_jax import cone as cones
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


SIZE = (24, 32)
DIFFERENT = [name for name in cem.models.names() if zoo.first_small(name) == name]


def both(function, *args):
    """What a program gives without options, and with all that sweeps use."""
    lowered = jax.jit(function).lower(*args)
    options = known(CONVOLUTIONS + COPIES)
    assert options  # else nothing is compared
    plain, chosen = lowered.compile(), lowered.compile(compiler_options=options)
    return np.asarray(plain(*args)), np.asarray(chosen(*args))


def agree(found, wanted, rounding=lambda: 0.0):
    """Equal but for the order of sums; a wrong program is off by thousands of times more.

    A network that makes much of float32's rounding, as RNAN's attention with random weights does,
    may differ by what float32 itself is off.
    """
    atol = 2e-5 * max(np.abs(wanted).max(), 1e-3)
    if np.abs(found - wanted).max() > atol:
        atol = max(atol, rounding())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


def rounding_of(network, x):
    """How far float32 without options is from float64."""
    found = np.asarray(jax.jit(network.apply)(network.params, x))
    with jax.enable_x64(True):
        params = jax.tree.map(
            lambda a: a.astype(np.float64) if a.dtype == np.float32 else a,
            jax.tree.map(np.asarray, network.params),
        )
        exact = np.asarray(jax.jit(network.apply)(params, np.asarray(x, np.float64)))
    assert exact.dtype == np.float64
    return float(np.abs(found - exact).max())


def compare_cones(name):
    """Every program of the cones of a network with few and narrow layers."""
    network, x = zoo.small_network(name), zoo.picture(name, *SIZE)
    side = 4 * network.scale
    roi = (side, side, side, side)
    planned = cones.plan(
        network.apply, x.shape, roi, 4, params=network.params, class_cost=1e12, least=0.0
    )
    cone = planned.prepare(x, network.params)
    patches = np.random.default_rng(0).random((2, 4, 4, x.shape[3]), np.float32)
    numbers = set(planned.program_of.tolist()) - {-1}
    for number in sorted(numbers):
        block = int(np.flatnonzero(planned.program_of == number)[0])
        evaluate = functools.partial(cones.run, planned.programs[number])
        wanted, found = both(evaluate, cone.caches[number], planned.offsets[block], patches)
        agree(found, wanted, lambda: rounding_of(network, x))
        assert np.ptp(found) > 0
    return len(numbers)


def compare_whole(name):
    network, x = zoo.small_network(name), zoo.picture(name, *SIZE)
    wanted, found = both(network.apply, network.params, x)
    agree(found, wanted, lambda: rounding_of(network, x))
    assert np.ptp(found) > 0


@pytest.mark.parametrize("name", ["FSRCNN", "FFDNet"])
def test_options_change_no_numbers(name):
    compare_whole(name)
    assert compare_cones(name)


@pytest.mark.long
@pytest.mark.parametrize("name", DIFFERENT)
def test_options_change_no_numbers_of_any_layer(name):
    compare_whole(name)
    assert compare_cones(name)
