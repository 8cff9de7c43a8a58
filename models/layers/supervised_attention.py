"""Supervised attention between the stages of a network (Zamir et al., MPRNet, CVPR 2021)."""

import jax
from flax import nnx
from jaxtyping import Float

from .conv import Conv


class SupervisedAttention(nnx.Module):
    """Features weighed by the image that they already make.

    Args:
        n_feat: channels of the features.
        kernel_size: side of the kernels.
        use_bias: whether the convolutions have biases.
        rngs: source of the initial weights.
    """

    def __init__(self, n_feat: int, kernel_size: int, *, use_bias: bool = True, rngs: nnx.Rngs):
        self.conv1 = Conv(n_feat, n_feat, kernel_size, use_bias=use_bias, rngs=rngs)
        self.conv2 = Conv(n_feat, 3, kernel_size, use_bias=use_bias, rngs=rngs)
        self.conv3 = Conv(3, n_feat, kernel_size, use_bias=use_bias, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], image: Float[jax.Array, "n h w C"]
    ) -> Float[jax.Array, "n h w c"]:
        """[n, h, w, n_feat] and the network's input [n, h, w, 3] -> [n, h, w, n_feat]."""
        attention = jax.nn.sigmoid(self.conv3(self.conv2(x) + image))
        return self.conv1(x) * attention + x
