"""What the cone reads of jaxprs is what this JAX writes; what it cannot read is global."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from test_exact import dense

from cem_jax import cone as cones
from cem_jax.cone import jaxpr
from cem_jax.cone.rewrite import REWRITES
from cem_jax.cone.rules import RULES

X = np.random.default_rng(0).random((1, 24, 24, 4), np.float32)
WHOLE = np.ones((4, 6), np.int32)
KERNEL = np.random.default_rng(1).normal(size=(3, 3, 4, 4)).astype(np.float32) / 6


def conv(x, kernel=KERNEL):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pooled(x):
    both = (1, 2, 2, 1), (1, 1, 1, 1), "SAME"
    return [lax.reduce_window(x, *by, *both) for by in
            [(0.0, lax.add), (-jnp.inf, lax.max), (jnp.inf, lax.min)]]  # fmt: skip


PER_ELEMENT = (
    lax.abs, lax.acos, lax.acosh, lax.asin, lax.asinh, lax.atan, lax.atanh, lax.bessel_i0e,
    lax.bessel_i1e, lax.cbrt, lax.ceil, lax.cos, lax.cosh, lax.digamma, lax.erf, lax.erf_inv,
    lax.erfc, lax.exp, lax.exp2, lax.expm1, lax.floor, lax.is_finite, lax.lgamma, lax.log,
    lax.log1p, lax.logistic, lax.neg, lax.round, lax.rsqrt, lax.sign, lax.sin, lax.sinh, lax.sqrt,
    lax.square, lax.tan, lax.tanh, jnp.copy, lambda x: lax.integer_pow(x, 3),
    lambda x: x.astype(np.int32), lambda x: lax.reduce_precision(x, 5, 5),
)  # fmt: skip
PER_PAIR = (
    lax.add, lax.atan2, lax.div, lax.eq, lax.ge, lax.gt, lax.igamma, lax.igammac, lax.le, lax.lt,
    lax.max, lax.min, lax.mul, lax.ne, lax.nextafter, lax.pow, lax.rem, lax.sub,
)  # fmt: skip
PER_WHOLE = (
    lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor, lax.shift_left, lax.shift_right_arithmetic,
    lax.shift_right_logical,
)  # fmt: skip
FUNCTIONS = {
    "of one element": lambda x: [f(x) for f in PER_ELEMENT],
    "of two": lambda x: [f(x, x + 1) for f in PER_PAIR],
    "of whole numbers": lambda x: [
        *(f(WHOLE, x.astype(np.int32)[0, :4, :6, 0]) for f in PER_WHOLE),
        lax.bitwise_not(WHOLE), lax.population_count(WHOLE), lax.clz(WHOLE),
    ],
    "of three": lambda x: [lax.clamp(0.0, x, 1.0), lax.select(x > 0, x, -x)],
    "reductions": lambda x: [
        x.sum(1), x.max(1), x.min(1), x.prod(1), (x > 0).all(1), (x > 0).any(1), x.argmax(1),
        x.argmin(1), jnp.bitwise_xor.reduce(x.astype(np.int32), 1),
    ],
    "along": lambda x: [
        f(x, 1) for f in (lax.cumsum, lax.cumprod, lax.cummax, lax.cummin, lax.cumlogsumexp)
    ],
    "pooling": pooled,
    "convolution": conv,
    "product": lambda x: x @ np.eye(4, dtype=np.float32),
    "shapes": lambda x: [
        x.reshape(-1), x.T, lax.broadcast_in_dim(x, (2, *x.shape), (1, 2, 3, 4)), x[0], x[:, ::-1],
        lax.pad(x, 0.0, [(0, 1, 1)] * 4), x[:, 1:3, ::2], lax.concatenate([x, x], 1),
        jnp.split(x, 2, 1), jnp.tile(x, (1, 2, 2, 1)), jnp.stack([x, x]), jnp.unstack(x, axis=1),
        lax.dynamic_slice(x, (0, 1, 1, 0), (1, 2, 2, 4)),
        lax.dynamic_update_slice(x, x[:, :2], (0, 1, 1, 0)), jnp.take(x, np.array([0, 2]), 1),
    ],
    "along axes": lambda x: [
        jnp.sort(x, 1), lax.top_k(x, 2), jnp.fft.fft2(x, axes=(1, 2)), jnp.fft.irfft(x, axis=1),
    ],
    "complex numbers": lambda x: [
        f(lax.complex(x, x)) for f in (jnp.conj, jnp.real, jnp.imag)
    ],
    "gathering and scattering": lambda x: [
        jnp.take_along_axis(x, jnp.argsort(x, 2), 2), x[:, np.array([[0], [3]]), np.array([1, 5])],
        x.at[:, 2:4].set(0.0), x.at[:, 2:4].add(0.5), x.at[:, 2:4].mul(2.0), x.at[:, 2:4].min(0.2),
        x.at[:, 2:4].max(0.2), lax.optimization_barrier(x),
    ],
    "calls": lambda x: [
        jax.jit(jnp.sin)(x), jax.checkpoint(jnp.sin)(x), jax.nn.relu(x), jax.nn.gelu(x),
        lax.platform_dependent(x, default=lambda x: x, tpu=lambda x: -x), jax.nn.softmax(x),
    ],
    "loops": lambda x: lax.scan(lambda c, k: (c + k, c), x[:, 0], x.swapaxes(0, 1)),
}  # fmt: skip
NEVER_MADE = {"add_any", "copy_p", "pick"}
"""By these functions: of sums in gradients, of older versions, and the cone's own."""


def equations(closed):
    for eqn in jaxpr.opened(closed)[0].eqns:
        yield eqn
        inner, loop = jaxpr.called(eqn), jaxpr.loop(eqn)
        if inner is not None or loop is not None:
            yield from equations(loop.body if inner is None else inner)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_parameters_of_every_primitive_with_a_rule_are_those_expected(kind):
    for eqn in equations(jax.make_jaxpr(FUNCTIONS[kind])(X)):
        name = eqn.primitive.name
        if name in RULES or name in REWRITES:
            assert jaxpr.misread(name, eqn.params) == (), f"{name} in jax {jax.__version__}"
        if name == "scan":
            assert jaxpr.loop(eqn) is not None, f"scan in jax {jax.__version__}"


def test_every_primitive_with_a_rule_is_made_here():
    made = {e.primitive.name for f in FUNCTIONS.values() for e in equations(jax.make_jaxpr(f)(X))}
    assert (RULES.keys() | REWRITES.keys()) - made <= NEVER_MADE, f"jax {jax.__version__}"


def test_a_loop_is_read_with_constants_carried_values_and_rows():
    def f(x):
        def step(carry, row):
            total, count = carry
            return (total + row * x, count + 1), (total, row)

        return lax.scan(step, (x, 0), np.ones(5), reverse=True)

    (eqn,) = [e for e in jax.make_jaxpr(f)(X).eqns if e.primitive.name == "scan"]
    found = jaxpr.loop(eqn)
    assert found is not None, f"scan in jax {jax.__version__}"
    assert (found.consts, found.carried, found.length, found.reverse) == (1, 2, 5, True)


def exact(f):
    origins = np.stack(np.meshgrid(*[np.arange(0, 24, 4)] * 2), -1).reshape(-1, 2)
    plan = cones.plan(f, X.shape, (8, 8, 6, 6), 4, origins=origins, class_cost=0.0)
    patches = np.random.default_rng(2).random((2, 4, 4, 4), np.float32)
    for origin in ((4, 4), (8, 12)):
        expected = dense(f, X, (8, 8, 6, 6), origin, patches)
        got = plan.prepare(X).evaluate(origin, patches)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    return plan


def test_a_primitive_with_a_parameter_that_is_not_understood_is_global(monkeypatch):
    plan = exact(conv)
    assert not plan.dense
    assert "behind" not in plan.note
    monkeypatch.setattr(jaxpr, "_OTHERS", jaxpr._OTHERS - {"precision"})
    plan = exact(conv)
    assert plan.dense
    assert "everything may change behind conv_general_dilated" in plan.note
    assert plan.note.endswith("not understood in this JAX: conv_general_dilated (precision)")


def test_a_loop_with_a_parameter_that_is_not_understood_is_global(monkeypatch):
    def f(x):
        return lax.scan(lambda y, _: (conv(y), None), x, None, length=2)[0]

    assert "behind" not in exact(f).note
    monkeypatch.setattr(jaxpr, "_LOOP", jaxpr._LOOP - {"unroll"})
    assert exact(f).note.endswith("everything may change behind scan")


def test_an_unknown_primitive_is_global():
    def f(x):
        return conv(lax.while_loop(lambda y: y.sum() < 0, conv, conv(x)))

    assert exact(f).note.endswith("everything may change behind while")
