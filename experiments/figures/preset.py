"""How much a figure computes: `quick` for a look, `compact` for the page, `full` as published.

`quick` and `compact` show the bundled networks, `full` the official ones.
"""

import dataclasses
from typing import Literal

import cem_jax as cem


@dataclasses.dataclass(frozen=True)
class Preset:
    """What the figures of one size have in common.

    Args:
        name: "quick", "compact" or "full".
        networks: "bundled" or "official" ones come first.
        side: side of the scenes of super-resolution that are shown, in output pixels; a region has
            an eighth of it.
        large_side: the same where inputs are as large as outputs, whose pixels cost more.
        shown: number of scenes in a gallery.
        plan: draws of the maps that are shown.
        counted_side: side of the scenes that are counted, in output pixels.
        counted: number of scenes that are counted; intervals take them as the unit.
        regions: regions in each of them.
        draws: for each block there, half of them to choose by and half to judge by.
        compared_draws: the same where variants of a network are compared, by larger blocks.
        joint_draws: draws for blocks that are replaced together.
        recorded: draws for each block from which plans are replayed, a power of 2; half of them
            are the truth.
        most: networks of a gallery at most.
        chosen_draws: for each block where harmful ones are chosen among official networks, half of
            them to choose by: enough that choosing again gives mostly the same blocks.
    """

    name: str
    networks: Literal["bundled", "official"]
    side: int
    large_side: int
    shown: int
    plan: cem.Plan
    counted_side: int
    counted: int
    regions: int
    draws: int
    compared_draws: int
    joint_draws: int
    recorded: int
    most: int
    chosen_draws: int = 4


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "quick", "bundled", side=128, large_side=128, shown=1, plan=cem.Fixed(4),
            counted_side=128, counted=2, regions=1, draws=4, compared_draws=4, joint_draws=4,
            recorded=8, most=3,
        ),
        Preset(
            "compact", "bundled", side=192, large_side=128, shown=2,
            plan=cem.CoarseToFine(3, 6), counted_side=128, counted=14, regions=3, draws=8,
            compared_draws=4, joint_draws=4, recorded=64, most=12, chosen_draws=16,
        ),
        Preset(
            "full", "official", side=256, large_side=256, shown=4,
            plan=cem.CoarseToFine(3, 50), counted_side=256, counted=14, regions=3, draws=20,
            compared_draws=20, joint_draws=20, recorded=128,
            most=40, chosen_draws=64,
        ),
    )
}  # fmt: skip
"""By name."""
