"""The cone equals the dense computation, for any local function, region and block."""

import os
import random
import secrets
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from networks import layers, network

from cem_jax import cone as cones

QUIET = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [Phase.explicit, Phase.generate],  # a smaller failure would take minutes to find
}
SECONDS = float(os.environ.get("CEM_JAX_CONE_TEST_SECONDS", "20"))
"""How long other networks are drawn in every run."""


def dense(f, x, roi, origin, patches):
    """f of the patched images, cut to the region."""
    b, (y, x0) = patches.shape[1], origin
    canvas = np.pad(np.repeat(x, len(patches), 0), ((0, 0), (b, b), (b, b), (0, 0)))
    canvas[:, y + b : y + 2 * b, x0 + b : x0 + 2 * b] = patches
    images = canvas[:, b:-b, b:-b]
    out = np.concatenate([np.asarray(f(image[None])) for image in images])
    return out[:, roi[0] : roi[0] + roi[2], roi[1] : roi[1] + roi[3]]


@st.composite
def cases(draw):
    """A network, an image, a region, blocks near and far, and how many programs are compiled."""
    f = network(draw(st.lists(layers, min_size=3, max_size=6)), draw(st.integers(0, 2**16)))
    size = draw(st.integers(14, 27)), draw(st.integers(14, 27))
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(1, *size, 2))
    x = x.astype(np.float32)
    out = jax.eval_shape(f, x).shape
    top, height, left, width = (
        v
        for n in out[1:3]
        for side in [draw(st.integers(1, min(n, 9)))]
        for v in (draw(st.sampled_from([0, n - side, (n - side) // 2, (n - side) // 3])), side)
    )
    roi, block = (top, left, height, width), draw(st.integers(2, 6))
    everywhere = np.stack(np.meshgrid(*(np.arange(1 - block, n) for n in size)), -1).reshape(-1, 2)
    state = random.getstate()  # types are checked by elements that are drawn at random
    near = everywhere[cones.reachable(f, x.shape, roi, everywhere, block)]
    random.setstate(state)
    origins = [tuple(draw(st.sampled_from(near.tolist()))) for _ in range(3)] if len(near) else []
    rim = st.tuples(*(st.sampled_from([1 - block, 0, n - block, n - 1]) for n in size))
    origins = list(dict.fromkeys([*origins, draw(rim)]))
    return f, x, roi, block, origins, draw(st.sampled_from([0.0, 1e12]))


def check(case):
    f, x, roi, block, origins, class_cost = case
    planned = cones.plan(f, x.shape, roi, block, origins=origins, class_cost=class_cost, least=0.0)
    found = planned.prepare(x)
    jitted = jax.jit(f)
    rng = np.random.default_rng(0)
    for number, origin in enumerate(origins):
        patches = rng.normal(size=(1 + number % 2, block, block, x.shape[3])).astype(np.float32)
        expected = dense(jitted, x, roi, origin, patches)
        got = np.asarray(found.evaluate(origin, patches))
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
        if planned.program_of[number] < 0:
            base = np.asarray(jitted(x))[:, roi[0] : roi[0] + roi[2], roi[1] : roi[1] + roi[3]]
            np.testing.assert_array_equal(expected, np.repeat(base, len(patches), 0))
    jax.clear_caches()  # no other case has these programs, and hundreds take gigabytes


@settings(max_examples=4, derandomize=True, **QUIET)
@given(cases())
def test_cone_equals_dense(case):
    check(case)


def test_cone_equals_dense_on_networks_never_drawn_before():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        number = secrets.randbits(32)  # a failure prints it
        seed(number)(settings(max_examples=3, **QUIET)(given(cases())(check)))()


@pytest.mark.parametrize(("kind", "offset"), [("max_pool", -9), ("min_pool", 9)])
def test_beyond_the_border_there_is_nothing_to_pool(kind, offset):
    f = network([("conv", 3, 1, 1, 1, (1, 1, 1, 1)), (kind, 3, 1, offset), ("gelu",)], 5)
    x = np.random.default_rng(6).normal(size=(1, 14, 15, 2)).astype(np.float32)
    rim = [(0, 0), (0, 11), (10, 0), (10, 11), (-2, -2), (12, 13)]
    for roi in ((0, 0, 4, 4), (9, 10, 4, 4), (4, 0, 9, 14)):
        check((f, x, roi, 4, rim, 0.0))


@pytest.mark.parametrize("corner", [(0, 0), (16, 17), (8, 8)])
def test_one_program_serves_blocks_on_every_rim(corner):
    f = network([("conv", 3, 1, 1, 1, (1, 1, 1, 1)), ("leaky",)] * 9, 1)
    x = np.random.default_rng(1).normal(size=(1, 20, 21, 2)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(-4, 20, 6), np.arange(-4, 21, 6)), -1).reshape(-1, 2)
    check((f, x, (*corner, 4, 4), 6, [tuple(o) for o in grid.tolist()], 1e12))


def test_windows_smaller_than_a_transposed_kernel():
    steps = [("max_pool", 2, 1, 0), ("slice", 1, 2), ("max_pool", 2, 1, 0)]
    f = network(steps + [("transposed", 3, 3, 2, (1, 3, 3, 3))] * 2, 0)
    x = np.random.default_rng(1).normal(size=(1, 14, 26, 2)).astype(np.float32)
    check((f, x, (0, 10, 1, 1), 2, [(2, -1), (0, -1), (-1, -1), (4, 2)], 0.0))


@pytest.mark.parametrize(
    "resizing",
    [("resize", "nearest", 3, True), ("resize", "linear", 2, True), ("resize", "cubic", 1.3, False),
     ("resize", "lanczos3", 0.7, True), ("take", "clip"), ("take", "fill")],
)  # fmt: skip
def test_resizing_by_known_weights_and_indices_is_local_and_exact(resizing):
    f = network([("conv", 3, 1, 1, 1, (1, 1, 1, 1)), resizing, ("leaky",), ("gate",)], 3)
    x = np.random.default_rng(4).normal(size=(1, 24, 31, 2)).astype(np.float32)
    roi, grid = (8, 8, 6, 5), np.stack(np.meshgrid(np.arange(-2, 24, 4), np.arange(-2, 31, 4)), -1)
    near = cones.reachable(f, x.shape, roi, grid.reshape(-1, 2), 4)
    assert 0 < near.sum() < len(near)
    origins = [tuple(o) for o in grid.reshape(-1, 2)[near][::3].tolist()]
    for class_cost in (0.0, 1e12):
        check((f, x, roi, 4, [*origins, (-3, -3)], class_cost))


@pytest.mark.long
@settings(max_examples=400, derandomize=True, **QUIET)
@given(cases())
def test_cone_equals_dense_on_many_networks(case):
    check(case)


def test_a_region_comes_out_of_a_traced_function_whose_scalars_are_known():
    def f(x):
        return x * jax.lax.exp(jax.lax.neg(jnp.float32(0.5)))

    def region(x):
        return cones.restricted(f, None, x, (2, 3, 4, 5))

    x = jnp.arange(2 * 9 * 9 * 3, dtype=jnp.float32).reshape(2, 9, 9, 3)
    np.testing.assert_allclose(jax.jit(region)(x), f(x)[:, 2:6, 3:8], rtol=1e-6)


def test_a_region_comes_out_of_a_traced_resizing():
    def region(x, matrix):
        def f(image):
            small = jax.image.resize(image, (2, 18, 18, 3), "cubic")
            return jnp.einsum("nhwc,hk->nkwc", small, matrix)  # traced, so that all may count

        return cones.restricted(f, None, x, (2, 3, 4, 5)), f(x)[:, 2:6, 3:8]

    x = jnp.asarray(np.random.default_rng(0).random((2, 9, 9, 3), np.float32))
    found, expected = jax.jit(region)(x, jnp.eye(18))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
