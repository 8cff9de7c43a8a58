"""Low light: a dark and pale photograph."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

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
        if not (np.isfinite(self.gamma) and self.gamma > 0):
            raise ValueError(f"gamma={self.gamma!r}: expected a number above 0")
        if not 0 <= self.light <= 1:
            raise ValueError(f"light={self.light!r}: expected a share, 0 .. 1")

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        table = np.rint(255 * darkened(np.arange(256) / 255, self.gamma, self.light))
        return jnp.asarray(table, jnp.int32)[image]
