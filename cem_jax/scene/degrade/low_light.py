"""Low light: a dark and pale photograph."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from cem_jax.arguments import number_in, positive_number
from cem_jax.scene.degrade.step import Degradation


def darkened(clean: Any, gamma: float, light: float) -> Any:
    """A power of what is clean, of which a share is left: light * clean^gamma.

    Args:
        clean: in [0, 1], any shape.
        gamma: above 1 darkens.
        light: share of it that is left.
    """
    return light * clean**gamma


@dataclasses.dataclass(frozen=True)
class LowLight(Degradation):
    """Low light: light * clean^gamma, rounded to 8 bits.

    Args:
        gamma: an exponent, without unit; above 1 darkens.
        light: share of it that is left, 0 .. 1.

    Raises:
        ValueError: numbers out of range.
    """

    gamma: float = 1.5
    light: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", positive_number("gamma", self.gamma))
        object.__setattr__(self, "light", number_in("light", self.light, 0, 1, "a share"))

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        table = np.rint(255 * darkened(np.arange(256) / 255, self.gamma, self.light))
        return jnp.asarray(table, jnp.int32)[image]
