"""Training mode is seen in functions too, where no module says so."""

import warnings

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import unchanged
from flax import nnx

import cem_jax as cem
from cem_jax.cone import used_arguments

ROI = cem.ROI(24, 32, 16, 16)


class Normed(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(3, 3, (1, 1), rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return x + 0.1 * self.drop(self.norm(self.conv(x)))


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        return x + 0.1 * nn.BatchNorm(use_running_average=not train)(x)


def from_split(module):
    graph, state = nnx.split(module)
    return cem.wrap(lambda params, x: nnx.merge(graph, params)(x), params=state, name="split")


def made(network, clean):
    scene = cem.Scene.custom(clean, clean, unchanged)
    return cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(1), progress=False)


def linen(**how):
    variables = Linen().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))

    def forward(params, x):
        found = Linen().apply(params, x, **how)
        return found[0] if isinstance(found, tuple) else found

    return cem.wrap(forward, params=variables, name="linen")


def test_learnt_statistics_that_are_not_used_are_refused_by_the_layer(clean):
    module = Normed()
    module.drop.eval()
    split = from_split(module)
    for _ in range(2):  # and again when it is asked again
        with pytest.raises(ValueError, match=r"network=split: .*that norm learnt .*training mode"):
            made(split, clean)
    with pytest.raises(ValueError, match=r"network=linen: .*that BatchNorm_0 learnt"):
        made(linen(mutable=["batch_stats"]), clean)
    with pytest.raises(ValueError, match=r"that norm learnt"):
        cem.gradient_map(from_split(module), cem.Scene.custom(clean, clean), ROI)


def test_dropout_that_drops_is_warned_of(clean):
    module = Normed()
    module.norm.eval()
    with pytest.warns(UserWarning, match=r"network=split: .*drop\.rngs\.key"):
        made(from_split(module), clean)


def test_evaluation_mode_is_taken_without_a_word(clean):
    module = Normed()
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = made(from_split(module), clean)
        made(linen(train=False), clean)
    np.testing.assert_array_equal(found.values, made(cem.wrap(module), clean).values)


def test_a_layer_that_nothing_asks_is_not_in_training_mode(clean):
    class Idle(Normed):
        def __call__(self, x):
            return x + 0.1 * self.conv(x)

    made(from_split(Idle()), clean)


def test_what_a_result_depends_on():
    def function(a, b, c, d):
        unused = jnp.sin(b)
        kept, _ = jax.jit(lambda p, q: (2 * p, unused + q))(a, c)
        return jax.lax.fori_loop(0, 2, lambda _, y: y + d, kept)

    number = jax.ShapeDtypeStruct((), np.float32)
    assert used_arguments(function, *(number,) * 4) == [True, False, False, True]
