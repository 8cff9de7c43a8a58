"""Synthetic rain: thresholded uniform noise, blurred along a rotated line (the paper's model)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int32, Shaped, UInt8

from cem_jax.arguments import number_in
from cem_jax.arrays import AnyArray
from cem_jax.scene.degrade.kernel import correlate
from cem_jax.scene.degrade.step import ONE, Degradation, to_levels

_WIDTHS = (1, 3, 5, 7, 9)
_LONGEST = 100


@dataclasses.dataclass(frozen=True)
class Rain(Degradation):
    """Rain of one kind of streak; do() lets the same rain fall on the patch.

    Args:
        amount: share of pixels that start a streak.
        width: side of the Gaussian that widens the streak, in pixels (1, 3, 5, 7 or 9).
        length: length of a streak, in pixels.
        angle: degrees that a streak leans from the vertical, counter-clockwise.
        beta: weight with which the layer is added to the image, without unit.

    Raises:
        ValueError: numbers out of range.
    """

    amount: float
    width: int
    length: int
    angle: float
    beta: float

    def __post_init__(self) -> None:
        number_in("amount", self.amount, 0, 1, "a share")
        if self.width not in _WIDTHS:
            raise ValueError(f"width={self.width!r}: expected one of {_WIDTHS}")
        if self.length not in range(1, _LONGEST + 1):
            raise ValueError(f"length={self.length!r}: expected whole pixels, 1 .. {_LONGEST}")
        number_in("angle", self.angle, -np.inf, unit="in degrees")
        number_in("beta", self.beta, 0, 10)

    @classmethod
    def of_kind(cls, kind: str = "medium", seed: int = 0, angle: float | None = None) -> "Rain":
        """Streaks drawn from the ranges of a kind.

        Args:
            kind: "small", "medium" (the paper's), "large" or "random".
            seed: seed of the choice.
            angle: of the streaks, in degrees from the vertical; None draws it.

        Raises:
            ValueError: another kind.
        """
        rain = _parameters(np.random.RandomState(seed), kind)
        return rain if angle is None else dataclasses.replace(rain, angle=angle)

    def layer(
        self, random: np.random.RandomState, shape: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        """The streaks alone.

        Args:
            random: source of the drops.
            shape: height and width of the image.

        Returns:
            uint8 [h, w], the minimum 0 and the maximum 255.
        """
        drops = random.uniform(0, 256, shape)
        drops[drops < 256 - self.amount * 256] = 0
        layer = correlate(correlate(drops, _DROP), _streak(self))
        low, high = layer.min(), layer.max()
        scale = 255 / (high - low) if high > low else 0.0
        return ((layer - low) * scale).astype(np.uint8)

    def drawn(self, random: np.random.RandomState, shape: tuple[int, int, int]) -> Any:
        added = self.beta * ONE * self.layer(random, shape[:2])[..., None].astype(np.float64)
        return jnp.asarray(np.rint(added), jnp.int32)

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        return to_levels(image * ONE + drawn)


_KINDS = {
    "small": ((0.002, 0.004), {1: 0.5, 3: 0.5}, (25, 35), (-10, 10)),
    "medium": ((0.005, 0.007), {3: 0.25, 5: 0.5, 7: 0.25}, (35, 45), (-30, 30)),
    "large": ((0.008, 0.010), {7: 0.5, 9: 0.5}, (45, 55), (-60, 60)),
    "random": ((0.002, 0.010), dict.fromkeys(_WIDTHS, 0.2), (25, 55), (-60, 60)),
}
"""Amount, widths with their chances, length and angle of the kinds in the paper's code."""


def _parameters(random: np.random.RandomState, kind: str) -> Rain:
    """Streaks from a kind's ranges, in the order of the paper's code."""
    if kind not in _KINDS:
        raise ValueError(f"kind={kind!r}: expected {', '.join(_KINDS)}")
    amounts, widths, lengths, angles = _KINDS[kind]
    beta = random.uniform(0.6, 1.0)
    amount = random.uniform(*amounts)
    width = int(random.choice(list(widths), p=list(widths.values())))
    length = int(random.randint(lengths[0], lengths[1] + 1))
    angle = int(random.randint(angles[0], angles[1] + 1))
    return Rain(amount, width, length, angle, beta)


_GAUSSIAN = {
    1: [1.0],
    3: [0.25, 0.5, 0.25],
    5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
    7: [0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
    9: [v / 256 for v in (4, 13, 30, 51, 60, 51, 30, 13, 4)],
}
_DROP = np.array([[0.0, 0.1, 0.0], [0.1, 8.0, 0.1], [0.0, 0.1, 0.0]])


def _streak(rain: Rain) -> Float64[np.ndarray, "{rain.length} {rain.length}"]:
    """The blur kernel: a diagonal line turned to the angle and widened, [length, length]."""
    n = rain.length
    turn = np.deg2rad(rain.angle - 45)
    centre = (n - 1) / 2
    y, x = np.mgrid[:n, :n] - centre
    source_x = np.cos(turn) * x - np.sin(turn) * y + centre
    source_y = np.sin(turn) * x + np.cos(turn) * y + centre
    left, top = np.floor(source_x).astype(int), np.floor(source_y).astype(int)
    right_share, low_share = source_x - left, source_y - top
    line = np.pad(np.eye(n), n)  # zeros around, wide enough for every rotated corner
    kernel = np.zeros((n, n))
    for dy in (0, 1):
        for dx in (0, 1):
            share = (low_share if dy else 1 - low_share) * (right_share if dx else 1 - right_share)
            kernel += share * line[top + dy + n, left + dx + n]
    wide = np.outer(_GAUSSIAN[rain.width], _GAUSSIAN[rain.width])
    return correlate(kernel, wide)


def draw_rain(
    shape: tuple[int, int], seed: int, kind: str = "medium", angle: float | None = None
) -> tuple[Rain, UInt8[np.ndarray, "h w"]]:
    """Draws rain for an image.

    Random numbers come in the order of the paper's code, from numpy's frozen legacy generator, so
    that a seed stands for the same rain there and here.

    Args:
        shape: height and width of the image.
        seed: seed of the parameters and the drops.
        kind: "small", "medium", "large" or "random".
        angle: of the streaks, in degrees from the vertical; None draws it.

    Returns:
        The parameters, and the layer: uint8 [h, w], its minimum 0 and maximum 255.

    Raises:
        ValueError: another kind.
    """
    random = np.random.RandomState(seed)
    rain = _parameters(random, kind)
    rain = rain if angle is None else dataclasses.replace(rain, angle=angle)
    return rain, rain.layer(random, shape)


def add_rain(
    image: Shaped[AnyArray, "*n h w c"], layer: Shaped[AnyArray, "*n h w"], beta: float
) -> Int32[jax.Array, "*n h w c"]:
    """Adds a rain layer to an image.

    Args:
        image: integers 0 .. 255, [..., h, w, c].
        layer: integers 0 .. 255, [..., h, w].
        beta: weight of the layer.

    Returns:
        int32 0 .. 255, of the image's shape.
    """
    streaks = beta * jnp.asarray(layer, jnp.float32)[..., None]
    total = jnp.asarray(image, jnp.float32) + streaks
    return jnp.clip(jnp.round(total), 0, 255).astype(jnp.int32)
