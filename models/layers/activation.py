"""Activations as modules, so that they can stand in a `Sequential`."""

import dataclasses

import jax
from flax import nnx
from jaxtyping import Float


class ReLU(nnx.Module):
    """max(x, 0)."""

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        return jax.nn.relu(x)


@dataclasses.dataclass
class LeakyReLU(nnx.Module):
    """x where positive, `slope` * x elsewhere."""

    slope: float = 0.01

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes c"]:
        return jax.nn.leaky_relu(x, self.slope)
