"""The blocks that harm most: what replacing them gains one by one, in pairs, and all at once.

They are chosen by the first half of a map's draws; what they do is found with draws of another
seed.
"""

from typing import Any

import numpy as np

import cem_jax as cem
from cem_jax.experiments.figures.measures import halves

MOST = 6
"""Blocks at most: every pair of them is replaced."""
SEED = 1
"""Of the draws; maps have 0."""


def together(
    network: cem.Network, scene: cem.Scene, effect_map: cem.EffectMap, draws: int
) -> dict[str, Any]:
    """Gains of replacing the most harmful blocks, in dB.

    Args:
        network: of the map.
        scene: of the map.
        effect_map: with a `Fixed` plan.
        draws: fresh ones, at least two.

    Returns:
        "blocks": how many; "one_by_one": the sum of what each gains; "in_pairs": that and what
        every pair does beyond it, which is what all would gain if only pairs acted together;
        "at_once": what all gain. None where fewer than two blocks harm.
    """
    first = np.where(effect_map.inside_roi, np.inf, halves(effect_map)[0])
    order = np.argsort(first, axis=None, kind="stable")[:MOST]
    chosen = [int(cell) for cell in order if first.flat[cell] < -effect_map.tolerance]
    nothing = {"blocks": len(chosen), "one_by_one": None, "in_pairs": None, "at_once": None}
    if len(chosen) < 2:
        return nothing
    blocks = np.stack(np.divmod(chosen, effect_map.effect.shape[1]), axis=1)
    asked: dict[str, Any] = {"samples": draws, "block": effect_map.block * effect_map.scale}
    pairs = cem.interactions(network, scene, effect_map.roi, blocks, seed=SEED, **asked)
    whole = cem.joint_effect(network, scene, effect_map.roi, blocks, seed=SEED, **asked)
    # An interaction is positive where replacing both takes less than the sum: so much more is left.
    beyond = float(np.nansum(np.triu(pairs.effect, 1)))
    gained = -whole.summed.effect
    return {
        "blocks": len(chosen),
        "one_by_one": gained,
        "in_pairs": gained + beyond,
        "at_once": -whole.joint.effect,
    }
