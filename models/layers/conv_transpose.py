"""Two-dimensional transposed convolution with torch's meaning of its arguments, in NHWC."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from .reach import Interval, Stage


def transposed(kernel_size: int, stride: int, padding: int) -> Stage:
    """How far a transposed convolution reaches, for `reach`."""

    def stage(i: Interval) -> Interval:
        first, last = i[0] + padding - kernel_size + 1, i[1] + padding
        return -(-first // stride), last // stride

    return stage


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
        before = kernel_size - 1 - padding
        self.margins = (before, before + output_padding)
        shape = (kernel_size, kernel_size, out_features, in_features)
        # One tap in stride**2 meets an input pixel, the others meet zeros.
        gain = 2.0 * stride**2
        init = jax.nn.initializers.variance_scaling(gain, "fan_in", "normal", -1, -2)
        self.kernel = nnx.Param(init(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(out_features)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, in] -> [n, h', w', out], h' = (h - 1) * stride - 2 * padding + k + added."""
        y = lax.conv_general_dilated(
            x,
            lax.rev(self.kernel[...], (0, 1)),
            (1, 1),
            [self.margins] * 2,
            lhs_dilation=(self.stride, self.stride),
            dimension_numbers=("NHWC", "HWOI", "NHWC"),
        )
        return y if self.bias is None else y + jnp.reshape(self.bias[...], (1, 1, 1, -1))
