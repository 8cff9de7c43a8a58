"""Haze: light that the air scatters between the camera and what it sees."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int32

from cem_jax.arguments import number_in
from cem_jax.scene.degrade.step import ONE, Degradation, to_levels


def transmission(
    shape: tuple[int, int], depth: float, slope: float = 0.0, angle: float = 0.0
) -> Float64[np.ndarray, "h w 1"]:
    """The share of light that comes through, exp(-depth), the depth being a plane.

    Args:
        shape: height and width of the image.
        depth: optical depth in the middle.
        slope: how much it grows across the image.
        angle: towards which side, in degrees: 0 to the right, 90 downwards.

    Returns:
        float64 [h, w, 1].
    """
    y, x = (np.linspace(-0.5, 0.5, side) for side in shape)
    turn = np.deg2rad(angle)
    plane = depth + slope * (np.sin(turn) * y[:, None] + np.cos(turn) * x)
    return np.exp(-np.maximum(plane, 0))[:, :, None]


def hazed(clean: Any, through: Any, light: float) -> Any:
    """The atmospheric scattering model: clean * t + light * (1 - t).

    Args:
        clean: in [0, 1], [h, w, c].
        through: transmission t, [h, w, 1].
        light: of the air, in [0, 1].
    """
    return clean * through + light * (1 - through)


@dataclasses.dataclass(frozen=True)
class Haze(Degradation):
    """Haze over a sloping depth; do() keeps the air and the depth at the patch's place.

    clean * t + light * (1 - t) with the transmission t = exp(-depth), rounded to 8 bits.

    Args:
        light: brightness of the air, as a share of white.
        depth: optical depth in the middle of the image, without unit.
        slope: how much it grows across the image, without unit.
        angle: towards which side, in degrees: 0 to the right, 90 downwards.

    Raises:
        ValueError: numbers out of range.
    """

    light: float = 0.9
    depth: float = 0.7
    slope: float = 0.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        ends = {"light": (0, 1), "depth": (0, np.inf), "slope": (-np.inf, np.inf),
                "angle": (-np.inf, np.inf)}  # fmt: skip
        for name, (least, most) in ends.items():
            object.__setattr__(self, name, number_in(name, getattr(self, name), least, most))

    def drawn(self, random: np.random.RandomState, shape: tuple[int, int, int]) -> Any:
        through = transmission(shape[:2], self.depth, self.slope, self.angle)
        kept = np.rint(through * ONE)
        added = np.rint(hazed(0.0, through, self.light) * 255 * ONE)
        return jnp.asarray(kept, jnp.int32), jnp.asarray(added, jnp.int32)

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        kept, added = drawn
        return to_levels(image * kept + added)
