"""Subtraction and addition of the training set's mean colour."""

import jax.numpy as jnp
from flax import nnx

from .conv import Conv
from .variable import Constant

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class MeanShift(Conv):
    """x + sign * mean, stored as a 1x1 convolution because checkpoints carry it as one.

    Args:
        sign: -1 before the network, +1 behind it.
        mean: mean colour in [0, 1].
    """

    def __init__(self, sign: int, mean: tuple[float, ...] = DIV2K_MEAN):
        super().__init__(3, 3, 1, rngs=nnx.Rngs(0))
        self.kernel = Constant(jnp.eye(3)[None, None])
        self.bias = Constant(sign * jnp.asarray(mean))
