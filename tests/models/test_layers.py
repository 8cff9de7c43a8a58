"""Shared layers whose computation differs from their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cem_jax.models.layers import Chain, Conv, ModulatedDeformConv, ResBlock, Sequential, repeat

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(2, 7, 9, 4)), jnp.float32)


def run(module):
    graph, state = nnx.split(module)
    return jax.jit(lambda state, x: nnx.merge(graph, state)(x))(state, X)


@pytest.mark.parametrize("length,loops", [(0, 0), (1, 0), (8, 0), (9, 1)])
def test_a_chain_is_its_modules_in_a_row_and_a_long_one_a_loop(length, loops):
    blocks = [ResBlock(4, rngs=nnx.Rngs(seed)) for seed in range(length)]
    np.testing.assert_allclose(run(Chain(*blocks)), run(Sequential(*blocks)), rtol=1e-5, atol=1e-6)
    equations = jax.make_jaxpr(lambda x: Chain(*blocks)(x))(X).jaxpr.eqns
    assert [eqn.primitive.name for eqn in equations].count("scan") == loops


def test_a_chain_loops_over_its_longest_runs_only():
    last = Conv(4, 4, rngs=nnx.Rngs(99))
    blocks = [ResBlock(4, rngs=nnx.Rngs(seed)) for seed in range(10)]
    chain = Chain(*blocks, last)
    np.testing.assert_allclose(run(chain), run(Sequential(*blocks, last)), rtol=1e-5, atol=1e-6)
    names = [eqn.primitive.name for eqn in jax.make_jaxpr(chain)(X).jaxpr.eqns]
    assert (names.count("scan"), names.count("conv_general_dilated")) == (1, 1)


def test_modules_of_different_structure_are_no_repetition():
    with pytest.raises(ValueError, match="equal structure"):
        repeat([Conv(4, 4, rngs=nnx.Rngs(0)), Conv(4, 4, 1, rngs=nnx.Rngs(0))], X)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_deformable_convolution_sums_what_lies_between_the_pixels(groups):
    layer = ModulatedDeformConv(4, 5, 4, deformable_groups=groups, rngs=nnx.Rngs(1))
    layer.bias[...] = jnp.arange(5.0)
    shape = layer.conv_offset_mask.kernel.shape
    layer.conv_offset_mask.kernel[...] = jnp.asarray(RNG.normal(size=shape) / 3, jnp.float32)
    graph, state = nnx.split(layer)

    def both(state, x):
        merged = nnx.merge(graph, state)
        return merged(x, x), merged.conv_offset_mask(x)

    got, maps = jax.jit(both)(state, X)
    maps, x, kernel = (np.asarray(part, np.float64) for part in (maps, X, layer.kernel[...]))
    (n, h, w), width = x.shape[:3], x.shape[3] // groups
    expected = np.tile(np.arange(5.0), (n, h, w, 1))
    for image, row, column, group, tap in np.ndindex(n, h, w, groups, 9):
        dy, dx = maps[image, row, column, 18 * group + 2 * tap :][:2]
        weight = 1 / (1 + np.exp(-maps[image, row, column, 18 * groups + 9 * group + tap]))
        own = slice(group * width, (group + 1) * width)
        y, left = row + tap // 3 - 1 + dy, column + tap % 3 - 1 + dx
        value = np.zeros(width)
        for corner in np.ndindex(2, 2):
            at = np.floor([y, left]).astype(int) + corner
            inside = (0 <= at[0] < h) and (0 <= at[1] < w)
            share = np.prod(1 - np.abs(at - [y, left]))
            value += inside * share * x[(image, *np.clip(at, 0, (h - 1, w - 1)))][own]
        expected[image, row, column] += weight * value @ kernel[tap // 3, tap % 3, own]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
