"""Windows stay squares: what window attention reaches, and that its cone is exact."""

import secrets
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from test_exact import QUIET, SECONDS, check
from test_local_networks import build, compare
from window_networks import window_layers, window_network

from cem_jax import cone as cones
from cem_jax.cone import factors, trace

GRID = np.stack(np.meshgrid(np.arange(0, 64, 4), np.arange(0, 64, 4), indexing="ij"), -1)
GRID = GRID.reshape(-1, 2)


def reached(f, pixel, size=64):
    """Blocks of 4 pixels that an output pixel of a square image sees."""
    return cones.reachable(f, (1, size, size, 3), (*pixel, 1, 1), GRID, 4)


def inside(top, left, height, width):
    y, x = GRID.T
    return (y + 4 > top) & (y < top + height) & (x + 4 > left) & (x < left + width)


def squares(x, size):
    """Means over windows of that size, by way of the merged axes."""
    n, h, w, c = x.shape
    y = x.reshape(n, h // size, size, w // size, size, c).swapaxes(2, 3)
    y = y.reshape(n, -1, size * size, c)
    y = y + y.mean(axis=2, keepdims=True)
    y = y.reshape(n, h // size, w // size, size, size, c).swapaxes(2, 3)
    return y.reshape(n, h, w, c)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_a_pixel_sees_its_window(size):
    expected = inside(20 // size * size, 41 // size * size, size, size)
    np.testing.assert_array_equal(reached(lambda x: squares(x, size), (20, 41)), expected)


def test_as_many_windows_as_tokens_are_no_image():
    # 64 windows of 64 tokens have the shape of the image, and are something else.
    def f(x):
        y = x.reshape(1, 8, 8, 8, 8, 3).swapaxes(2, 3).reshape(1, 64, 64, 3)
        y = y - y.mean(axis=2, keepdims=True)
        return y.reshape(1, 8, 8, 8, 8, 3).swapaxes(2, 3).reshape(1, 64, 64, 3)

    np.testing.assert_array_equal(reached(f, (20, 41)), inside(16, 40, 8, 8))


def test_windows_of_a_shifted_grid_are_squares_too():
    def f(x):
        y = jnp.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))
        return squares(y, 8)[:, 4:-4, 4:-4]

    np.testing.assert_array_equal(reached(f, (20, 41)), inside(20, 36, 8, 8))


def test_tokens_in_a_row_stay_rows_and_columns():
    def f(x):
        y = x.reshape(1, -1, 3)
        y = jnp.tanh(y - y.mean(axis=-1, keepdims=True))
        return squares(y.reshape(x.shape), 8)

    np.testing.assert_array_equal(reached(f, (20, 41)), inside(16, 40, 8, 8))


def test_behind_a_global_product_the_region_stays_a_rectangle():
    def f(x):
        y = x.reshape(1, -1, 3)
        y = y @ jax.nn.softmax(jnp.einsum("npc,npd->ncd", y, y), axis=-1)[0]
        return y.reshape(x.shape)

    plan = cones.plan(f, (1, 64, 64, 3), (8, 8, 16, 16), 8, least=0.0)
    product = [eq for p in plan.programs for eq in p.steps if eq.eq.name == "dot_general"][-1]
    assert sorted(product.size) == [1, 3, 16, 16]


@st.composite
def window_cases(draw):
    """A network of windows, an image, a region, blocks anywhere, and how many programs."""
    chosen = draw(st.lists(window_layers, min_size=1, max_size=3))
    f = window_network(chosen, draw(st.integers(0, 2**16)))
    h, w = draw(st.integers(8, 21)), draw(st.integers(8, 21))
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(1, h, w, 2))
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    roi = (draw(st.integers(0, h - height)), draw(st.integers(0, w - width)), height, width)
    block = draw(st.integers(2, 5))
    places = st.tuples(st.integers(1 - block, h - 1), st.integers(1 - block, w - 1))
    origins = draw(st.lists(places, min_size=3, max_size=3, unique=True))
    return f, x.astype(np.float32), roi, block, origins, draw(st.sampled_from([0.0, 1e12]))


@settings(max_examples=4, derandomize=True, **QUIET)
@given(window_cases())
def test_cone_equals_dense_on_windows(case):
    check(case)


def test_cone_equals_dense_on_windows_never_drawn_before():
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        number = secrets.randbits(32)  # a failure prints it
        seed(number)(settings(max_examples=3, **QUIET)(given(window_cases())(check)))()


@pytest.mark.long
@settings(max_examples=300, derandomize=True, **QUIET)
@given(window_cases())
def test_cone_equals_dense_on_many_networks_of_windows(case):
    check(case)


LAYERS = {
    "plain": ("windows", 4, 3, 0, "pad", False),
    "padded": ("windows", 4, 4, 2, "pad", False),
    "rolled": ("windows", 3, 4, 1, "roll", True),
    "overlapping": ("overlapping", 4, 1),
    "row of tokens": ("tokens", True),
    "grid": ("grid", 3),
    "patches": ("patches", 3),
    "channels": ("channels", 2),
    "a batch of windows": ("convolved", 3, 4, False),
    "mirrored": ("mirrored", 2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_of_window_is_exact(name):
    f = window_network([LAYERS[name], ("conv", 3), LAYERS["plain"]], 3)
    x = np.random.default_rng(4).normal(size=(1, 18, 21, 2)).astype(np.float32)
    origins = [(4, 4), (-1, 7), (15, 18), (8, 12)]
    check((f, x, (6, 9, 5, 4), 4, origins, 0.0))


def test_the_cone_of_a_transformer_is_made_of_windows():
    plan = compare("SwinIR_DN-compact", (40, 48), 8, 3)
    assert "behind" not in plan.note
    _, apply, params = build("SwinIR_DN-compact")
    plan = cones.plan(apply, (1, 128, 128, 3), (48, 48, 32, 32), 8, params=params)
    share = plan.multiply_adds.cone.mean() / plan.multiply_adds.dense
    assert share < 0.02
    assert not plan.dense


@pytest.mark.parametrize(("height", "width"), [(40, 36), (40, 8), (6, 34)])
@pytest.mark.parametrize("axis", [1, 2])
def test_sums_over_all_pixels_are_of_one_axis(height, width, axis):
    """As the function has them: XLA is slow where it sums two long axes."""

    def f(x):
        tokens = x.reshape(len(x), height * width, 3)
        weights = jax.nn.softmax(jnp.einsum("nqc,nkc->nqk", tokens, tokens), axis=axis)
        return x + jnp.einsum("nqk,nkc->nqc", weights, tokens).reshape(x.shape)

    def region(x):
        return cones.restricted(f, None, x, (1, 2, 4, 5))

    x = jnp.asarray(np.random.default_rng(0).random((2, height, width, 3), np.float32))
    np.testing.assert_allclose(jax.jit(region)(x), f(x)[:, 1:5, 2:7], rtol=1e-5)
    found = [eqn for eqn in jax.make_jaxpr(region)(x).eqns if eqn.primitive.name == "reduce_sum"]
    assert [len(eqn.params["axes"]) for eqn in found] == [1]


@pytest.mark.parametrize("name", ["DnCNN-compact", "EDSR-compact", "RCAN-compact"])
def test_a_network_that_merges_no_axes_keeps_its_graph(name, monkeypatch):
    kept = []

    def apart(graph):
        found = factors.apart(graph)
        kept.append(found is graph)
        return found

    monkeypatch.setattr(trace, "apart", apart)
    _, apply, params = build(name)
    cones.receptive_radius(apply, (1, 16, 16, 3), params)
    assert kept and all(kept)
