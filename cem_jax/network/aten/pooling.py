"""Pooling, as windowed reductions or slices so that its locality shows."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .layout import Laid
from .operation import Operation, channels_last, images, pair


def _around(
    sides: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], ceil: bool,
) -> list[tuple[int, int]]:  # fmt: skip
    """Padding before and behind; with `ceil`, incomplete windows that begin inside count."""
    found = []
    for side, k, s, p, d in zip(sides, kernel, stride, padding, dilation, strict=True):
        span = d * (k - 1) + 1
        count = (side + 2 * p - span) // s + 1
        if ceil:
            more = -(-(side + 2 * p - span) // s) + 1
            count = more if (more - 1) * s < side + p else more - 1
        found.append((p, max((count - 1) * s + span - side - p, 0)))
    return found


def _max_pool(
    x: Laid, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
    ceil: bool = False,
) -> tuple[Laid, Callable[[], Laid]]:  # fmt: skip
    """Also where the largest ones lie in their plane, which is computed when it is asked for."""
    count = x.ndim - 2
    kernel, padding, dilation = (pair(v, count) for v in (kernel, padding, dilation))
    stride = pair(stride, count) if stride else kernel
    image = channels_last(x)
    around = _around(image.shape[1:-1], kernel, stride, padding, dilation, ceil)
    y = lax.reduce_window(
        image, -jnp.inf, lax.max, (1, *kernel, 1), (1, *stride, 1),
        ((0, 0), *around, (0, 0)), window_dilation=(1, *dilation, 1),
    )  # fmt: skip
    geometry = kernel, stride, dilation, around
    return images(y), functools.partial(_where_largest, image, y.shape[1:-1], *geometry)


def _where_largest(
    image: jax.Array, sides: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
    dilation: Sequence[int], around: Sequence[tuple[int, int]],
) -> Laid:  # fmt: skip
    """Indices of the first largest element of each window, in the row-major plane."""
    space, rank = image.shape[1:-1], image.ndim
    plane = np.arange(np.prod(space), dtype=np.int32).reshape((1, *space, 1))
    wide = [(0, 0, 0), *[(low, high, 0) for low, high in around], (0, 0, 0)]
    places = np.pad(plane, [(low, high) for low, high, _ in wide])
    values = lax.pad(image, jnp.asarray(-jnp.inf, image.dtype), wide)
    found: list[tuple[jax.Array, np.ndarray]] = []
    for tap in itertools.product(*map(range, kernel)):
        cut = [slice(None)] * rank
        for axis, (k, d, s, n) in enumerate(zip(tap, dilation, stride, sides, strict=True), 1):
            cut[axis] = slice(k * d, k * d + (n - 1) * s + 1, s)
        found.append((values[tuple(cut)], places[tuple(cut)]))
    largest, place = found[0][0], jnp.broadcast_to(found[0][1], found[0][0].shape)
    for value, own in found[1:]:
        place = jnp.where(value > largest, own, place)
        largest = jnp.maximum(value, largest)
    return images(place)


def _avg_pool(
    x: Laid, kernel: Any, stride: Any = (), padding: Any = 0, ceil: bool = False,
    include_pad: bool = True, divisor: int | None = None,
) -> Laid:  # fmt: skip
    count = x.ndim - 2
    kernel, padding = pair(kernel, count), pair(padding, count)
    stride = pair(stride, count) if stride else kernel
    image = channels_last(x)
    space = image.shape[1:-1]
    around = _around(space, kernel, stride, padding, [1] * count, ceil)
    y = lax.reduce_window(
        image, 0.0, lax.add, (1, *kernel, 1), (1, *stride, 1), ((0, 0), *around, (0, 0))
    )
    if divisor:
        return images(y / divisor)
    counts: Any = np.ones((), np.float32)
    for side, k, s, p, (low, high) in zip(space, kernel, stride, padding, around, strict=True):
        inside = np.zeros(low + side + high)
        inside[low - p if include_pad else low : low + side + (p if include_pad else 0)] = 1
        sums = np.convolve(inside, np.ones(k), "valid")[::s]
        counts = counts[..., None] * sums.astype(np.float32)
    if (counts == counts.flat[0]).all():
        return images(y / float(counts.flat[0]))
    return images(y / jnp.asarray(counts[None, ..., None], y.dtype))


def _adaptive(x: Laid, size: Any, mean: bool) -> Laid:
    """Mean or maximum of bins: bin i spans floor(i n / size) to ceil((i + 1) n / size)."""
    count = 1 if x.ndim == 2 else min(x.ndim - 2, 2) if x.ndim > 3 else x.ndim - 2
    image = channels_last(x)
    for axis, bins in enumerate(pair(size, count), 1):
        image = _bins(image, bins, axis, mean)
    return images(image)


def _bins(x: jax.Array, bins: int, axis: int, mean: bool) -> jax.Array:
    side = x.shape[axis]
    reduce: Callable[..., Any] = jnp.mean if mean else jnp.max
    if bins == side:
        return x
    if bins == 1:
        return reduce(x, axis=axis, keepdims=True)
    if side % bins == 0:
        step = side // bins
        window = tuple(step if k == axis else 1 for k in range(x.ndim))
        zero, add = (0.0, lax.add) if mean else (-jnp.inf, lax.max)
        y = lax.reduce_window(x, zero, add, window, window, "VALID")
        return y / step if mean else y
    starts = [i * side // bins for i in range(bins)]
    ends = [-(-(i + 1) * side // bins) for i in range(bins)]
    parts = [
        reduce(lax.slice_in_dim(x, low, high, axis=axis), axis=axis, keepdims=True)
        for low, high in zip(starts, ends, strict=True)
    ]
    return jnp.concatenate(parts, axis)


OPERATIONS: dict[str, Operation] = {
    "_adaptive_avg_pool2d": lambda x, size: _adaptive(x, size, True),
    "adaptive_avg_pool1d": lambda x, size: _adaptive(x, size, True),
    "adaptive_avg_pool2d": lambda x, size: _adaptive(x, size, True),
    "adaptive_max_pool1d": lambda x, size: (_adaptive(x, size, False), None),
    "adaptive_max_pool2d": lambda x, size: (_adaptive(x, size, False), None),
    "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
    "max_pool1d_with_indices": _max_pool,
    "max_pool2d": lambda *args, **options: _max_pool(*args, **options)[0],
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
}
