"""Two-dimensional transposed convolution with torch's meaning of its arguments, in NHWC.

On CPU a stride that divides the kernel's side is computed as a small convolution to stride**2 times
the channels, and these are then laid out in space: twice as fast there as an upsampled image with
zeros between its pixels. Other strides would leave taps empty and are computed as everywhere.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Float

from .reach import Interval, Stage


def transposed(kernel_size: int, stride: int, padding: int) -> Stage:
    """How far a transposed convolution reaches, for `reach`."""

    def stage(i: Interval) -> Interval:
        first, last = i[0] + padding - kernel_size + 1, i[1] + padding
        return -(-first // stride), last // stride

    return stage


def _through_zeros(
    x: Float[jax.Array, "n h w c"],
    kernel: Float[jax.Array, "kh kw out inner"],
    *,
    stride: int,
    padding: int,
    output_padding: int,
) -> Float[jax.Array, "n H W out"]:
    """A convolution of the image with zeros between its pixels."""
    before = kernel.shape[0] - 1 - padding
    return lax.conv_general_dilated(
        x,
        lax.rev(kernel, (0, 1)),
        (1, 1),
        [(before, before + output_padding)] * 2,
        lhs_dilation=(stride, stride),
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )


def _through_depth(
    x: Float[jax.Array, "n h w c"],
    kernel: Float[jax.Array, "kh kw out inner"],
    *,
    stride: int,
    padding: int,
    output_padding: int,
) -> Float[jax.Array, "n H W out"]:
    """A convolution for each of the stride**2 phases of the output; stride divides the side.

    Output pixel o + padding = stride * cell + phase sums kernel[stride * tap + phase] times
    x[cell - tap] over the taps; the cells from the first to the last that holds an output count.
    """
    n, _, _, inputs = x.shape
    size, outputs = kernel.shape[0], kernel.shape[2]
    taps, first = size // stride, padding // stride
    lengths = [(side - 1) * stride - 2 * padding + size + output_padding for side in x.shape[1:3]]
    phases = kernel.reshape(taps, stride, taps, stride, outputs, inputs)
    phases = jnp.transpose(lax.rev(phases, (0, 2)), (0, 2, 5, 1, 3, 4))
    cells = lax.conv_general_dilated(
        x,
        phases.reshape(taps, taps, inputs, stride**2 * outputs),
        (1, 1),
        [
            (taps - 1 - first, (length - 1 + padding) // stride - (side - 1))
            for side, length in zip(x.shape[1:3], lengths, strict=True)
        ],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    _, h, w, _ = cells.shape
    y = jnp.transpose(cells.reshape(n, h, w, stride, stride, outputs), (0, 1, 3, 2, 4, 5))
    y = y.reshape(n, h * stride, w * stride, outputs)
    top = left = padding - first * stride
    return y[:, top : top + lengths[0], left : left + lengths[1]]


class ConvTranspose(nnx.Module):
    """The adjoint of a strided convolution; `kernel` is [k, k, out, in], `bias` [out].

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: side of the square kernel.
        stride: output pixels per input pixel.
        padding: zeros that the adjoint convolution adds, thus pixels cut off every side here.
        output_padding: pixels added to the lower and right side.
        use_bias: whether a bias is added.
        rngs: source of the initial kernel.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int,
        *,
        stride: int,
        padding: int = 0,
        output_padding: int = 0,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        shape = (kernel_size, kernel_size, out_features, in_features)
        # One tap in stride**2 meets an input pixel, the others meet zeros.
        gain = 2.0 * stride**2
        init = jax.nn.initializers.variance_scaling(gain, "fan_in", "normal", -1, -2)
        self.kernel = nnx.Param(init(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(out_features)) if use_bias else None

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in] -> [n, h', w', out], h' = (h - 1) * stride - 2 * padding + k + added."""
        kernel = self.kernel[...]
        geometry = {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
        }
        plain = functools.partial(_through_zeros, **geometry)
        if kernel.shape[0] % self.stride:
            y = plain(x, kernel)
        else:
            on_cpu = functools.partial(_through_depth, **geometry)
            y = lax.platform_dependent(x, kernel, cpu=on_cpu, default=plain)
        return y if self.bias is None else y + jnp.reshape(self.bias[...], (1, 1, 1, -1))
