"""Two-dimensional convolution with torch's meaning of its arguments, in NHWC.

XLA's grouped convolutions are slow on CPU, so there they are computed as what they consist of:
shifted products where each channel is its own group, otherwise one convolution for each group.
"""

import functools
import itertools
import operator

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Float

_NHWC = ("NHWC", "HWIO", "NHWC")


def _convolve(
    x: Float[jax.Array, "n h w c"],
    kernel: Float[jax.Array, "kh kw inner out"],
    *,
    stride: int,
    padding: int,
    dilation: int,
    groups: int = 1,
) -> Float[jax.Array, "n H W out"]:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(padding, padding)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=_NHWC,
        feature_group_count=groups,
    )


def _sum_of_shifts(
    x: Float[jax.Array, "n h w c"],
    kernel: Float[jax.Array, "kh kw 1 c"],
    *,
    stride: int,
    padding: int,
    dilation: int,
) -> Float[jax.Array, "n H W c"]:
    """Every channel by itself: the shifted images, each times its tap of `kernel` [k, k, 1, c]."""
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    n, h, w, c = x.shape
    size, reach = kernel.shape[0], dilation * (kernel.shape[0] - 1)
    terms = []
    for row, column in itertools.product(range(size), repeat=2):
        top, left = dilation * row, dilation * column
        end = (n, h - reach + top, w - reach + left, c)
        shifted = lax.slice(x, (0, top, left, 0), end, (1, stride, stride, 1))
        terms.append(shifted * kernel[row, column][None, None])
    return functools.reduce(operator.add, terms)


def _side_by_side(
    x: Float[jax.Array, "n h w c"],
    kernel: Float[jax.Array, "kh kw inner out"],
    *,
    groups: int,
    **geometry: int,
) -> Float[jax.Array, "n H W out"]:
    """One convolution for each group of channels."""
    parts = zip(jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-1), strict=True)
    return jnp.concatenate([_convolve(*part, **geometry) for part in parts], axis=-1)


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

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in] -> [n, h', w', out]."""
        kernel, groups = self.kernel[...], self.groups
        geometry = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        plain = functools.partial(_convolve, groups=groups, **geometry)
        if groups == 1:
            y = plain(x, kernel)
        elif groups == x.shape[-1] == kernel.shape[-1]:
            on_cpu = functools.partial(_sum_of_shifts, **geometry)
            y = lax.platform_dependent(x, kernel, cpu=on_cpu, default=plain)
        else:
            on_cpu = functools.partial(_side_by_side, groups=groups, **geometry)
            y = lax.platform_dependent(x, kernel, cpu=on_cpu, default=plain)
        return y if self.bias is None else y + jnp.reshape(self.bias[...], (1, 1, 1, -1))
