"""A degradation as one step from an image to the next, both in 8-bit levels."""

from fractions import Fraction
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Int32, Key, UInt8

from cem_jax.arguments import whole_number
from cem_jax.arrays import SameArray

ONE = 65536
"""One level of 255 in fixed point. Sums of integers are the same on every device, and in every
part of an image, whatever the order in which a compiler adds."""


class Degradation:
    """A step that can be taken again on a part of the image.

    What is random or depends on the place (noise, streaks, depth) is drawn beforehand, as arrays
    with a row and a column for each pixel. Given these, a pixel of the result depends on nothing
    but the pixels near it, and the same way everywhere up to the grid of `period`.

    Subclasses are frozen dataclasses whose fields can be hashed.
    """

    renewed: ClassVar[bool] = False
    """Whether do() draws anew, inside the block, what was drawn for the image."""

    @property
    def period(self) -> int:
        """Pixels of the input after which the step repeats itself: its own grid."""
        return 1

    @property
    def ratio(self) -> Fraction:
        """Pixels of the result per pixel of the input."""
        return Fraction(1)

    def changed(self, low: int, high: int) -> tuple[int, int]:
        """What of the result can change with rows (columns) low .. high - 1 of the input.

        Args:
            low: the first one.
            high: the one behind the last.

        Returns:
            First row of the result, and the one behind the last; they may lie outside.
        """
        return low, high

    def needed(self, low: int, high: int) -> tuple[int, int]:
        """What of the input rows (columns) low .. high - 1 of the result depend on.

        Args:
            low: the first one.
            high: the one behind the last.

        Returns:
            First row of the input, and the one behind the last; they may lie outside.
        """
        return low, high

    def drawn(self, random: np.random.RandomState, shape: tuple[int, int, int]) -> Any:
        """What does not depend on the image.

        Args:
            random: source of all that is random.
            shape: of the input, [h, w, c].

        Returns:
            A pytree of arrays [h, w, ...].
        """
        return ()

    def redrawn(self, key: Key[jax.Array, ""], shape: tuple[int, int, int]) -> Any:
        """The same on the device, for a block; only where `renewed`.

        Args:
            key: random key, of shape [].
            shape: of the block in the input, [side, side, c].

        Returns:
            A pytree of arrays [side, side, ...].
        """
        raise NotImplementedError

    def apply(
        self, image: Int32[jax.Array, "h w c"], drawn: Any
    ) -> Int32[jax.Array, "rows columns c"]:
        """The result.

        Args:
            image: int32 0 .. 255, [h, w, c].
            drawn: of `drawn`, for the same pixels.

        Returns:
            int32 0 .. 255, [h', w', c].
        """
        raise NotImplementedError

    def __call__(
        self, image: UInt8[np.ndarray, "h w c"], seed: int = 0
    ) -> UInt8[np.ndarray, "rows columns c"]:
        """The step on a whole image.

        Args:
            image: uint8 [h, w, c].
            seed: seed of what is random.

        Returns:
            uint8.
        """
        seed = whole_number("seed", seed, 0, 2**32 - 1)
        drawn = self.drawn(np.random.RandomState(seed), image.shape)  # type: ignore[arg-type]
        return np.asarray(self.apply(jnp.asarray(image, jnp.int32), drawn), np.uint8)


def to_levels(fixed: Int[SameArray, "*axes"]) -> Int[SameArray, "*axes"]:
    """Integers in fixed point as levels 0 .. 255, rounded to the nearest and cut off."""
    return ((fixed + ONE // 2) >> 16).clip(0, 255)
