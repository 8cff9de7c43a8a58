"""Windows are pasted where the fewest elements are, and what they give stays exact."""

import jax.numpy as jnp
import numpy as np
import pytest

from cem_jax import cone as cones
from cem_jax.cone import pasting

RNG = np.random.default_rng(0)
SHAPE, ROI, BLOCK = (1, 64, 64, 3), (24, 24, 16, 16), 8
WEIGHTS = {
    "first": RNG.normal(size=(3, 8)).astype(np.float32),
    "wide": RNG.normal(size=(8, 48)).astype(np.float32) / 8,
    "narrow": RNG.normal(size=(8, 2)).astype(np.float32),
}
LAST = {
    "wide": RNG.normal(size=(48, 3)).astype(np.float32) / 48,
    "narrow": RNG.normal(size=(2, 3)).astype(np.float32),
}


def mixed(y):
    """Squares of 8 x 8 tokens, each of which gets their mean."""
    n, h, w, c = y.shape
    squares = y.reshape(n, h // 8, 8, w // 8, 8, c)
    return (squares + squares.mean(axis=(2, 4), keepdims=True)).reshape(n, h, w, c)


def blurred(x):
    """A change that reaches beyond its square, so that what is read is more than what changes."""
    return x + jnp.roll(x, 1, axis=1) + jnp.roll(x, 1, axis=2)


def network(width):
    def f(x):
        y = jnp.tanh(blurred(x) @ WEIGHTS["first"])
        return mixed(jnp.abs(y @ WEIGHTS[width] + 0.1)) @ LAST[width]

    return f


def pasted(plan):
    """Channels of the values that are pasted, of all programs."""
    return {
        read.size[-1]
        for program in plan.programs
        for step in program.steps
        for read in step.reads
        if getattr(read, "key", None) is not None and read.cut is not None
    }


def planned(width):
    return cones.plan(network(width), SHAPE, ROI, BLOCK, least=0.0, class_cost=0.0)


def check_exact(plan, f):
    x = RNG.random(SHAPE, np.float32)
    cone = plan.prepare(x)
    y, left, h, w = ROI
    for number in range(len(plan.programs)):
        block = int(np.flatnonzero(plan.program_of == number)[0])
        origin = plan.origins[block]
        patches = RNG.random((2, BLOCK, BLOCK, 3), np.float32)
        found = np.asarray(cone.evaluate(origin, patches))
        for patch, one in zip(patches, found, strict=True):
            changed = x.copy()
            changed[0, origin[0] : origin[0] + BLOCK, origin[1] : origin[1] + BLOCK] = patch
            wanted = np.asarray(f(jnp.asarray(changed)))[0, y : y + h, left : left + w]
            np.testing.assert_allclose(one, wanted, atol=1e-5)


def test_what_is_wider_than_its_operand_is_computed_where_it_is_read():
    plan = planned("wide")
    check_exact(plan, network("wide"))
    assert max(pasted(plan)) <= 8


def test_what_is_narrower_than_its_operand_is_pasted_itself():
    plan = planned("narrow")
    check_exact(plan, network("narrow"))
    assert 2 in pasted(plan)


def test_without_it_the_wide_value_is_pasted(monkeypatch):
    monkeypatch.setattr(pasting, "_WORTH", 0.0)
    plan = planned("wide")
    check_exact(plan, network("wide"))
    assert 48 in pasted(plan)


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_multiply_adds_count_what_is_computed(width):
    plan = planned(width)
    reach = plan.program_of >= 0
    assert (plan.multiply_adds.programs[reach] >= plan.multiply_adds.cone[reach]).all()


def test_what_is_repeated_is_kept_once():
    """A mask of windows is the same for all queries, and is not kept for each of them."""
    some = RNG.random(64) < 0.5

    def f(x):
        y = jnp.tanh(blurred(x) @ WEIGHTS["first"])
        tokens = y.reshape(1, 8, 8, 8, 8, 8).swapaxes(2, 3).reshape(1, 64, 64, 8)
        products = jnp.einsum("nwqc,nwkc->nwqk", tokens, tokens)
        products = jnp.where(some[None, :, None, None], products, -1.0)
        y = jnp.einsum("nwqk,nwkc->nwqc", products, tokens) / 64
        y = y.reshape(1, 8, 8, 8, 8, 8).swapaxes(2, 3).reshape(1, 64, 64, 8)
        return y @ LAST["wide"][:8]

    plan = cones.plan(f, SHAPE, ROI, BLOCK, least=0.0, class_cost=0.0)
    check_exact(plan, f)
    kept = [array for one in plan.prepare(RNG.random(SHAPE, np.float32)).caches for array in one]
    assert kept and max(array.size for array in kept) < 64 * 64
