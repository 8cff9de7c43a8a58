"""Random local networks: a list of named layers, drawn by hypothesis, as one pure function."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax

Layer = tuple[Any, ...]
Array = jax.Array
NHWC = ("NHWC", "HWIO", "NHWC")

layers = st.one_of(
    st.tuples(
        st.just("conv"), st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 1, 1, 2, 3]),
        st.sampled_from([1, 1, 2]), st.sampled_from([1, 1, 2]),
        st.tuples(*[st.integers(0, 2)] * 4),
    ),
    st.tuples(
        st.just("transposed"), st.sampled_from([1, 2, 3, 4]), st.sampled_from([2, 3]),
        st.integers(1, 2), st.tuples(*[st.integers(-1, 3)] * 4),
    ),
    st.tuples(st.sampled_from(["relu", "gelu", "clip", "leaky", "checkpoint", "scan", "norm"])),
    st.tuples(
        st.sampled_from(["max_pool", "min_pool", "avg_pool"]), st.integers(1, 3), st.integers(1, 2),
        st.sampled_from([-9, 0, 9]),
    ),
    st.tuples(st.sampled_from(["shuffle", "unshuffle", "nearest"]), st.integers(2, 3)),
    st.tuples(st.sampled_from(["upsample", "reflect", "gate", "linear", "flip", "where", "write"])),
    st.tuples(st.sampled_from(["skip", "dense skip", "side by side", "cells", "tile"])),
    st.tuples(st.just("pad"), st.tuples(*[st.integers(-2, 3)] * 4), st.integers(0, 1)),
    st.tuples(st.just("slice"), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(
        st.just("resize"), st.sampled_from(["nearest", "linear", "cubic", "lanczos3"]),
        st.sampled_from([0.4, 0.5, 0.7, 1.3, 2, 3]), st.booleans(),
    ),
    st.tuples(st.just("take"), st.sampled_from(["clip", "fill"])),
)  # fmt: skip


class Weights:
    """Fixed random weights, made as layers ask for them."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Array:
        fan = np.prod(shape[:-1])
        return jnp.asarray(self.rng.normal(size=shape) / np.sqrt(fan), jnp.float32)


def _conv(x: Array, w: Array, stride: int = 1, dilation: int = 1, groups: int = 1, pad=None):
    k = w.shape[0]
    both = (dilation * (k // 2), dilation * (k - 1 - k // 2))
    return lax.conv_general_dilated(
        x, w, (stride, stride), pad or [both, both], rhs_dilation=(dilation, dilation),
        dimension_numbers=NHWC, feature_group_count=groups,
    )  # fmt: skip


def _to_space(x: Array, f: int) -> Array:
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, c // f**2, f, f)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * f, w * f, c // f**2)


def _to_depth(x: Array, f: int) -> Array:
    n, h, w, c = x.shape
    x = x.reshape(n, h // f, f, w // f, f, c)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // f, w // f, c * f**2)


def _upsample(x: Array, axis: int) -> Array:
    """Linear, by 2, as shifted sums."""
    n = x.shape[axis]
    cut = lambda a, b: lax.slice_in_dim(x, a, b, axis=axis)  # noqa: E731
    before = jnp.concatenate([cut(0, 1), cut(0, n - 1)], axis)
    after = jnp.concatenate([cut(1, n), cut(n - 1, n)], axis)
    shape = [2 * m if k == axis else m for k, m in enumerate(x.shape)]
    return jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1).reshape(shape)


def _apply(layer: Layer, x: Array, weights: Weights) -> Array:
    name, args = layer[0], layer[1:]
    h, w, c = x.shape[1:]
    if name == "conv":
        k, stride, dilation, groups, pad = args
        return _conv(x, weights(k, k, c // groups, 4), stride, dilation, groups,
                     [pad[:2], pad[2:]])  # fmt: skip
    if name == "transposed":
        k, up, stride, pad = args
        return lax.conv_general_dilated(
            x, weights(k, k, c, 4), (stride, stride), [pad[:2], pad[2:]], lhs_dilation=(up, up),
            dimension_numbers=NHWC,
        )  # fmt: skip
    if name == "relu":
        return jax.nn.relu(x - 0.1)
    if name == "gelu":
        return jax.nn.gelu(x)
    if name == "clip":
        return jnp.clip(x, -0.5, 0.5)
    if name == "leaky":
        return jax.nn.leaky_relu(x, 0.1) + weights(1, 1, 1, c)
    if name == "where":
        return jnp.where(x > 0, x, 0.3 * weights(1, h, w, 1) * x)
    if name == "checkpoint":
        kernel = weights(3, 3, c, c)
        return jax.checkpoint(lambda t: x + jax.nn.silu(_conv(t, kernel)))(x)
    if name == "scan":
        kernels = weights(2, 3, 3, c, c) * 3
        return lax.scan(lambda y, k: (y + jnp.tanh(_conv(y, k)), None), x, kernels)[0]
    if name == "norm":
        x = x - jnp.mean(x, axis=-1, keepdims=True)
        return x * lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 0.1)
    if name in ("max_pool", "min_pool", "avg_pool"):
        size, stride, offset = args
        init, op = {
            "max_pool": (-jnp.inf, lax.max), "min_pool": (jnp.inf, lax.min),
            "avg_pool": (0.0, lax.add),
        }[name]  # fmt: skip
        pads = ((0, 0), (0, 1), (1, 0), (0, 0)) if size > 1 else "VALID"
        window = (1, size, size, 1), (1, stride, stride, 1)
        return lax.reduce_window(x + offset, init, op, *window, pads) - offset
    if name == "shuffle":
        return _to_space(_conv(x, weights(1, 1, c, 4 * args[0] ** 2)), args[0])
    if name == "unshuffle":
        f = args[0]
        x = _to_depth(x[:, : h // f * f, : w // f * f], f)
        return _conv(x, weights(1, 1, x.shape[3], 4))
    if name == "nearest":
        f = args[0]
        y = lax.broadcast_in_dim(x, (1, h, f, w, f, c), (0, 1, 3, 5))
        return y.reshape(1, h * f, w * f, c)
    if name == "upsample":
        return _upsample(_upsample(x, 1), 2)
    if name == "reflect":
        x = jnp.pad(x, ((0, 0), (2, 1), (1, 2), (0, 0)), mode="reflect")
        return _conv(x, weights(3, 3, c, c), pad=[(0, 0), (0, 0)])
    if name == "gate":
        a, b = jnp.split(_conv(x, weights(3, 3, c, 8)), 2, axis=-1)
        return a * jax.nn.sigmoid(b)
    if name == "linear":
        return x @ weights(c, 4) + weights(1, 1, 1, 4)
    if name == "flip":
        return _conv(x[:, ::-1], weights(3, 3, c, c))[:, ::-1]
    if name == "write":
        return lax.dynamic_update_slice(x, 0.5 * x[:, 2:h, : w - 3], (0, 1, 2, 0))
    if name == "resize":
        method, factor, antialias = args
        shape = (1, math.ceil(factor * h), math.ceil(factor * w), c)
        return jax.image.resize(x, shape, method, antialias=antialias)
    if name == "take":
        rows = np.sort(weights.rng.integers(-1 if args[0] == "clip" else 0, h, h + 3))
        columns = np.arange(w + 4) - 2 if args[0] == "clip" else np.arange(w) // 2
        x = jnp.take(x, rows, 1, mode=args[0])
        return jnp.take(x, columns, 2, mode=args[0]) + weights(1, 1, 1, c)
    if name == "skip":
        inner = jax.nn.relu(_conv(x, weights(3, 3, c, 4)))
        return x + _conv(inner, weights(3, 3, 4, c))
    if name == "dense skip":
        return jnp.concatenate([x, _conv(x, weights(5, 5, c, 4))], axis=-1)
    if name == "side by side":
        return jnp.concatenate([x, _conv(x, weights(3, 3, c, c))], axis=2)[:, :, 3 : w + 5]
    if name == "tile":
        return jnp.tile(x, (1, 2, 1, 1))[:, h // 2 : -3] + weights(1, 1, 1, c)
    if name == "cells":
        cells = x[:, : h // 4 * 4, : w // 4 * 4].reshape(1, h // 4, 4, w // 4, 4, c)
        return (cells - cells.mean(axis=(2, 4), keepdims=True)).reshape(1, h // 4 * 4, -1, c)
    if name == "pad":
        (a, b, d, e), value = args
        return lax.pad(x, jnp.float32(value), [(0, 0, 0), (a, b, 0), (d, e, 1), (0, 0, 0)])
    if name == "slice":
        first, stride = args
        return lax.slice(x, (0, first, 0, 0), (1, h, w - first, c), (1, stride, stride, 1))
    raise ValueError(f"layer={layer!r}")


def network(chosen: Sequence[Layer], seed: int) -> Callable[[Array], Array]:
    """The layers in a row; one that would make the image too small or too large is left out."""

    def f(x: Array) -> Array:
        weights = Weights(seed)
        for layer in chosen:
            y = _apply(layer, x, weights)
            if min(y.shape[1:3]) >= 6 and max(y.shape[1:3]) <= 80 and y.shape[3] <= 16:
                x = y if y.shape[3] % 2 == 0 else jnp.concatenate([y, y[..., :1]], axis=-1)
        return x

    return f
