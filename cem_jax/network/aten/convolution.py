"""Convolutions and their adjoints, with channels last whatever torch's order is.

XLA computes grouped convolutions slowly on a CPU, so there they are what they consist of: shifted
products where each channel is its own group, otherwise one convolution for each group.
"""

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .layout import Laid
from .operation import Operation, channels_last, images, pair

_SPATIAL = "DHW"


def _numbers(count: int) -> tuple[str, str, str]:
    space = _SPATIAL[-count:]
    return f"N{space}C", f"{space}IO", f"N{space}C"


def _convolve(
    x: jax.Array, kernel: jax.Array, *, stride: Sequence[int], padding: Sequence[tuple[int, int]],
    dilation: Sequence[int], groups: int = 1,
) -> jax.Array:  # fmt: skip
    return lax.conv_general_dilated(
        x, kernel, stride, padding, rhs_dilation=dilation,
        dimension_numbers=_numbers(x.ndim - 2), feature_group_count=groups,
    )  # fmt: skip


def _sum_of_shifts(
    x: jax.Array, kernel: jax.Array, *, stride: Sequence[int], padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> jax.Array:  # fmt: skip
    """Every channel by itself: the shifted images, each times its tap of `kernel` [..., 1, c]."""
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *[(*p, 0) for p in padding], (0, 0, 0)])
    space = x.shape[1:-1]
    sides = kernel.shape[:-2]
    terms = []
    for tap in itertools.product(*map(range, sides)):
        starts = [k * d for k, d in zip(tap, dilation, strict=True)]
        ends = [
            n - d * (side - 1) + start
            for n, d, side, start in zip(space, dilation, sides, starts, strict=True)
        ]
        shifted = lax.slice(
            x, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), (1, *stride, 1)
        )  # fmt: skip
        terms.append(shifted * kernel[tap].reshape((1,) * (x.ndim - 1) + (-1,)))
    return functools.reduce(operator.add, terms)


def _side_by_side(x: jax.Array, kernel: jax.Array, *, groups: int, **geometry: Any) -> jax.Array:
    """One convolution for each group of channels."""
    parts = zip(jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-1), strict=True)
    return jnp.concatenate([_convolve(*part, **geometry) for part in parts], axis=-1)


def _transposed(
    x: jax.Array, kernel: jax.Array, *, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], added: Sequence[int], groups: int,
) -> jax.Array:  # fmt: skip
    """The adjoint of a strided convolution: kernel [..., in, out / groups].

    A stride that divides an undilated kernel's side is a convolution to all phases of the output.
    """
    sides = kernel.shape[:-2]
    if groups > 1:
        parts = zip(jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-2), strict=True)
        return jnp.concatenate(
            [
                _transposed(*part, stride=stride, padding=padding, dilation=dilation, added=added,
                            groups=1)
                for part in parts
            ],
            axis=-1,
        )  # fmt: skip
    divides = all(side % s == 0 for side, s in zip(sides, stride, strict=True))
    if len(sides) == 2 and divides and set(dilation) == {1} and set(stride) != {1}:
        return _through_phases(x, kernel, stride, padding, added)
    before = [d * (n - 1) - p for d, n, p in zip(dilation, sides, padding, strict=True)]
    around = [(low, low + more) for low, more in zip(before, added, strict=True)]
    return lax.conv_general_dilated(
        x, lax.rev(kernel, tuple(range(len(sides)))), [1] * len(sides), around,
        lhs_dilation=stride, rhs_dilation=dilation, dimension_numbers=_numbers(len(sides)),
    )  # fmt: skip


def _through_phases(
    x: jax.Array, kernel: jax.Array, stride: Sequence[int], padding: Sequence[int],
    added: Sequence[int],
) -> jax.Array:  # fmt: skip
    """A convolution for each phase of the output, and these laid out in space.

    Output pixel o + padding = stride * cell + phase sums kernel[stride * tap + phase] times
    x[cell - tap] over the taps; the cells from the first to the last that holds an output count.
    """
    n, *space, inputs = x.shape
    outputs = kernel.shape[-1]
    (sh, sw), sides = stride, kernel.shape[:2]
    th, tw = (side // s for side, s in zip(sides, stride, strict=True))
    firsts = [p // s for p, s in zip(padding, stride, strict=True)]
    lengths = [
        (length - 1) * s - 2 * p + side + more
        for length, s, p, side, more in zip(space, stride, padding, sides, added, strict=True)
    ]
    phases = kernel.reshape(th, sh, tw, sw, inputs, outputs)
    phases = jnp.transpose(lax.rev(phases, (0, 2)), (0, 2, 4, 1, 3, 5))
    around = [
        (taps - 1 - first, (length - 1 + p) // s - (own - 1))
        for taps, first, length, p, s, own in zip(
            (th, tw), firsts, lengths, padding, stride, space, strict=True
        )
    ]
    cells = _convolve(
        x, phases.reshape(th, tw, inputs, sh * sw * outputs), stride=(1, 1), padding=around,
        dilation=(1, 1),
    )  # fmt: skip
    _, h, w, _ = cells.shape
    y = jnp.transpose(cells.reshape(n, h, w, sh, sw, outputs), (0, 1, 3, 2, 4, 5))
    y = y.reshape(n, h * sh, w * sw, outputs)
    top, left = (p - first * s for p, first, s in zip(padding, firsts, stride, strict=True))
    return lax.slice(
        y, (0, top, left, 0), (n, top + lengths[0], left + lengths[1], outputs)
    )  # fmt: skip


def convolution(
    x: Laid, weight: Laid, bias: Laid | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool = False, added: Any = 0, groups: int = 1,
) -> Laid:  # fmt: skip
    """[n, c, ...] with torch's kernel [out, in / groups, ...], or [in, out / groups, ...]."""
    count = x.ndim - 2
    stride, padding, dilation = (pair(v, count) for v in (stride, padding, dilation))
    image = channels_last(x)
    space = tuple(range(2, weight.ndim))
    if transposed:
        kernel = weight.arranged((*space, 0, 1))
        y = _transposed(
            image, kernel, stride=stride, padding=padding, dilation=dilation,
            added=pair(added, count), groups=groups,
        )  # fmt: skip
    else:
        kernel = weight.arranged((*space, 1, 0))
        around = [(p, p) for p in padding]
        geometry = {"stride": stride, "padding": around, "dilation": dilation}
        plain = functools.partial(_convolve, groups=groups, **geometry)
        if groups == 1:
            y = plain(image, kernel)
        elif groups == image.shape[-1] == kernel.shape[-1]:
            on_cpu = functools.partial(_sum_of_shifts, **geometry)
            y = lax.platform_dependent(image, kernel, cpu=on_cpu, default=plain)
        else:
            on_cpu = functools.partial(_side_by_side, groups=groups, **geometry)
            y = lax.platform_dependent(image, kernel, cpu=on_cpu, default=plain)
    if bias is not None:
        y = y + bias.arranged((0,)).reshape((1,) * (y.ndim - 1) + (-1,))
    return images(y)


def _conv(
    x: Laid, weight: Laid, bias: Laid | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Laid:  # fmt: skip
    return convolution(x, weight, bias, stride, padding, dilation, groups=groups)


def _backward(
    slope: Laid, x: Laid, weight: Laid, bias: Any, *geometry: Any
) -> tuple[Laid | None, ...]:
    """What torch's gradients of a convolution are, as networks take that descend within."""
    *options, wanted = geometry

    def forward(image: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolution(Laid.of(image), Laid.of(kernel), None, *options).plain()

    _, pull = jax.vjp(forward, x.plain(), weight.plain())
    slopes = slope.plain()
    found = *pull(slopes), jnp.sum(slopes, axis=(0, *range(2, slopes.ndim)))
    return tuple(Laid.of(one) if want else None for one, want in zip(found, wanted, strict=True))


OPERATIONS: dict[str, Operation] = {
    "_convolution": lambda *args: convolution(*args[:9]),  # the rest is of backends
    "conv1d": _conv,
    "conv2d": _conv,
    "convolution": convolution,
    "convolution_backward": _backward,
}
