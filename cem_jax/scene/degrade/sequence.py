"""Degradations in sequence, on a whole image and again around a block."""

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int32, Integer, Key, Shaped

from cem_jax.arrays import AnyArray
from cem_jax.by_shape import by_shape
from cem_jax.scene.degrade.step import Degradation

_STREAM = 7919
"""Told from seeds that users give to numpy themselves."""

Corner = Int[AnyArray, ""] | int
"""A row or a column, known only where the program runs."""

Interval = tuple[int, int]
"""First row (column), and the one behind the last."""


def ratio_of(steps: Sequence[Degradation]) -> Fraction:
    """Pixels of the last result per pixel of the first input."""
    return math.prod((step.ratio for step in steps), start=Fraction(1))


def multiple_of(steps: Sequence[Degradation]) -> int:
    """Of which the sides of an image must be multiples."""
    least, ratio = 1, Fraction(1)
    for step in steps:
        ratio *= step.ratio
        least = math.lcm(least, ratio.denominator)
    return least


def draw(steps: Sequence[Degradation], shape: tuple[int, int, int], seed: int) -> tuple[Any, ...]:
    """What the steps need beside the image.

    Args:
        steps: the degradations.
        shape: of the clean image, [h, w, c].
        seed: of all that is random.
    """
    drawn, (h, w, c) = [], shape
    for number, step in enumerate(steps):
        random = np.random.RandomState([seed % 2**32, seed >> 32, number, _STREAM])
        drawn.append(step.drawn(random, (h, w, c)))
        h, w = int(h * step.ratio), int(w * step.ratio)
    return tuple(drawn)


def degrade(
    image: Shaped[AnyArray, "h w c"], steps: Sequence[Degradation], drawn: Sequence[Any]
) -> Int32[jax.Array, "rows columns c"]:
    """The steps one after the other, each to 8 bits.

    Args:
        image: integers 0 .. 255, [h, w, c].
        steps: the degradations.
        drawn: of `draw`.

    Returns:
        int32 0 .. 255, [h', w', c].
    """
    levels = jnp.asarray(image, jnp.int32)
    for step, own in zip(steps, drawn, strict=True):
        levels = step.apply(levels, own)
    return levels


@dataclasses.dataclass(frozen=True)
class Axis:
    """How far a block's change goes along an axis, and what must be degraded again.

    Args:
        reach: pixels of the result by which the change may exceed the block, on both sides.
        before: pixels of the clean image ahead of the block, on which these depend.
        size: of the part of the clean image that is degraded again.
        period: pixels of the clean image on which such parts begin.
        length: of the clean image.
    """

    reach: int
    before: int
    size: int
    period: int
    length: int

    @classmethod
    def make(cls, steps: Sequence[Degradation], length: int, block: int) -> "Axis":
        """Of the blocks of a grid.

        Args:
            steps: the degradations.
            length: of the clean image, in pixels.
            block: of a block, in pixels of the clean image.
        """
        places = range(0, length, block)
        side, period, ratio = block * ratio_of(steps), 1, Fraction(1)
        for step in steps:
            period = math.lcm(period, (step.period / ratio).numerator)
            ratio *= step.ratio
            period = math.lcm(period, ratio.denominator)
        changed = [_forth(steps, (p, p + block)) for p in places]
        at = [int(p * ratio) for p in places]
        ahead = max(a - lo for a, (lo, _) in zip(at, changed, strict=True))
        behind = max(hi - a - int(side) for a, (_, hi) in zip(at, changed, strict=True))
        reach = max(ahead, behind, 0)
        needed = [_back(steps, (a - reach, a + int(side) + reach)) for a in at]
        before = max(p - lo for p, (lo, _) in zip(places, needed, strict=True))
        most = max(hi - p for p, (_, hi) in zip(places, needed, strict=True))
        size = before + most + period - 1
        # Parts at the lower end begin on the grid as well.
        size += (length - size) % period
        return cls(reach, before, min(size, length), period, length)

    def start(self, corner: Corner) -> Int[jax.Array, ""]:
        """Where the part begins, for a block at `corner` of the clean image."""
        first = (corner - self.before) // self.period * self.period
        return jnp.clip(first, 0, self.length - self.size)


def _forth(steps: Sequence[Degradation], interval: Interval) -> Interval:
    for step in steps:
        interval = step.changed(*interval)
    return interval


def _back(steps: Sequence[Degradation], interval: Interval) -> Interval:
    for step in reversed(steps):
        interval = step.needed(*interval)
    return interval


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class DegradedAgain:
    """The task's do(): the patch in the clean image, and all that it changes degraded again.

    What was drawn for the image (streaks, depth) stays; noise is drawn anew inside the block.

    Args:
        clean: integers 0 .. 255, [h, w, c].
        drawn: of `draw`.
        steps: the degradations.
    """

    clean: Integer[jax.Array, "h w c"]
    drawn: tuple[Any, ...]
    steps: tuple[Degradation, ...] = dataclasses.field(metadata={"static": True})

    __repr__ = by_shape

    def __call__(
        self,
        patch: Float[AnyArray, "block block c"],
        y: Corner,
        x: Corner,
        key: Key[jax.Array, ""],
    ) -> Float[jax.Array, "side side c"]:
        """The input's pixels around the block, see `Intervene`."""
        block, (height, width, _) = patch.shape[0], self.clean.shape
        ratio = ratio_of(self.steps)
        side = block * ratio
        if side.denominator != 1:
            raise ValueError(
                f"block={block}: in a scene reduced by {ratio.denominator} it must be a multiple "
                f"of {ratio.denominator}"
            )
        rows, columns = (Axis.make(self.steps, length, block) for length in (height, width))
        corner = tuple(at * ratio.denominator // ratio.numerator for at in (y, x))
        top, left = rows.start(corner[0]), columns.start(corner[1])
        at = (corner[0] - top, corner[1] - left)
        levels = _cut(self.clean.astype(jnp.int32), (top, left), (rows.size, columns.size))
        levels = _paste(levels, jnp.round(255 * patch).astype(jnp.int32), at)
        scale = Fraction(1)
        for step, own, fresh in zip(
            self.steps, self.drawn, jax.random.split(key, len(self.steps)), strict=True
        ):
            start = tuple(_scaled(first, scale) for first in (top, left))
            shape = levels.shape[:2]
            own = jax.tree.map(lambda a, start=start, shape=shape: _cut(a, start, shape), own)
            if step.renewed:
                inside = int(block * scale)
                new = step.redrawn(fresh, (inside, inside, levels.shape[2]))
                place = tuple(_scaled(first, scale) for first in at)
                own = jax.tree.map(lambda a, n, place=place: _paste(a, n, place), own, new)
            levels = step.apply(levels, own)
            scale *= step.ratio
        reach = max(rows.reach, columns.reach)
        around = int(side) + 2 * reach
        padded = jnp.pad(levels, ((reach, around), (reach, around), (0, 0)))
        place = tuple(_scaled(first, scale) for first in at)
        return _cut(padded, place, (around, around)) / 255


def _scaled(index: Corner, ratio: Fraction) -> Corner:
    return index * ratio.numerator // ratio.denominator


def _cut(
    array: Shaped[jax.Array, "h w *rest"], start: Sequence[Any], size: Sequence[int]
) -> Shaped[jax.Array, "rows columns *rest"]:
    """The part [size, ...] that begins at a row and a column."""
    rest = array.shape[2:]
    first = (*start, *(0 for _ in rest))
    return jax.lax.dynamic_slice(array, first, (*size, *rest))


def _paste(
    array: Shaped[jax.Array, "h w *rest"],
    patch: Shaped[jax.Array, "side side *rest"],
    at: Sequence[Any],
) -> Shaped[jax.Array, "h w *rest"]:
    """The array with a patch at a row and a column; what lies outside is cut off."""
    h, w = array.shape[:2]
    side = patch.shape[0]
    room = ((0, side), (0, side), *((0, 0) for _ in array.shape[2:]))
    first = (*at, *(0 for _ in array.shape[2:]))
    return jax.lax.dynamic_update_slice(jnp.pad(array, room), patch, first)[:h, :w]
