"""Two windows: exact where they hold all that matters, close elsewhere, and cheap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cem_jax import cone as cones
from cem_jax.cone.geometry import runs
from cem_jax.cone.trace import trace

SIZE, BLOCK, ROI = 48, 8, (16, 16, 8, 8)
RNG = np.random.default_rng(0)
KERNELS = [
    RNG.normal(0, 0.15, (3, 3, a, b)).astype(np.float32) for a, b in ((3, 8), (8, 8), (8, 3))
]
IMAGE = RNG.random((1, SIZE, SIZE, 3), np.float32)
ORIGINS = np.stack(np.meshgrid(*[np.arange(0, SIZE, BLOCK)] * 2, indexing="ij"), -1).reshape(-1, 2)


def conv(x, kernel, stride=1):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=layout
    )


def attention(x):
    """Channels weighted by their means, twice."""
    y = jax.nn.relu(conv(x, KERNELS[0]))
    y = y * jax.nn.sigmoid(4 * jnp.mean(y, (1, 2), keepdims=True)) + conv(y, KERNELS[1])
    y = y * jax.nn.sigmoid(4 * jnp.mean(y, (1, 2), keepdims=True))
    return x + conv(jnp.tanh(y), KERNELS[2])


def channels_by_channels(x):
    """Attention among channels, over all pixels."""
    y = jnp.tanh(conv(x, KERNELS[0]))
    flat = y.reshape(y.shape[0], -1, y.shape[3])
    products = jnp.einsum("bpc,bpd->bcd", flat, flat) / flat.shape[1]
    return x + conv(
        jnp.einsum("bcd,bpd->bpc", jax.nn.softmax(products), flat).reshape(y.shape), KERNELS[2]
    )


def brightest(x):
    """A statistic by way of a maximum, which is no sum."""
    y = jnp.tanh(conv(x, KERNELS[0]))
    most = jax.nn.logsumexp(8 * y, axis=(1, 2), keepdims=True)
    return conv(y / (1 + most), KERNELS[2])


def small_map(x):
    """A map of few pixels, which sees far, enlarged again."""
    y = jax.nn.relu(conv(x, KERNELS[0]))
    low = jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, (1, 8, 8, 1), (1, 8, 8, 1), "VALID")
    gate = jax.nn.sigmoid(conv(conv(low, KERNELS[1]), KERNELS[1]))
    gate = jnp.repeat(jnp.repeat(gate, 8, 1), 8, 2)
    return x + conv(y * gate, KERNELS[2])


NETWORKS = [attention, channels_by_channels, brightest, small_map]


def planned(f, margin):
    return cones.two_windows(f, IMAGE.shape, ROI, BLOCK, origins=ORIGINS, margin=margin)


def compared(f, margin, origin):
    """Largest difference from the truth, and the largest effect."""
    y, x = origin
    patches = np.random.default_rng(1).random((2, BLOCK, BLOCK, 3), np.float32)
    images = np.repeat(IMAGE, 2, 0)
    images[:, y : y + BLOCK, x : x + BLOCK] = patches
    truth, still = np.asarray(f(jnp.asarray(images))), np.asarray(f(jnp.asarray(IMAGE)))
    rows, columns = slice(ROI[0], ROI[0] + ROI[2]), slice(ROI[1], ROI[1] + ROI[3])
    found = np.asarray(planned(f, margin).prepare(jnp.asarray(IMAGE)).evaluate(origin, patches))
    truth, still = truth[:, rows, columns], still[:, rows, columns]
    return np.abs(found - truth).max(), np.abs(truth - still).max()


@pytest.mark.parametrize("f", NETWORKS)
@pytest.mark.parametrize("origin", [(0, 0), (40, 40), (8, 16)])
def test_windows_that_hold_everything_are_exact(f, origin):
    wrong, effect = compared(f, SIZE, origin)
    assert effect > 1e-5 and wrong < 2e-6


@pytest.mark.parametrize("f", NETWORKS)
@pytest.mark.parametrize("origin", [(0, 0), (40, 40)])
def test_small_windows_far_from_the_region_see_most_of_the_effect(f, origin):
    wrong, effect = compared(f, 4, origin)
    assert effect > 1e-5 and wrong < 0.3 * effect


@pytest.mark.parametrize("f", NETWORKS)
def test_windows_cost_little(f):
    plan = planned(f, 2)
    work = plan.multiply_adds
    assert len(plan.programs) == 2 and set(plan.program_of.tolist()) == {0, 1}
    assert work.programs.max() < 0.5 * work.dense
    assert work.programs[plan.program_of == 0].max() < work.programs[plan.program_of == 1].max()
    assert "not exact" in plan.note and not plan.dense


def test_rows_and_columns_are_followed_through_strides_transposes_and_means():
    def f(x):
        y = conv(x, KERNELS[0], stride=2)
        y = jnp.transpose(y, (0, 3, 2, 1))  # channels, columns, rows
        y = y * jnp.mean(y, (2, 3), keepdims=True)
        return jnp.repeat(jnp.repeat(jnp.transpose(y, (0, 3, 2, 1)), 2, 1), 2, 2)

    graph = trace(lambda _, x: f(x), None, IMAGE.shape, jnp.float32)
    found = runs(lambda _, x: f(x), None, IMAGE.shape, jnp.float32, graph)
    turned = next(eq for eq in graph.equations if eq.name == "transpose").outputs[0]
    assert [(run.axis, run.along, run.rate) for run in found[turned]] == [(3, 0, 0.5), (2, 1, 0.5)]
    mean = next(eq for eq in graph.equations if eq.name == "reduce_sum").outputs[0]
    assert found[mean] == ()
    assert [run.rate for run in found[graph.output]] == [1.0, 1.0]


def test_a_function_of_one_size_has_no_windows():
    weights = jnp.ones((1, SIZE, SIZE, 1))
    assert planned(lambda x: x * weights * jnp.mean(x), 2) is None
