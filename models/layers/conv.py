"""Two-dimensional convolution with torch's meaning of its arguments, in NHWC."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

_NHWC = ("NHWC", "HWIO", "NHWC")


class Conv(nnx.Module):
    """Convolution with zero padding; `kernel` is [k, k, in / groups, out], `bias` [out].

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: side of the square kernel.
        stride: step between outputs, in pixels.
        padding: zeros added on every side; None keeps the size at stride 1.
        dilation: step between kernel taps, in pixels.
        groups: number of independent groups of channels.
        use_bias: whether a bias is added.
        init_scale: factor on the He-normal initial kernel; residual branches start small (0.1).
        rngs: source of the initial kernel.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        use_bias: bool = True,
        init_scale: float = 1.0,
        rngs: nnx.Rngs,
    ):
        self.stride = stride
        self.padding = dilation * (kernel_size // 2) if padding is None else padding
        self.dilation = dilation
        self.groups = groups
        shape = (kernel_size, kernel_size, in_features // groups, out_features)
        init = jax.nn.initializers.variance_scaling(2.0 * init_scale**2, "fan_in", "normal")
        self.kernel = nnx.Param(init(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(out_features)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, in] -> [n, h', w', out]."""
        y = lax.conv_general_dilated(
            x,
            self.kernel[...],
            (self.stride, self.stride),
            [(self.padding, self.padding)] * 2,
            rhs_dilation=(self.dilation, self.dilation),
            dimension_numbers=_NHWC,
            feature_group_count=self.groups,
        )
        return y if self.bias is None else y + jnp.reshape(self.bias[...], (1, 1, 1, -1))
