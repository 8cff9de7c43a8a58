"""The whole images behind a map: what the network restored, and the truth."""

import dataclasses

import numpy as np
from jaxtyping import UInt8

from cem_jax.by_shape import by_shape
from cem_jax.read_only import keep_read_only


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """The restored and the true image of a map, to be looked at; the input is the map's own.

    Args:
        restored: without an intervention, rounded, uint8 [H, W, c].
        clean: uint8 [H, W, c].
    """

    restored: UInt8[np.ndarray, "H W c"]
    clean: UInt8[np.ndarray, "H W c"]

    __repr__ = by_shape

    def __post_init__(self) -> None:
        keep_read_only(self)
