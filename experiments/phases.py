"""Convolutions over zeros written by phases: XLA's CPU backend trains the former far slower."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_NHWC = (0, 3, 1, 2)


def is_over_zeros(params: dict[str, Any]) -> bool:
    """Whether a convolution is one that `by_phases` computes.

    Args:
        params: of the primitive `conv_general_dilated`.
    """
    numbers, (first, second) = params["dimension_numbers"], params["lhs_dilation"]
    plain = params["window_strides"] == params["rhs_dilation"] == (1, 1)
    single = params["feature_group_count"] == params["batch_group_count"] == 1
    layout = numbers.lhs_spec == numbers.out_spec == _NHWC
    return first == second > 1 and plain and single and layout


def by_phases(x: jax.Array, kernel: jax.Array, params: dict[str, Any]) -> jax.Array:
    """The same convolution as one of the image without zeros, to a channel for each phase.

    Output pixel s * cell + phase sums kernel[s * tap + s - 1 - phase] times x[cell + tap - before],
    once zeros stand before and behind the kernel so that the phases begin together.

    Args:
        x: [n, h, w, in].
        kernel: as the primitive takes it.
        params: of the primitive.

    Returns:
        [n, H, W, out].
    """
    (s, _), padding = params["lhs_dilation"], params["padding"]
    output, inner, *sides = params["dimension_numbers"].rhs_spec
    kernel = jnp.transpose(kernel, (*sides, inner, output))
    padded, before, lengths, cells, taps = [], [], [], [], []
    for axis, (low, high) in enumerate(padding):
        size, side = kernel.shape[axis], x.shape[1 + axis]
        front = (s - 1 - low) % s
        taps.append(-(-(size + front) // s))
        padded.append((front, s * taps[-1] - size - front))
        before.append((low + front) // s)
        lengths.append((side - 1) * s + 1 + low + high - size + 1)
        cells.append(-(-lengths[-1] // s))
    kernel = jnp.pad(kernel, (*padded, (0, 0), (0, 0)))
    channels, outputs = kernel.shape[2:]
    kernel = kernel.reshape(taps[0], s, taps[1], s, channels, outputs)
    kernel = jnp.transpose(kernel[:, ::-1, :, ::-1], (0, 2, 4, 1, 3, 5))
    y = lax.conv_general_dilated(
        x,
        kernel.reshape(*taps, channels, s * s * outputs),
        (1, 1),
        [
            (low, count + tap - 1 - low - side)
            for low, count, tap, side in zip(before, cells, taps, x.shape[1:3], strict=True)
        ],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=params["precision"],
    )
    y = y.reshape(x.shape[0], *cells, s, s, outputs)
    y = jnp.transpose(y, (0, 1, 3, 2, 4, 5)).reshape(x.shape[0], cells[0] * s, -1, outputs)
    return y[:, : lengths[0], : lengths[1]]
