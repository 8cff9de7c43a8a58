"""Local operations that hide their locality: each has its own radius and is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from test_exact import dense

from cem_jax import cone as cones

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1, 24, 20, 4)).astype(np.float32)
KERNEL = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32) / 6


def conv(x):
    return lax.conv_general_dilated(
        x, KERNEL, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def enlarged_by_index(x, factor=2):
    """Nearest neighbours as an outer product of rows and columns."""
    rows, columns = (np.arange(factor * n) // factor for n in x.shape[1:3])
    return x[:, rows[:, None], columns]


def bilinear_by_index(x):
    """Twice as large, as torch writes it: four gathers and their weights."""
    h, w = x.shape[1:3]

    def places(n):
        at = np.maximum((np.arange(2 * n) + 0.5) / 2 - 0.5, 0)
        first = np.floor(at).astype(np.int64)
        return first, np.minimum(first + 1, n - 1), (at - first).astype(np.float32)

    (top, below, v), (left, right, u) = places(h), places(w)
    v, u = v[None, :, None, None], u[None, None, :, None]
    upper = x[:, top[:, None], left] * (1 - u) + x[:, top[:, None], right] * u
    lower = x[:, below[:, None], left] * (1 - u) + x[:, below[:, None], right] * u
    return upper * (1 - v) + lower * v


def rolled_by_index(x, by=3):
    order = (np.arange(x.shape[1]) + by) % x.shape[1]
    y = conv(x[:, order])
    return y[:, np.argsort(order)]


def reflected_by_index(x):
    return x[:, np.abs(np.arange(-2, x.shape[1] - 2))]


def overlapping_windows(x):
    rows = 4 * np.arange(5)[:, None] + np.arange(8)
    windows = x[:, rows]  # [1, 5, 8, w, c]
    return windows.mean(axis=2) @ np.ones((4, 4), np.float32)


def patches_transformed(x):
    cells = x.reshape(1, 6, 4, 5, 4, 4).transpose(0, 1, 3, 5, 2, 4)
    spectrum = jnp.fft.rfft2(cells)
    y = jnp.fft.irfft2(spectrum * jnp.abs(spectrum).astype(spectrum.dtype), s=(4, 4))
    return y.transpose(0, 1, 4, 2, 5, 3).reshape(x.shape).astype(np.float32)


def windows_convolved(x):
    cells = x.reshape(6, 4, 5, 4, 4).transpose(0, 2, 1, 3, 4).reshape(30, 4, 4, 4)
    cells = conv(cells).reshape(6, 5, 4, 4, 4).transpose(0, 2, 1, 3, 4)
    return cells.reshape(x.shape)


def mirrored_and_cut(x, more=2):
    h, w = x.shape[1:3]
    y = jnp.concatenate([x, x[:, ::-1]], axis=1)[:, : h + more]
    y = jnp.concatenate([y, y[:, :, ::-1]], axis=2)[:, :, : w + more]
    return conv(y)[:, :h, :w]


def tokens_by_one_pixel(x):
    """Tokens of the image by numbers that one pixel of it decides, the same for each token."""
    tokens = x.reshape(-1, 4)
    return (tokens * jnp.broadcast_to(x[0, 12, 8], tokens.shape)).reshape(x.shape)


def chosen_channels(x):
    return jnp.take_along_axis(x, jnp.argsort(x, axis=-1)[..., ::-1], axis=-1)


def rows_by_the_image(x):
    index = (x[0, 0, 0] > 0).astype(np.int32) + jnp.arange(4) % 3
    return jnp.take(x, index, axis=3) + x[..., :1]


LOCAL = {
    "softmax": (lambda x: jax.nn.softmax(x, axis=-1), 0),
    "stop_gradient": (lambda x: conv(lax.stop_gradient(x)), 1),
    "complex": (
        lambda x: jnp.imag(jnp.conj(lax.complex(x, 2 * x))) + jnp.real(lax.complex(0 * x, x) + 1),
        0,
    ),
    "optimization_barrier": (lambda x: conv(sum(lax.optimization_barrier((x, 2 * x)))), 1),
    "nearest by index": (lambda x: enlarged_by_index(conv(x)), 1),
    "bilinear by index": (lambda x: bilinear_by_index(conv(x)), 2),
    "rolled by index": (lambda x: rolled_by_index(x)[:, 4:-4], None),
    "reflected by index": (reflected_by_index, 2),
    "one row by index": (lambda x: conv(x) + x[:, np.array([4])], None),
    "written": (lambda x: conv(x.at[:, 2:9, 3:, :].set(0.5 * x[:, 1:8, 3:])), 2),
    "written channels": (lambda x: x.at[..., :2].set(conv(x)[..., 1:3]), 1),
    "added": (lambda x: x.at[..., 1].add(conv(x)[..., 0]).at[:, :3].multiply(2.0), 1),
    "least and most": (lambda x: x.at[:, 4:6].min(0.1).at[:, 9:12].max(conv(x)[:, 9:12]), 1),
    "sorted channels": (lambda x: jnp.sort(conv(x), axis=-1), 1),
    "order of channels": (chosen_channels, 0),
    "greatest": (lambda x: sum(lax.top_k(conv(x), 3)[0][..., k:] * 1.0 for k in (2,)), 1),
    "places of the greatest": (lambda x: lax.top_k(x, 4)[1].astype(x.dtype) + x, 0),
    "windows convolved": (windows_convolved, 3),
    "mirrored and cut": (mirrored_and_cut, 1),
    "mirrored and all cut": (lambda x: mirrored_and_cut(x, 0), 1),
    "tokens by one pixel": (tokens_by_one_pixel, None),
    "sums so far": (lambda x: jnp.cumsum(conv(x), axis=3), 1),
    "patches transformed": (patches_transformed, 3),
}


@pytest.mark.parametrize("name", LOCAL)
def test_the_operation_has_its_radius_and_is_exact(name):
    f, radius = LOCAL[name]
    if radius is not None:
        assert cones.receptive_radius(f, X.shape) == radius
    compare(f)


def compare(f):
    out = jax.eval_shape(f, X).shape
    roi = (out[1] // 3, out[2] // 3, 3, 2)
    near = cones.reachable(f, X.shape, roi, GRID, 4)
    origins = GRID[near]
    plan = cones.plan(f, X.shape, roi, 4, origins=origins, class_cost=0.0, least=0.0)
    assert "behind" not in plan.note
    found, jitted = plan.prepare(X), jax.jit(f)
    for origin in origins[:: max(1, len(origins) // 3)].tolist():
        patches = RNG.normal(size=(2, 4, 4, 4)).astype(np.float32)
        expected = dense(jitted, X, roi, tuple(origin), patches)
        got = found.evaluate(tuple(origin), patches)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


GRID = np.stack(np.meshgrid(np.arange(-2, 24, 4), np.arange(-2, 20, 4)), -1).reshape(-1, 2)


def test_windows_that_overlap_are_picked_by_index():
    far = cones.reachable(overlapping_windows, X.shape, (0, 0, 1, 1), GRID, 4)
    np.testing.assert_array_equal(far, (GRID[:, 0] < 8) & (GRID[:, 1] < 1) & (GRID[:, 1] > -4))
    compare(overlapping_windows)


def test_what_only_depends_on_the_image_does_not_merge_rows_and_columns():
    near = cones.reachable(tokens_by_one_pixel, X.shape, (13, 9, 1, 1), GRID, 4)
    both = ((GRID <= (13, 9)) & (GRID > (8, 4))).all(axis=1)
    np.testing.assert_array_equal(near, both)


def test_rows_that_the_image_chooses_are_local_along_the_other_axes():
    far = cones.reachable(lambda x: jnp.sort(x, axis=1), X.shape, (3, 4, 1, 1), GRID, 4)
    np.testing.assert_array_equal(far, (GRID[:, 1] <= 4) & (GRID[:, 1] > 0))
    plan = cones.plan(rows_by_the_image, X.shape, (3, 4, 1, 1), 4, origins=GRID, least=0.0)
    # A box holds the pixel that chooses, at the corner, and the one that is shown.
    near = (GRID > -4).all(axis=1) & (GRID <= (3, 4)).all(axis=1)
    np.testing.assert_array_equal(plan.program_of >= 0, near)
    found = plan.prepare(X)
    for number in np.flatnonzero(plan.program_of >= 0).tolist():
        origin, patches = tuple(GRID[number].tolist()), RNG.normal(size=(2, 4, 4, 4))
        patches = patches.astype(np.float32)
        expected = dense(rows_by_the_image, X, (3, 4, 1, 1), origin, patches)
        np.testing.assert_allclose(found.evaluate(origin, patches), expected, rtol=1e-5, atol=1e-6)


def noisy(x):
    key = jax.random.key(0)
    return conv(x) + 0.1 * jax.random.normal(key, x.shape) + jax.random.uniform(
        jax.random.split(key)[1], x.shape)  # fmt: skip


def printing(x):
    y = conv(x)
    jax.debug.print("mean {}", y.mean())
    return conv(y)


def looping_never(x):
    y, rows = lax.scan(lambda c, k: (c * k, c), x, np.zeros((0,), np.float32))
    return conv(y) + rows.sum()


@pytest.mark.parametrize("f", [noisy, printing, looping_never])
def test_keys_messages_and_loops_without_a_step_are_no_obstacle(f):
    plan = cones.plan(f, X.shape, (8, 8, 4, 4), 4, class_cost=0.0)
    assert not plan.dense
    patches = RNG.normal(size=(2, 4, 4, 4)).astype(np.float32)
    expected = dense(f, X, (8, 8, 4, 4), (8, 8), patches)
    got = plan.prepare(X).evaluate((8, 8), patches)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_keys_among_the_parameters_are_passed_through():
    def f(params, x):
        return conv(x) + jax.random.normal(params["key"], x.shape)

    params = {"key": jax.random.key(3)}
    found = cones.cone(f, X, (8, 8, 4, 4), 4, params=params)
    patches = RNG.normal(size=(2, 4, 4, 4)).astype(np.float32)
    expected = dense(lambda x: f(params, x), X, (8, 8, 4, 4), (8, 8), patches)
    np.testing.assert_allclose(found.evaluate((8, 8), patches), expected, rtol=1e-5, atol=1e-5)
    part = cones.restricted(f, params, X, (8, 8, 4, 4))
    np.testing.assert_allclose(part, f(params, X)[:, 8:12, 8:12], rtol=1e-5, atol=1e-5)
