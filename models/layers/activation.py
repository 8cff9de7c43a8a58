"""Activations as modules, so that they can stand in a `Sequential`."""

import dataclasses

import jax
from flax import nnx


class ReLU(nnx.Module):
    """max(x, 0)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.relu(x)


@dataclasses.dataclass
class LeakyReLU(nnx.Module):
    """x where positive, `slope` * x elsewhere."""

    slope: float = 0.01

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.leaky_relu(x, self.slope)
