"""What the analysis says of a function: radius, reach, work, and where nothing is gained."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from test_exact import dense

from cem_jax import cone as cones

RNG = np.random.default_rng(0)
KERNELS = RNG.normal(size=(5, 3, 3, 4, 4)).astype(np.float32) / 6
X = RNG.random((1, 40, 44, 4), np.float32)
ROI = (16, 20, 8, 8)


def conv(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def local(x):
    for kernel in KERNELS:
        x = jax.nn.relu(conv(x, kernel))
    return x


def attended(x):
    y = conv(x, KERNELS[0])
    y = y * jax.nn.sigmoid(jnp.mean(y, axis=(1, 2), keepdims=True))
    return conv(y, KERNELS[1])


def looped(x):
    return lax.scan(lambda y, k: (jax.nn.relu(conv(y, k)), None), x, KERNELS)[0]


def by_platform(x):
    """Looped; global in the branch that the default backend does not take."""
    other = "tpu" if jax.default_backend() == "cpu" else "cpu"

    def elsewhere(y, kernel):
        return y * jnp.mean(y) + 0 * jnp.sum(kernel)

    def step(y, kernel):
        return lax.platform_dependent(y, kernel, default=conv, **{other: elsewhere}), None

    return lax.scan(step, x, KERNELS)[0]


def printed(x):
    y = conv(x, KERNELS[0])
    jax.debug.print("mean {}", y.mean())
    return conv(y, KERNELS[1])


def noisy(x):
    return conv(x + jax.random.normal(jax.random.key(0), x.shape), KERNELS[0])


def never_looped(x):
    return lax.scan(lambda y, k: (jax.nn.relu(conv(y, k)), None), local(x), KERNELS[:0])[0]


@pytest.mark.parametrize(("f", "radius"), [(printed, 2), (noisy, 1), (never_looped, 5)])
def test_prints_fixed_noise_and_loops_without_a_step_are_as_exact(f, radius):
    assert cones.receptive_radius(f, X.shape) == radius
    origin, patches = (24, 24), RNG.random((2, 4, 4, 4), np.float32)
    got = cones.plan(f, X.shape, ROI, 4).prepare(X).evaluate(origin, patches)
    np.testing.assert_allclose(
        got, dense(jax.jit(f), X, ROI, origin, patches), rtol=1e-5, atol=1e-5
    )


def test_of_code_that_depends_on_the_platform_the_own_branch_counts():
    assert cones.receptive_radius(by_platform, (1, 8, 8, 4)) == 5
    plan = cones.plan(by_platform, X.shape, ROI, 4)
    assert plan.multiply_adds.dense == X.shape[1] * X.shape[2] * KERNELS.size
    origin, patches = (24, 24), RNG.random((2, 4, 4, 4), np.float32)
    got = plan.prepare(X).evaluate(origin, patches)
    expected = dense(jax.jit(by_platform), X, ROI, origin, patches)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_receptive_radius_of_a_stack_is_its_depth():
    assert cones.receptive_radius(local, (1, 8, 8, 4)) == 5
    assert cones.receptive_radius(looped, (1, 8, 8, 4)) == 5


def test_a_mean_over_the_image_has_no_radius():
    assert cones.receptive_radius(attended, (1, 8, 8, 4)) is None
    assert cones.receptive_radius(lambda x: jnp.sort(x, axis=1), (1, 8, 8, 4)) is None


@pytest.mark.parametrize(
    ("method", "alone", "before"), [("nearest", 0, 3), ("linear", 1, 3), ("cubic", 2, 4)]
)
def test_resizing_has_the_radius_of_its_kernel(method, alone, before):
    def f(x):
        return jax.image.resize(x, (1, 2 * x.shape[1], 2 * x.shape[2], 4), method)

    # Five convolutions of enlarged pixels reach 2.75 pixels back from a pixel's first one.
    assert cones.receptive_radius(f, (1, 16, 16, 4)) == alone
    assert cones.receptive_radius(lambda x: local(f(x)), (1, 16, 16, 4)) == before


def test_a_matrix_is_known_unless_it_is_a_parameter():
    matrix, far, below = np.eye(8, dtype=np.float32), np.array([(6, 0)]), (0, 0, 2, 2)

    def f(params, x):
        return jnp.einsum("nhwc,hk->nkwc", x, params)

    def closed(x):
        return f(matrix, x)

    assert cones.reachable(f, (1, 8, 8, 4), below, far, 2, matrix).all()
    assert not cones.reachable(closed, (1, 8, 8, 4), below, far, 2).any()


def test_a_crossed_shuffle_reaches_within_its_cell():
    def cells(x):
        y = x.reshape(1, x.shape[1] // 4, 4, x.shape[2] // 4, 4, 4)
        return (y - y.mean(axis=(2, 4), keepdims=True)).reshape(x.shape)

    assert cones.receptive_radius(cells, (1, 16, 16, 4)) == 3


def test_blocks_that_cannot_reach_the_region_are_told():
    origins = np.stack(np.meshgrid(np.arange(0, 40, 4), np.arange(0, 44, 4)), -1).reshape(-1, 2)
    found = cones.reachable(local, X.shape, ROI, origins, 4)
    y, x = origins.T
    expected = (y + 4 > 16 - 5) & (y < 24 + 5) & (x + 4 > 20 - 5) & (x < 28 + 5)
    np.testing.assert_array_equal(found, expected)


def test_work_is_that_of_both_cones_intersected():
    plan = cones.plan(local, X.shape, ROI, 4, origins=[(12, 14), (12, 10)], class_cost=0)
    each = 9 * 4 * 4
    assert plan.multiply_adds.dense == 5 * 40 * 44 * each
    assert plan.multiply_adds.crop == sum((8 + 2 * r) ** 2 for r in range(5)) * each
    # Layer k changes k pixels around the block, and the region needs 5 - k pixels around it.
    rows = [(max(12 - k, 16 - 5 + k), min(16 + k, 24 + 5 - k)) for k in range(1, 6)]
    columns = [(max(14 - k, 20 - 5 + k), min(18 + k, 28 + 5 - k)) for k in range(1, 6)]
    both = zip(rows, columns, strict=True)
    exact = sum((b - a) * (d - c) for (a, b), (c, d) in both if b > a and d > c) * each
    # The second block ends at column 14, six pixels from the region.
    np.testing.assert_array_equal(plan.multiply_adds.cone, [exact, 0])
    np.testing.assert_array_equal(plan.multiply_adds.programs, [exact, 0])


def test_more_expensive_programs_are_fewer():
    few, many = (cones.plan(local, X.shape, ROI, 4, class_cost=cost) for cost in (1e12, 0))
    assert len(few.programs) == 1 < len(many.programs)
    assert few.multiply_adds.programs.sum() > many.multiply_adds.programs.sum()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: local(x - x.mean(axis=(1, 2), keepdims=True)),
        lambda x: local(jnp.sort(x, None).reshape(x.shape)),
    ],
)
def test_behind_a_global_operation_the_computation_is_dense_and_says_so(f):
    found = cones.cone(f, X, ROI, 4)
    assert found.plan.dense
    assert found.plan.note.startswith("dense")
    patches = RNG.random((2, 4, 4, 4), np.float32)
    expected = dense(f, X, ROI, (0, 8), patches)
    np.testing.assert_allclose(found.evaluate((0, 8), patches), expected, rtol=1e-5, atol=1e-6)


def test_windows_around_a_global_operation_are_exact_too():
    plan = cones.plan(attended, X.shape, ROI, 4, origins=[(0, 8), (36, 40)], least=0)
    assert not plan.dense
    assert plan.note.endswith("everything may change behind reduce_sum")
    assert plan.multiply_adds.cone.max() < plan.multiply_adds.crop
    found, patches = plan.prepare(X), RNG.random((2, 4, 4, 4), np.float32)
    expected = dense(attended, X, ROI, (36, 40), patches)
    np.testing.assert_allclose(found.evaluate((36, 40), patches), expected, rtol=1e-5, atol=1e-6)


def test_windows_that_leave_no_memory_are_not_used():
    free = cones.plan(local, X.shape, ROI, 4, origins=[(8, 16), (24, 28)])
    arrays = free.code.baseline.run([], list(free.constants), X)[0]
    taken = sum(one.nbytes for one in arrays)
    fits, not_ = (
        cones.plan(local, X.shape, ROI, 4, origins=[(8, 16), (24, 28)], memory=bytes_)
        for bytes_ in (taken, taken - 1)
    )
    assert not free.dense and not fits.dense and not_.dense
    assert re.match(r"dense: causal cones would keep .* GiB of the network's values", not_.note)
    patches = RNG.random((2, 4, 4, 4), np.float32)
    expected = dense(local, X, ROI, (24, 28), patches)
    found = not_.prepare(X).evaluate((24, 28), patches)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_block_out_of_reach_returns_the_baseline_itself():
    found = cones.cone(local, X, ROI, 4)
    got = np.asarray(found.evaluate((0, 0), RNG.random((3, 4, 4, 4), np.float32)))
    assert (got == np.asarray(found.region)).all()
    expected = np.asarray(local(X))[0, 16:24, 20:28]
    np.testing.assert_allclose(found.region, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x,
        lambda x: x[:, ::-1],
        lambda x: x[:, 1::2, ::3],
        lambda x: jnp.pad(x, ((0, 0), (0, 2), (1, 0), (0, 0)), mode="edge"),
    ],
)
def test_functions_without_arithmetic_are_exact_too(f):
    roi, patches = (0, 2, 19, 9), RNG.random((2, 4, 4, 4), np.float32)
    found = cones.cone(f, X, roi, 4)
    for origin in ((8, 8), (36, 40)):
        got = found.evaluate(origin, patches)
        np.testing.assert_array_equal(got, dense(f, X, roi, origin, patches))


def test_a_plan_serves_other_images_and_parameters():
    def f(params, x):
        return conv(jax.nn.relu(conv(x, params["a"])), params["b"])

    params = [{"a": KERNELS[k], "b": KERNELS[k + 1]} for k in (0, 2)]
    plan = cones.plan(f, X.shape, ROI, 4, params=params[0])
    patches = RNG.random((2, 4, 4, 4), np.float32)
    for one, x in zip(params, (X, 1 - X), strict=True):
        got = plan.prepare(x, one).evaluate((16, 16), patches)
        expected = dense(lambda image, one=one: f(one, image), x, ROI, (16, 16), patches)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_program_is_a_pure_function_of_arrays():
    plan = cones.plan(local, X.shape, ROI, 4)
    found, index = plan.prepare(X), plan.index((16, 16))
    patches, k = jnp.asarray(RNG.random((2, 4, 4, 4), np.float32)), plan.program_of[index]
    step = jax.jit(lambda c, o, p: cones.run(plan.programs[k], c, o, p).sum())
    total = step(found.caches[k], plan.offsets[index], patches)
    np.testing.assert_allclose(total, found.evaluate((16, 16), patches).sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (40, 44, 4)}, "shape="),
        ({"roi": (36, 0, 8, 8)}, "roi="),
        ({"block": 0}, "block=0"),
        ({"f": lambda x: jnp.zeros((1, 8, 8, 3))}, "does not depend"),
        ({"f": lambda x: (x, x)}, "one array"),
        ({"f": lambda x: x.sum()}, "its result has shape"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"f": local, "shape": X.shape, "roi": ROI, "block": 4, **change}
    with pytest.raises(ValueError, match=message):
        cones.plan(given["f"], given["shape"], given["roi"], given["block"])


@pytest.mark.usefixtures("unchecked")
def test_bad_calls_are_refused():
    found = cones.cone(local, X, ROI, 4)
    with pytest.raises(ValueError, match="origin="):
        found.evaluate((1, 1), jnp.zeros((1, 4, 4, 4)))
    with pytest.raises(ValueError, match="patches has shape"):
        found.evaluate((0, 0), jnp.zeros((4, 4, 4)))
    with pytest.raises(ValueError, match="x has shape"):
        found.plan.prepare(X[0])
