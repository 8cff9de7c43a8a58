"""Layers that have a form of their own on CPU: equal to the plain one, which other backends get."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from cem_jax import cone as cones
from cem_jax.models.layers import Conv, ConvTranspose

NHWC = ("NHWC", "HWIO", "NHWC")
SHAPE = (2, 11, 14)

CONVS = [  # in, out, size, and what differs from the defaults
    (6, 6, 3, {"groups": 6}),
    (6, 6, 5, {"groups": 6, "stride": 2}),
    (4, 4, 3, {"groups": 4, "dilation": 2, "padding": 1}),
    (3, 3, 2, {"groups": 3, "padding": 2}),
    (4, 12, 3, {"groups": 4}),
    (6, 4, 3, {"groups": 2, "stride": 2, "padding": 0}),
    (12, 8, 1, {"groups": 4}),
]
TRANSPOSED = [
    (5, 4, 2, {"stride": 2}),
    (3, 2, 4, {"stride": 2, "padding": 1}),
    (4, 3, 6, {"stride": 2, "padding": 2, "output_padding": 1}),
    (4, 3, 8, {"stride": 4, "padding": 2}),
    (2, 3, 6, {"stride": 3, "padding": 5, "output_padding": 2}),
    (2, 3, 9, {"stride": 4, "padding": 4, "output_padding": 3}),
]


def image(channels):
    return jnp.asarray(np.random.default_rng(0).normal(size=(*SHAPE, channels)), jnp.float32)


def plain_conv(kernel, x, *, groups=1, stride=1, dilation=1, padding=None):
    padding = dilation * (kernel.shape[0] // 2) if padding is None else padding
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(padding, padding)] * 2, rhs_dilation=(dilation, dilation),
        dimension_numbers=NHWC, feature_group_count=groups,
    )  # fmt: skip


def plain_transposed(kernel, x, *, stride, padding=0, output_padding=0):
    before = kernel.shape[0] - 1 - padding
    return lax.conv_general_dilated(
        x, lax.rev(kernel, (0, 1)), (1, 1), [(before, before + output_padding)] * 2,
        lhs_dilation=(stride, stride), dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )  # fmt: skip


CASES = [(Conv, plain_conv, *case) for case in CONVS]
CASES += [(ConvTranspose, plain_transposed, *case) for case in TRANSPOSED]
cases = pytest.mark.parametrize("layer,plain,inputs,outputs,size,options", CASES)


def made(layer, inputs, outputs, size, options):
    module = layer(inputs, outputs, size, use_bias=False, rngs=nnx.Rngs(1), **options)
    graph, state = nnx.split(module)

    def apply(kernel, x):
        return nnx.merge(graph, {"kernel": nnx.Param(kernel)})(x)

    return apply, jax.tree.leaves(state)[0]


@cases
def test_the_cpu_form_is_the_plain_one(layer, plain, inputs, outputs, size, options):
    apply, kernel = made(layer, inputs, outputs, size, options)
    x = image(inputs)
    expected = plain(kernel, x, **options)
    got = jax.jit(apply)(kernel, x)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    weight = jnp.asarray(np.random.default_rng(1).normal(size=expected.shape), jnp.float32)
    slopes, wanted = (
        jax.jit(jax.grad(lambda k, x, f=f: jnp.sum(weight * f(k, x)), (0, 1)))(kernel, x)
        for f in (apply, lambda k, x: plain(k, x, **options))
    )
    for one, other in zip(slopes, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@cases
@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_backends_get_one_convolution(platform, layer, plain, inputs, outputs, size, options):
    apply, kernel = made(layer, inputs, outputs, size, options)
    lowered = jax.jit(apply).trace(kernel, image(inputs)).lower(lowering_platforms=(platform,))
    text = lowered.as_text()
    assert text.count("stablehlo.convolution(") == 1
    assert f"feature_group_count = {options.get('groups', 1)} " in text
    assert not any(f"stablehlo.{op}" in text for op in ("slice", "concatenate", "multiply"))


@pytest.mark.parametrize(
    "layer,inputs,outputs,size,options,radius",
    [
        (Conv, 6, 6, 5, {"groups": 6}, 2),
        (Conv, 6, 6, 3, {"groups": 2, "dilation": 3}, 3),
        (ConvTranspose, 4, 3, 8, {"stride": 4, "padding": 2}, 1),
    ],
)
def test_the_cone_sees_their_locality(layer, inputs, outputs, size, options, radius):
    apply, kernel = made(layer, inputs, outputs, size, options)
    assert cones.receptive_radius(apply, (1, 8, 8, inputs), kernel) == radius
