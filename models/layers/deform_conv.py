"""Modulated deformable convolution (Zhu et al., Deformable ConvNets v2, CVPR 2019), in NHWC."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .conv import Conv


def sample_bilinear(
    x: Float[jax.Array, "n h w groups c"],
    rows: Float[jax.Array, "n H W groups points"],
    columns: Float[jax.Array, "n H W groups points"],
) -> Float[jax.Array, "n H W groups points c"]:
    """Values between the pixels, for each group of channels; all outside the image is zero.

    The layout of the result is the one that the taps are summed in, so that nothing is transposed.

    Args:
        x: [n, h, w, groups, c].
        rows: vertical positions in pixels, [n, h', w', groups, points].
        columns: horizontal positions in pixels, of the same shape.

    Returns:
        [n, h', w', groups, points, c].
    """
    n, h, w, groups, c = x.shape
    cells = x.reshape(n * h * w * groups, c)
    image = np.arange(n).reshape(n, 1, 1, 1, 1)
    group = np.arange(groups).reshape(1, 1, 1, groups, 1)

    def corners(position: Float[jax.Array, "n H W groups points"], size: int):
        """The two pixels around each position along one axis, with their weights."""
        # Clipped before the cast: any position this far out has no pixel of the image beside it.
        position = jnp.clip(position, -2.0, size + 1.0)
        low = jnp.floor(position)
        upper = position - low
        index = low.astype(jnp.int32)
        for pixel, weight in ((index, 1.0 - upper), (index + 1, upper)):
            inside = (pixel >= 0) & (pixel < size)
            yield jnp.clip(pixel, 0, size - 1), jnp.where(inside, weight, 0.0)

    horizontal = tuple(corners(columns, w))
    total = jnp.zeros((*rows.shape, c), x.dtype)
    for row, row_weight in corners(rows, h):
        for column, column_weight in horizontal:
            index = ((image * h + row) * w + column) * groups + group
            total = total + (row_weight * column_weight)[..., None] * cells[index]
    return total


class ModulatedDeformConv(nnx.Module):
    """Convolution whose taps are moved and weighed by maps computed from another input.

    Every group of channels has its own offsets and weights. Stride 1, output as large as input.

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        guide_features: channels of the input that offsets and weights are computed from.
        kernel_size: side of the square kernel.
        deformable_groups: number of groups of input channels.
        rngs: source of the initial kernel.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        guide_features: int,
        kernel_size: int = 3,
        *,
        deformable_groups: int = 1,
        rngs: nnx.Rngs,
    ):
        self.kernel_size = kernel_size
        self.deformable_groups = deformable_groups
        taps = kernel_size**2
        shape = (kernel_size, kernel_size, in_features, out_features)
        self.kernel = nnx.Param(jax.nn.initializers.he_normal()(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(out_features))
        # Without offsets at first, so that training starts as an ordinary convolution.
        self.conv_offset_mask = Conv(
            guide_features, 3 * taps * deformable_groups, kernel_size, init_scale=0.0, rngs=rngs
        )

    def __call__(
        self, x: Float[jax.Array, "n h w c"], guide: Float[jax.Array, "n h w guide"]
    ) -> Float[jax.Array, "n h w out"]:
        """[n, h, w, in], [n, h, w, guide] -> [n, h, w, out]."""
        n, h, w, channels = x.shape
        groups, taps = self.deformable_groups, self.kernel_size**2
        maps = self.conv_offset_mask(guide)
        # Channels: (dy, dx) of every tap of every group, then the weight of every tap and group.
        offsets = maps[..., : 2 * groups * taps].reshape(n, h, w, groups, taps, 2)
        weights = jax.nn.sigmoid(maps[..., 2 * groups * taps :]).reshape(n, h, w, groups, taps, 1)

        reach = np.arange(self.kernel_size) - self.kernel_size // 2
        tap_rows, tap_columns = np.repeat(reach, self.kernel_size), np.tile(reach, self.kernel_size)
        rows = np.add.outer(np.arange(h), tap_rows).reshape(1, h, 1, 1, taps).astype(np.float32)
        columns = np.add.outer(np.arange(w), tap_columns).reshape(1, 1, w, 1, taps)
        columns = columns.astype(np.float32)
        rows, columns = offsets[..., 0] + rows, offsets[..., 1] + columns

        values = sample_bilinear(x.reshape(n, h, w, groups, -1), rows, columns) * weights
        kernel = self.kernel[...].reshape(taps, groups, channels // groups, -1).swapaxes(0, 1)
        y = jnp.matmul(values.reshape(n, h, w, -1), kernel.reshape(taps * channels, -1))
        return y + jnp.reshape(self.bias[...], (1, 1, 1, -1))
