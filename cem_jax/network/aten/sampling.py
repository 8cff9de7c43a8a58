"""Values of images at places that are computed: grid samples, and convolutions that deform."""

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .layout import Laid
from .operation import Operation, channels_last, images

_CUBIC = -0.75
"""Slope of torch's cubic kernel at its first zero."""


def _grid_sample(
    x: Laid, grid: Laid, mode: int = 0, padding: int = 0, aligned: bool = False
) -> Laid:
    """Values at given places, which are counted from -1 to 1, the last axis of the image first."""
    image = channels_last(x)
    place = jnp.asarray(grid.plain())
    sides = image.shape[1:-1]
    at = []
    for number, length in enumerate(sides):
        coordinate = place[..., len(sides) - 1 - number]
        if aligned:
            position = (coordinate + 1) / 2 * (length - 1)
        else:
            position = ((coordinate + 1) * length - 1) / 2
        if mode != 2:  # the cubic kernel's taps are moved inside one by one
            position = _inside(position, length, padding, aligned)
        at.append(position)

    def pick(index: Sequence[Any]) -> jax.Array:
        pairs = zip(index, sides, strict=True)
        return _picked(image, [_inside(one, n, padding, aligned) for one, n in pairs])

    if mode == 1:
        return images(pick([jnp.round(position) for position in at]))
    return images(_blended(at, pick, cubic=mode == 2))


def _picked(image: jax.Array, index: Sequence[Any]) -> jax.Array:
    """Elements at whole numbers [n, ...]; 0 outside the image [n, ..., c]."""
    sides = image.shape[1:-1]
    first = jnp.arange(len(image)).reshape((-1,) + (1,) * (index[0].ndim - 1))
    pairs = list(zip(index, sides, strict=True))
    values = image[(first, *[jnp.clip(i, 0, n - 1).astype(jnp.int32) for i, n in pairs])]
    inside = functools.reduce(operator.and_, [(i >= 0) & (i < n) for i, n in pairs])
    return jnp.where(inside[..., None], values, 0)


def _blended(at: Sequence[Any], pick: Any, *, cubic: bool) -> jax.Array:
    """The elements around places, weighted along one axis after the other."""
    low = [jnp.floor(position) for position in at]
    offsets = range(-1, 3) if cubic else range(2)
    if cubic:
        weights = [[_keys(p - q - o) for o in offsets] for p, q in zip(at, low, strict=True)]
    else:
        weights = [[1 - (p - q), p - q] for p, q in zip(at, low, strict=True)]
    terms = []
    for tap in itertools.product(range(len(offsets)), repeat=len(at)):
        factors = [one[k] for one, k in zip(weights, tap, strict=True)]
        index = [q + offsets[k] for q, k in zip(low, tap, strict=True)]
        terms.append(pick(index) * functools.reduce(operator.mul, factors[::-1])[..., None])
    return functools.reduce(operator.add, terms)


def _inside(position: jax.Array, length: int, padding: int, aligned: bool) -> jax.Array:
    """Positions moved into the image: 1 to its border, 2 by reflection, 0 not at all."""
    if padding == 1:
        return jnp.clip(position, 0, length - 1)
    return _reflected(position, length, aligned) if padding == 2 else position


def _keys(offset: jax.Array) -> jax.Array:
    """The cubic convolution kernel."""
    d, a = jnp.abs(offset), _CUBIC
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    return jnp.where(d <= 1, near, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)


def _reflected(position: jax.Array, length: int, aligned: bool) -> jax.Array:
    low, high = (0, length - 1) if aligned else (-0.5, length - 0.5)
    span = high - low
    if span <= 0:
        return jnp.zeros_like(position)
    away = jnp.abs(position - low)
    turned = away % (2 * span)
    back = jnp.where(turned > span, 2 * span - turned, turned) + low
    return jnp.clip(back, 0, length - 1)


def _deformed(x: Laid, weight: Laid, offset: Laid, mask: Laid, bias: Laid, *geometry: Any) -> Laid:
    """Torchvision's convolution whose taps are moved by `offset` and weighted by `mask`.

    Channels of the offset are [offset group, tap, (down, right)], those of the mask
    [offset group, tap].
    """
    *sizes, groups, parts, masked = geometry
    stride, padding, dilation = (sizes[k : k + 2] for k in (0, 2, 4))
    image = channels_last(x)
    n, _, _, c = image.shape
    outputs, inputs, *sides = weight.shape
    taps = list(itertools.product(*map(range, sides)))
    moves = channels_last(offset)
    h, w = moves.shape[1:3]
    moves = moves.reshape(n, h, w, parts, len(taps), 2)
    share = channels_last(mask).reshape(n, h, w, parts, len(taps)) if masked else None
    kernel = weight.arranged((2, 3, 1, 0)).reshape(len(taps), inputs, groups, outputs // groups)
    corner = [
        jnp.arange(length, dtype=image.dtype) * s - p
        for length, s, p in zip((h, w), stride, padding, strict=True)
    ]
    terms = []
    for number, tap in enumerate(taps):
        starts = [one + k * d for one, k, d in zip(corner, tap, dilation, strict=True)]
        grid = jnp.meshgrid(*starts, indexing="ij")
        columns = []
        for part, own in enumerate(jnp.split(image, parts, axis=-1)):
            at = [line[None] + moves[..., part, number, k] for k, line in enumerate(grid)]
            values = _blended(at, functools.partial(_picked, own), cubic=False)
            columns.append(values if share is None else values * share[..., part, number, None])
        column = jnp.concatenate(columns, axis=-1).reshape(n, h, w, groups, c // groups)
        terms.append(jnp.einsum("nhwgi,igo->nhwgo", column, kernel[number]))
    y = functools.reduce(operator.add, terms).reshape(n, h, w, outputs)
    return images(y + bias.arranged((0,)).reshape(1, 1, 1, outputs))


OPERATIONS: dict[str, Operation] = {
    "grid_sampler_2d": _grid_sample,
    "grid_sampler_3d": _grid_sample,
    "torchvision.deform_conv2d": _deformed,
}
