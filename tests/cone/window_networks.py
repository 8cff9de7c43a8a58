"""Random networks of window attention: square windows in a grid, shifted, rolled, overlapping."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax
from networks import NHWC, Weights

Array = jax.Array
Layer = tuple[Any, ...]

window_layers = st.one_of(
    st.tuples(
        st.just("windows"), st.sampled_from([2, 3, 4]), st.sampled_from([2, 3, 4]),
        st.sampled_from([0, 0, 1, 2]), st.sampled_from(["pad", "roll"]), st.booleans(),
    ),
    st.tuples(st.just("overlapping"), st.sampled_from([2, 3, 4]), st.integers(1, 2)),
    st.tuples(st.just("tokens"), st.booleans()),
    st.tuples(st.just("grid"), st.integers(2, 3)),
    st.tuples(st.just("patches"), st.integers(2, 3)),
    st.tuples(st.just("channels"), st.integers(1, 2)),
    st.tuples(st.just("convolved"), st.integers(2, 4), st.integers(2, 4), st.booleans()),
    st.tuples(st.just("mirrored"), st.integers(0, 3)),
    st.tuples(st.just("conv"), st.sampled_from([1, 3])),
)  # fmt: skip


def _conv(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC)


def _attend(q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """[1, windows, tokens, c] each, in two heads; a mask [windows, queries, keys] is added."""
    q, k, v = (t.reshape(*t.shape[:3], 2, -1).transpose(0, 1, 3, 2, 4) for t in (q, k, v))
    logits = q @ k.swapaxes(-1, -2)
    if mask is not None:
        logits = logits + mask[None, :, None]
    y = (jax.nn.softmax(logits, axis=-1) @ v).transpose(0, 1, 3, 2, 4)
    return y.reshape(*y.shape[:3], -1)


def _split(x: Array, a: int, b: int) -> Array:
    n, h, w, c = x.shape
    x = x.reshape(n, h // a, a, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, -1, a * b, c)


def _merge(y: Array, a: int, b: int, h: int, w: int) -> Array:
    y = y.reshape(1, h // a, w // b, a, b, -1).transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(1, h, w, -1)


def _seam(h: int, w: int, a: int, b: int, by: int) -> np.ndarray:
    """-100 between pixels that a roll brought together."""
    side = [np.arange(n) >= n - by for n in (h, w)]
    part = (2 * side[0][:, None] + side[1]).reshape(1, h // a, a, w // b, b).swapaxes(2, 3)
    part = part.reshape(-1, a * b)
    return np.where(part[:, :, None] == part[:, None], 0, -100).astype(np.float32)


def _windows(x: Array, layer: Layer, weights: Weights) -> Array:
    a, b, by, way, masked = layer[1:]
    _, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, -h % a), (0, -w % b), (0, 0)), mode="edge")
    full = x.shape[1:3]
    y, mask, margin = x, None, ((0, 0), (0, 0))
    if by and way == "roll":
        y = jnp.roll(x, (-by, -by), (1, 2))
        mask = _seam(*full, a, b, by) if masked else None
    elif by:
        margin = ((a - by % a, by % a), (b - by % b, by % b))
        y = jnp.pad(x, ((0, 0), *margin, (0, 0)))
    size = y.shape[1:3]
    tokens = _split(y, a, b) @ weights(c, 3 * c)
    y = _attend(*jnp.split(tokens, 3, axis=-1), mask) @ weights(c, c)
    y = _merge(y, a, b, *size)
    if by and way == "roll":
        y = jnp.roll(y, (by, by), (1, 2))
    (top, _), (left, _) = margin
    y = y[:, top : top + full[0], left : left + full[1]]
    return (x + y)[:, :h, :w]


def _apply(layer: Layer, x: Array, weights: Weights) -> Array:
    name, args = layer[0], layer[1:]
    _, h, w, c = x.shape
    if name == "windows":
        return _windows(x, layer, weights)
    if name == "overlapping":
        a, more = args
        x = jnp.pad(x, ((0, 0), (0, -h % a), (0, -w % a), (0, 0)))
        size = x.shape[1:3]
        around = jnp.pad(x, ((0, 0), (more, more), (more, more), (0, 0)))
        rows, columns = (a * np.arange(n // a)[:, None] + np.arange(a + 2 * more) for n in size)
        keys = around[:, rows][:, :, :, columns].transpose(0, 1, 3, 2, 4, 5)
        keys = keys.reshape(1, -1, (a + 2 * more) ** 2, c)
        y = _attend(_split(x, a, a) @ weights(c, c), keys @ weights(c, c), keys)
        return (x + _merge(y, a, a, *size))[:, :h, :w]
    if name == "tokens":
        # A row of tokens, as torch keeps it between blocks; each is normalised and mixed alone.
        y = x.reshape(1, h * w, c)
        y = y - y.mean(axis=-1, keepdims=True)
        y = y + jax.nn.gelu(y @ weights(c, 2 * c)) @ weights(2 * c, c)
        if args[0]:
            y = y.swapaxes(1, 2).reshape(1, c, h, w)
            return y.transpose(0, 2, 3, 1)
        return y.reshape(1, h, w, c)
    if name == "grid":
        # Attention among pixels that lie a step apart: the outer digits are the tokens.
        n = args[0]
        y = x[:, : h // n * n, : w // n * n]
        cells = y.reshape(1, n, h // n, n, w // n, c).transpose(0, 2, 4, 1, 3, 5)
        tokens = cells.reshape(1, -1, n * n, c)
        tokens = _attend(tokens, tokens @ weights(c, c), tokens)
        cells = tokens.reshape(1, h // n, w // n, n, n, c).transpose(0, 3, 1, 4, 2, 5)
        return x.at[:, : h // n * n, : w // n * n].set(cells.reshape(y.shape))
    if name == "patches":
        p = args[0]
        y = x[:, : h // p * p, : w // p * p].reshape(1, h // p, p, w // p, p, c)
        y = y.transpose(0, 1, 3, 2, 4, 5).reshape(1, (h // p) * (w // p), p * p * c)
        y = jnp.tanh(y @ weights(p * p * c, p * p * c)).reshape(1, h // p, w // p, p, p, c)
        y = y.transpose(0, 1, 3, 2, 4, 5).reshape(1, h // p * p, w // p * p, c)
        return jnp.pad(y, ((0, 0), (0, h % p), (0, w % p), (0, 0)))
    if name == "convolved":
        # A batch of windows, each convolved by itself.
        a, b, first = args
        y = x[:, : h // a * a, : w // b * b]
        cells = y.reshape(h // a, a, w // b, b, c).transpose(0, 2, 1, 3, 4).reshape(-1, a, b, c)
        cells = cells if first else cells.transpose(0, 3, 1, 2)
        form = NHWC if first else ("NCHW", "HWIO", "NCHW")
        cells = lax.conv_general_dilated(
            cells, weights(3, 3, c, c), (1, 1), "SAME", dimension_numbers=form
        )
        cells = cells if first else cells.transpose(0, 2, 3, 1)
        cells = cells.reshape(h // a, w // b, a, b, c).transpose(0, 2, 1, 3, 4)
        return x.at[:, : h // a * a, : w // b * b].set(cells.reshape(y.shape))
    if name == "mirrored":
        # Padded by an image beside its mirror image, most of which is cut off.
        y = jnp.concatenate([x, x[:, ::-1]], axis=1)[:, : h + args[0]]
        y = jnp.concatenate([y, y[:, :, ::-1]], axis=2)[:, :, : w + args[0]]
        return _conv(y, weights(3, 3, c, c))[:, :h, :w]
    if name == "channels":
        # Attention among channels over all pixels, whose axis is one.
        q = x.reshape(1, -1, args[0], c // args[0])
        unit = q * lax.rsqrt(jnp.sum(q * q, axis=1, keepdims=True) + 1.0)
        logits = jnp.einsum("nphc,nphd->nhcd", unit, unit)
        y = jnp.einsum("nhcd,nphd->nphc", jax.nn.softmax(logits, axis=-1), q)
        return x + y.reshape(x.shape)
    kernel = weights(args[0], args[0], c, c)
    return x + jax.nn.relu(_conv(x, kernel))


def window_network(chosen: Sequence[Layer], seed: int, channels: int = 4) -> Callable:
    """The layers between two convolutions."""

    def f(x: Array) -> Array:
        weights = Weights(seed)
        x = _conv(x, weights(3, 3, x.shape[3], channels))
        for layer in chosen:
            x = _apply(layer, x, weights)
        return _conv(x, weights(3, 3, channels, 2) / math.sqrt(len(chosen)))

    return f
