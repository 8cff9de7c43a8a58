"""What stands behind an effect: the drawn patches that harmed and helped most."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt8

from cem_jax.by_shape import by_shape
from cem_jax.read_only import keep_read_only


@dataclasses.dataclass(frozen=True, eq=False)
class Extremes:
    """The draws with the lowest and the highest outcome, of blocks whose effect is not zero.

    Args:
        cells: their blocks, int [m], row * columns + column.
        draws: numbers of the draws with the lowest and the highest outcome, int [m, 2].
        patches: the pool's patches that were drawn, before the degradation, uint8 [m, 2, b, b, c].
        regions: the restored region after each, uint8 [m, 2, height, width, c].
        restored: the region without an intervention, uint8 [height, width, c].
        clean: the true region, uint8 [height, width, c].
    """

    cells: Integer[np.ndarray, " m"]
    draws: Integer[np.ndarray, "m 2"]
    patches: UInt8[np.ndarray, "m 2 b b c"]
    regions: UInt8[np.ndarray, "m 2 h w c"]
    restored: UInt8[np.ndarray, "h w c"]
    clean: UInt8[np.ndarray, "h w c"]

    __repr__ = by_shape

    def __post_init__(self) -> None:
        keep_read_only(self)


def extreme_draws(
    values: Float[np.ndarray, "cells draws"], chosen: Bool[np.ndarray, " cells"]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, "m 2"]]:
    """The draws with the lowest and the highest outcome.

    Args:
        values: outcomes [cells, draws], NaN where nothing was drawn.
        chosen: which cells, bool [cells].

    Returns:
        Cells int [m] and draws int [m, 2].
    """
    cells = np.flatnonzero(chosen & np.isfinite(values).any(axis=1))
    lowest = np.nanargmin(values[cells], axis=1) if len(cells) else np.zeros(0, int)
    highest = np.nanargmax(values[cells], axis=1) if len(cells) else np.zeros(0, int)
    return cells, np.stack([lowest, highest], axis=1)
