"""Operations that only move elements: views, permutations, slices, padding, shuffles, rolls."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .layout import Laid, aligned
from .operation import Operation, channels_last, images, pair, plain, promoted

_TO_THE_END = 2**62


def view(x: Laid, shape: Sequence[int]) -> Laid:
    """The elements in row-major order; one length may be -1."""
    count = math.prod(x.shape)
    rest = math.prod(n for n in shape if n != -1)
    return x.viewed([count // max(rest, 1) if n == -1 else n for n in shape])


def cut(x: Laid, axis: int, start: int, end: int, step: int = 1) -> Laid:
    """x[start:end:step] along a counted axis, bounds inside it."""
    axis %= x.ndim
    if (start, end, step) == (0, x.shape[axis], 1):
        return x
    if not x.axes[axis]:
        return x if end > start else Laid.of(x.plain()[(slice(None),) * axis + (slice(0, 0),)])
    x = x.merged(axis)
    array = lax.slice_in_dim(jnp.asarray(x.array), start, end, step, x.axes[axis][0])
    return settled(array, x.axes)


def settled(array: Any, axes: Sequence[Sequence[int]]) -> Laid:
    """A `Laid` of which some axes may have become of length 1."""
    kept = [k for k, length in enumerate(array.shape) if length != 1]
    place = {k: number for number, k in enumerate(kept)}
    left = tuple(tuple(place[k] for k in group if k in place) for group in axes)
    array = array if len(kept) == array.ndim else array.reshape([array.shape[k] for k in kept])
    return Laid(array, left)


def _bounds(length: int, start: int | None, end: int | None) -> tuple[int, int]:
    start, end = 0 if start is None else start, _TO_THE_END if end is None else end
    start, end = (n + length if n < 0 else n for n in (start, end))
    start = min(max(start, 0), length)
    return start, min(max(end, start), length)


def _slice(
    x: Laid, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Laid:
    return cut(x, axis, *_bounds(x.shape[axis], start, end), step)


def select(x: Laid, axis: int, index: int) -> Laid:
    """x[index] along a counted axis, which goes."""
    axis %= x.ndim
    index %= x.shape[axis]
    return cut(x, axis, index, index + 1).dropped(axis)


def cat(parts: Sequence[Laid], axis: int = 0) -> Laid:
    """Arrays one behind the other along a counted axis."""
    parts = [part for part in parts if part.shape != (0,)]  # torch leaves these out
    ndim = parts[0].ndim
    axis %= ndim
    whole = [
        part.merged(axis) if part.axes[axis] else _with_axis(part, axis) for part in promoted(parts)
    ]
    leader = max(whole, key=lambda part: (part.array.size, -part.array.ndim))
    labels = {k: (i, n) for i, group in enumerate(leader.axes) for n, k in enumerate(group)}
    arrays = []
    for part in whole:
        for other in range(ndim):
            if other != axis:
                part = part.conformed(other, leader.sizes(other))
        perm = [part.axes[i][n] for i, n in (labels[k] for k in range(leader.array.ndim))]
        arrays.append(part.array.transpose(perm))
    return settled(jnp.concatenate(arrays, leader.axes[axis][0]), leader.axes)


def _with_axis(x: Laid, axis: int) -> Laid:
    """The same with an axis of the array for a counted one of length 1, in front."""
    axes = tuple((0,) if i == axis else tuple(k + 1 for k in g) for i, g in enumerate(x.axes))
    return Laid(x.array[None], axes)


def split(x: Laid, sizes: Sequence[int] | int, axis: int = 0) -> tuple[Laid, ...]:
    """Consecutive parts along a counted axis."""
    length = x.shape[axis]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    ends = np.cumsum(sizes).tolist()
    return tuple(cut(x, axis, end - n, end) for n, end in zip(sizes, ends, strict=True))


def pad(x: Laid, widths: Sequence[int], value: Any = 0) -> Laid:
    """Constant padding, torch's order: last axis first, before and behind; negative cuts."""
    for number in range(len(widths) // 2):
        axis, (low, high) = x.ndim - 1 - number, widths[2 * number : 2 * number + 2]
        if low < 0 or high < 0:
            x = cut(x, axis, max(-low, 0), x.shape[axis] - max(-high, 0))
        low, high = max(low, 0), max(high, 0)
        if low or high:
            x = x.merged(axis) if x.axes[axis] else _with_axis(x, axis)
            config = [(0, 0, 0)] * x.array.ndim
            config[x.axes[axis][0]] = (low, high, 0)
            x = x.like(lax.pad(x.array, jnp.asarray(value, x.dtype), config))
    return x


def _reflect(x: Laid, widths: Sequence[int]) -> Laid:
    """Padding by reflection without repeating the border, as reversed slices."""
    for number in range(len(widths) // 2):
        axis, (low, high) = x.ndim - 1 - number, widths[2 * number : 2 * number + 2]
        last = x.shape[axis] - 1
        parts = [flip(cut(x, axis, 1, 1 + low), [axis])] if low > 0 else []
        parts.append(cut(x, axis, max(-low, 0), last + 1 - max(-high, 0)))
        parts += [flip(cut(x, axis, last - high, last), [axis])] if high > 0 else []
        x = cat(parts, axis)
    return x


def _replicate(x: Laid, widths: Sequence[int]) -> Laid:
    """Padding by the border's own values."""
    for number in range(len(widths) // 2):
        axis, (low, high) = x.ndim - 1 - number, widths[2 * number : 2 * number + 2]
        last = x.shape[axis] - 1
        parts = [repeat(cut(x, axis, 0, 1), axis, low)] if low > 0 else []
        parts.append(cut(x, axis, max(-low, 0), last + 1 - max(-high, 0)))
        parts += [repeat(cut(x, axis, last, last + 1), axis, high)] if high > 0 else []
        x = cat(parts, axis)
    return x


def repeat(x: Laid, axis: int, times: int) -> Laid:
    """A counted axis of length 1, repeated."""
    shape = list(x.shape)
    shape[axis] = times
    return x.expanded(shape)


def flip(x: Laid, axes: Sequence[int]) -> Laid:
    """Reversed along counted axes."""
    places = [k for axis in axes for k in x.axes[axis]]  # all parts of a group are reversed
    return x.like(lax.rev(jnp.asarray(x.array), places)) if places else x


def _roll(x: Laid, shifts: Any, axes: Any = ()) -> Laid:
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    axes = [axes] if isinstance(axes, int) else list(axes)
    if not axes:
        return view(_roll(view(x, [-1]), shifts, [0]), x.shape)
    for shift, axis in zip(shifts, axes, strict=True):
        length = x.shape[axis]
        first = -shift % length
        if first:
            x = cat([cut(x, axis, first, length), cut(x, axis, 0, first)], axis)
    return x


def _expand(x: Laid, shape: Sequence[int], **_: Any) -> Laid:
    own = [1] * (len(shape) - x.ndim) + list(x.shape)
    return x.expanded([a if n == -1 else n for a, n in zip(own, shape, strict=True)])


def _repeat(x: Laid, times: Sequence[int]) -> Laid:
    x = Laid(x.array, (*[()] * (len(times) - x.ndim), *x.axes))
    for axis, count in enumerate(times):
        if count > 1:
            x = cat([x] * count, axis) if x.axes[axis] else repeat(x, axis, count)
    return x


def _squeeze(x: Laid, axes: Any = None) -> Laid:
    axes = range(x.ndim) if axes is None else ([axes] if isinstance(axes, int) else axes)
    return x.dropped(*[axis for axis in axes if x.shape[axis] == 1])


def _permute(x: Laid, order: Sequence[int]) -> Laid:
    return x.permuted([axis % x.ndim for axis in order])


def _swap(x: Laid, first: int, second: int) -> Laid:
    order = list(range(x.ndim))
    order[first], order[second] = order[second], order[first]
    return x.permuted(order)


def _slice_scatter(
    x: Laid, part: Laid, axis: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Laid:  # fmt: skip
    """X with x[start:end:step] along a counted axis replaced."""
    axis %= x.ndim
    length = x.shape[axis]
    start, end = _bounds(length, start, end)
    if step != 1:
        taken = np.arange(length)
        inside = (taken >= start) & (taken < end) & ((taken - start) % step == 0)
        index = np.where(inside, (taken - start) // step, 0)
        mask = inside.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        whole = jnp.take(part.plain(), index, axis, mode="clip")
        return Laid.of(jnp.where(mask, whole, x.plain()))
    pieces = [cut(x, axis, 0, start), part, cut(x, axis, end, length)]
    return cat([piece for piece in pieces if piece.shape[axis]], axis)


def _select_scatter(x: Laid, part: Laid, axis: int, index: int) -> Laid:
    axis %= x.ndim
    index %= x.shape[axis]
    return _slice_scatter(x, part.inserted(axis), axis, index, index + 1)


def _unfold(x: Laid, axis: int, size: int, step: int) -> Laid:
    """All windows along a counted axis, counted by a new last one."""
    axis %= x.ndim
    count = (x.shape[axis] - size) // step + 1
    if count < size:
        whole = [cut(x, axis, k * step, k * step + size).inserted(axis) for k in range(count)]
        order = [k for k in range(x.ndim + 1) if k != axis + 1]
        return cat(whole, axis).permuted([*order, axis + 1])
    span = (count - 1) * step + 1
    parts = [cut(x, axis, k, k + span, step).inserted(x.ndim) for k in range(size)]
    return cat(parts, x.ndim)


def _windows(x: jax.Array, axis: int, taps: int, step: int, dilation: int) -> jax.Array:
    """All windows along an axis, which becomes two: taps, then windows."""
    count = (x.shape[axis] - dilation * (taps - 1) - 1) // step + 1
    if count < taps and dilation == 1:
        whole = [lax.slice_in_dim(x, k * step, k * step + taps, axis=axis) for k in range(count)]
        return jnp.stack(whole, axis + 1)
    span = (count - 1) * step + 1
    starts = [k * dilation for k in range(taps)]
    return jnp.stack([lax.slice_in_dim(x, k, k + span, step, axis) for k in starts], axis)


def _overlapped(x: jax.Array, axis: int, length: int, step: int, dilation: int) -> jax.Array:
    """The adjoint of `_windows`: the sum of all windows, each where it came from."""
    taps, count = x.shape[axis : axis + 2]
    by_window = count < taps and dilation == 1
    total: Any = None
    for k in range(count if by_window else taps):
        part = lax.index_in_dim(x, k, axis + 1 if by_window else axis, keepdims=False)
        low, between = (k * step, 1) if by_window else (k * dilation, step)
        high = length - low - (part.shape[axis] - 1) * between - 1
        config = [(0, 0, 0)] * part.ndim
        config[axis] = (low, high, between - 1)
        part = lax.pad(part, jnp.zeros((), x.dtype), config)
        total = part if total is None else total + part
    return total


def _im2col(x: Laid, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Laid:
    """Every window's elements as one axis [n, c * taps, windows], as shifted images."""
    (ph, pw), (kh, kw) = pair(padding), pair(kernel)
    (dh, dw), (sh, sw) = pair(dilation), pair(stride)
    image = channels_last(pad(x, (pw, pw, ph, ph)))
    rows = _windows(image, 1, kh, sh, dh)
    parts = _windows(rows, 3, kw, sw, dw)
    n, _, oh, _, ow, c = parts.shape
    return Laid.of(parts, (0, 2, 4, 3, 5, 1)).viewed((n, c * kh * kw, oh * ow))


def _col2im(
    x: Laid, size: Sequence[int], kernel: Any, dilation: Any, padding: Any, stride: Any
) -> Laid:
    """The adjoint of `_im2col`, along one axis after the other."""
    (ph, pw), (kh, kw) = pair(padding), pair(kernel)
    (dh, dw), (sh, sw) = pair(dilation), pair(stride)
    h, w = size[0] + 2 * ph, size[1] + 2 * pw
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
    n, taps, _ = x.shape
    parts = x.viewed((n, taps // (kh * kw), kh, kw, oh, ow)).arranged((0, 2, 4, 3, 5, 1))
    rows = _overlapped(parts, 3, w, sw, dw)
    image = _overlapped(rows, 1, h, sh, dh)
    return images(image[:, ph : ph + size[0], pw : pw + size[1]])


def _pixel_shuffle(x: Laid, factor: int) -> Laid:
    *n, c, h, w = x.shape
    own, r = len(n), factor
    x = x.viewed((*n, c // r**2, r, r, h, w))
    order = (*range(own), own, own + 3, own + 1, own + 4, own + 2)
    return x.permuted(order).viewed((*n, c // r**2, h * r, w * r))


def _pixel_unshuffle(x: Laid, factor: int) -> Laid:
    *n, c, h, w = x.shape
    own, r = len(n), factor
    x = x.viewed((*n, c, h // r, r, w // r, r))
    order = (*range(own), own, own + 2, own + 4, own + 1, own + 3)
    return x.permuted(order).viewed((*n, c * r**2, h // r, w // r))


def _channel_shuffle(x: Laid, groups: int) -> Laid:
    n, c, *rest = x.shape
    x = x.viewed((n, groups, c // groups, *rest))
    return x.permuted((0, 2, 1, *range(3, x.ndim))).viewed((n, c, *rest))


def _as_strided(x: Any, size: Sequence[int], stride: Sequence[int], offset: int = 0) -> Any:
    """The elements of a contiguous array at these strides."""
    index = np.full((), offset or 0)
    for n, step in zip(size, stride, strict=True):
        index = index[..., None] + np.arange(n) * step
    return jnp.take(x.reshape(-1), index, mode="clip")


def _tri(keep: Any) -> Any:
    def operation(x: Laid, diagonal: int = 0) -> Laid:
        mask = keep(np.ones(x.shape[-2:], bool), diagonal)
        arrays, axes = aligned([x, Laid.of(mask)])
        return Laid(jnp.where(arrays[1], arrays[0], jnp.zeros((), x.dtype)), axes)

    return operation


def _stack(parts: Sequence[Laid], axis: int = 0) -> Laid:
    return cat([part.inserted(axis) for part in parts], axis)


OPERATIONS: dict[str, Operation] = {
    "_unsafe_view": view,
    "as_strided": plain(_as_strided),
    "as_strided_copy": plain(_as_strided),
    "cat": cat,
    "channel_shuffle": _channel_shuffle,
    "col2im": _col2im,
    "constant_pad_nd": pad,
    "diagonal": plain(lambda x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2)),
    "expand": _expand,
    "flip": flip,
    "im2col": _im2col,
    "permute": _permute,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "reflection_pad1d": _reflect,
    "reflection_pad2d": _reflect,
    "reflection_pad3d": _reflect,
    "repeat": _repeat,
    "replication_pad1d": _replicate,
    "replication_pad2d": _replicate,
    "replication_pad3d": _replicate,
    "reshape": view,
    "roll": _roll,
    "select": select,
    "select_scatter": _select_scatter,
    "slice": _slice,
    "slice_scatter": _slice_scatter,
    "split": split,
    "split_with_sizes": split,
    "squeeze": _squeeze,
    "stack": _stack,
    "t": lambda x: x.permuted(tuple(reversed(range(x.ndim)))),
    "transpose": _swap,
    "tril": _tri(np.tril),
    "triu": _tri(np.triu),
    "unfold": _unfold,
    "unsqueeze": lambda x, axis: x.inserted(axis),
    "view": view,
    "unbind": lambda x, axis=0: tuple(select(x, axis, k) for k in range(x.shape[axis])),
}
