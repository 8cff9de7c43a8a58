"""Resizing and sampling of images, along one axis after the other.

Every output along an axis is a weighted sum of a few inputs at known places. Where these places
repeat with the same weights, as at whole factors, they are shifted images; else they are picked.
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .layout import Laid
from .operation import Operation, channels_last, images

_CUBIC = -0.75
"""Free parameter of the cubic convolution kernel (Keys, 1981); antialiased resizing has -0.5."""


def blended(x: jax.Array, axis: int, taps: np.ndarray, weights: np.ndarray) -> jax.Array:
    """Weighted sums along an axis.

    Args:
        x: any array.
        axis: of it.
        taps: the inputs of each output, int [outputs, k].
        weights: of these, [outputs, k].

    Returns:
        The array with `outputs` entries along the axis.
    """
    length, count = x.shape[axis], len(taps)
    shifted = _as_shifts(taps, weights, length)
    if shifted is not None:
        return _shifts(x, axis, count, *shifted)
    shape = [1] * x.ndim
    shape[axis] = count
    parts = [
        _picked(x, axis, index) * jnp.asarray(weight.reshape(shape), x.dtype)
        for index, weight in zip(taps.T, weights.T, strict=True)
        if weight.any()
    ]
    return functools.reduce(operator.add, parts)


def _picked(x: jax.Array, axis: int, index: np.ndarray) -> jax.Array:
    if np.array_equal(index, np.arange(len(index)) + index[0]):
        return lax.slice_in_dim(x, int(index[0]), int(index[-1]) + 1, axis=axis)
    ordered = bool((np.diff(index) >= 0).all())
    return jnp.take(x, index, axis, mode="clip", indices_are_sorted=ordered)


def _as_shifts(
    taps: np.ndarray, weights: np.ndarray, length: int
) -> tuple[int, int, np.ndarray, np.ndarray] | None:
    """Step and period of outputs whose taps differ by whole steps alone, with equal weights.

    Returns:
        Inputs that a period advances, outputs in a period, their first taps [period, k] and
        weights [period, k]; None if there is no such pattern.
    """
    count = len(taps)
    if count % length == 0:
        step, period = 1, count // length
    elif length % count == 0:
        step, period = length // count, 1
    else:
        return None
    rows = count // period
    if rows < 3:
        return None
    middle = rows // 2
    first = taps[middle * period : (middle + 1) * period].astype(int) - middle * step
    own = weights[middle * period : (middle + 1) * period]
    expected = first[None] + step * np.arange(rows)[:, None, None]
    clipped = np.clip(expected, 0, length - 1)
    for row in range(rows):  # what one input is given counts, in whatever parts
        for phase in range(period):
            sums = np.zeros((2, length))
            np.add.at(sums[0], clipped[row, phase], own[phase])
            np.add.at(sums[1], taps[row * period + phase], weights[row * period + phase])
            if np.abs(sums[0] - sums[1]).max() > 1e-5:
                return None
    return step, period, first, own


def _shifts(
    x: jax.Array, axis: int, count: int, step: int, period: int, first: np.ndarray,
    weights: np.ndarray,
) -> jax.Array:  # fmt: skip
    length, rows = x.shape[axis], count // period
    low, high = max(-first.min(), 0), max(first.max() + step * (rows - 1) - length + 1, 0)
    edges = [(low, high) if k == axis else (0, 0) for k in range(x.ndim)]
    x = jnp.pad(x, edges, mode="edge") if low or high else x
    outputs = []
    for phase in range(period):
        total: Any = None
        for tap, weight in zip(first[phase].tolist(), weights[phase].tolist(), strict=True):
            if abs(weight) < 1e-12:
                continue
            start = tap + int(low)
            end = start + step * (rows - 1) + 1
            part = lax.slice_in_dim(x, start, end, step, axis)
            part = part if weight == 1 else part * weight
            total = part if total is None else total + part
        outputs.append(total)
    if period == 1:
        return outputs[0]
    shape = list(outputs[0].shape)
    shape[axis] *= period
    return jnp.stack(outputs, axis + 1).reshape(shape)


def _positions(length: int, count: int, scale: float | None, aligned: bool) -> np.ndarray:
    """Where each output's centre lies in the input, in float32 as torch has it."""
    out = np.arange(count, dtype=np.float32)
    if aligned:
        step = np.float32((length - 1) / (count - 1)) if count > 1 else np.float32(0)
        return step * out
    step = np.float32(1 / scale) if scale else np.float32(length / count)
    return step * (out + np.float32(0.5)) - np.float32(0.5)


def _linear(
    length: int, count: int, scale: float | None, aligned: bool
) -> tuple[np.ndarray, np.ndarray]:
    position = np.maximum(_positions(length, count, scale, aligned), np.float32(0))
    low = np.minimum(position.astype(np.int64), length - 1)
    upper = np.clip(position - low, 0, 1)
    taps = np.stack([low, np.minimum(low + 1, length - 1)], 1)
    return taps, np.stack([1 - upper, upper], 1)


def _cubic_weight(distance: np.ndarray, a: float) -> np.ndarray:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


def _cubic(
    length: int, count: int, scale: float | None, aligned: bool
) -> tuple[np.ndarray, np.ndarray]:
    position = _positions(length, count, scale, aligned)
    low = np.floor(position).astype(np.int64)
    taps = low[:, None] + np.arange(-1, 3)
    weights = _cubic_weight(np.abs(position[:, None] - taps), _CUBIC)
    return np.clip(taps, 0, length - 1), weights


def _antialiased(
    length: int, count: int, scale: float | None, aligned: bool, cubic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The kernel stretched by the reduction, cut at the border and normalised."""
    if aligned:
        step = (length - 1) / (count - 1) if count > 1 else 0.0
    else:
        step = 1 / scale if scale else length / count
    stretch = max(step, 1.0)
    support = (2.0 if cubic else 1.0) * stretch
    size = int(np.ceil(support)) * 2 + 1
    centre = step * (np.arange(count) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), length)
    taps = first[:, None] + np.arange(size)
    distance = np.abs((taps - centre[:, None] + 0.5) / stretch)
    weights = _cubic_weight(distance, -0.5) if cubic else np.maximum(1 - distance, 0)
    weights = np.where(taps < last[:, None], weights, 0)
    weights /= weights.sum(1, keepdims=True)
    return np.minimum(taps, length - 1), weights


def _nearest(
    length: int, count: int, scale: float | None, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    step = np.float32(1 / scale) if scale else np.float32(length / count)
    out = np.arange(count, dtype=np.float32) + np.float32(0.5 if exact else 0)
    taps = np.minimum(np.floor(out * step).astype(np.int64), length - 1)
    return taps[:, None], np.ones((count, 1))


def _geometry(
    space: Sequence[int], size: Any, scales: Sequence[float | None]
) -> list[tuple[int, int, float | None]]:
    """Input length, output length and given scale of each axis."""
    factors = list(scales)
    if len(factors) == 1 and isinstance(factors[0], list | tuple):
        factors = list(factors[0])
    factors = [factor for factor in factors if factor is not None] or [None] * len(space)
    if size is None:
        size = [int(n * f) for n, f in zip(space, factors, strict=True)]  # type: ignore[operator]
    return list(zip(space, size, factors, strict=True))


def _resize(x: Laid, rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> Laid:
    image = channels_last(x)
    for axis, (taps, weights) in enumerate(rows, 1):
        if len(taps) != image.shape[axis] or not _identity(taps, weights):
            image = blended(image, axis, taps, weights)
    return images(image)


def _identity(taps: np.ndarray, weights: np.ndarray) -> bool:
    own = np.arange(len(taps))
    at = np.where(taps == own[:, None], weights, 0).sum(1)
    return bool(np.allclose(at, 1, atol=1e-6))


def _interpolation(kernel: Any) -> Operation:
    def operation(x: Laid, size: Any, aligned: bool, *scales: Any) -> Laid:
        whole = _geometry(x.shape[2:], size, scales)
        return _resize(x, [kernel(*own, aligned) for own in whole])

    return operation


def _nearest_of(exact: bool) -> Operation:
    def operation(x: Laid, size: Any, *scales: Any) -> Laid:
        whole = _geometry(x.shape[2:], size, scales)
        for axis, (length, count, scale) in enumerate(whole, 2):
            taps, weights = _nearest(length, count, scale, exact)
            factor = count // length
            if factor * length == count and (taps[:, 0] == np.arange(count) // factor).all():
                shape = list(x.shape)
                again = x.inserted(axis + 1)
                again = again.expanded((*shape[: axis + 1], factor, *shape[axis + 1 :]))
                x = again.viewed((*shape[:axis], count, *shape[axis + 1 :]))
            else:
                x = x.merged(axis)
                own = jnp.asarray(x.array)
                x = x.like(blended(own, x.axes[axis][0], taps, weights)) if x.axes[axis] else (
                    x.expanded((*x.shape[:axis], count, *x.shape[axis + 1 :]))
                )  # fmt: skip
        return x

    return operation


_ANTIALIASED_CUBIC = functools.partial(_antialiased, cubic=True)
_ANTIALIASED_LINEAR = functools.partial(_antialiased, cubic=False)

OPERATIONS: dict[str, Operation] = {
    "_upsample_bicubic2d_aa": _interpolation(_ANTIALIASED_CUBIC),
    "_upsample_bilinear2d_aa": _interpolation(_ANTIALIASED_LINEAR),
    "_upsample_nearest_exact1d": _nearest_of(True),
    "_upsample_nearest_exact2d": _nearest_of(True),
    "upsample_bicubic2d": _interpolation(_cubic),
    "upsample_bilinear2d": _interpolation(_linear),
    "upsample_linear1d": _interpolation(_linear),
    "upsample_nearest1d": _nearest_of(False),
    "upsample_nearest2d": _nearest_of(False),
}
