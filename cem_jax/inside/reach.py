"""How far a network sees: by its operations, by its gradient, by its effects."""

from collections.abc import Sequence

import numpy as np

from cem_jax.arguments import check_kind, part, several
from cem_jax.attribution.receptive_field import effective_receptive_field
from cem_jax.held.on_scene import on_scene
from cem_jax.held.operations import known_probe
from cem_jax.map.effect_map import EffectMap
from cem_jax.network.network import Network
from cem_jax.scene.scene import Scene


def causal_radius(effect_map: EffectMap, share: float = 0.95) -> int:
    """How far from the region the blocks lie that hold a share of the summed absolute effects.

    Args:
        effect_map: the map; effects below its tolerance count as 0.
        share: between 0 and 1.

    Returns:
        Input pixels between the region and the far side of the farthest of these blocks; 0 where
        nothing has an effect.

    Raises:
        ValueError: another share.
    """
    share = part("share", share)
    check_kind("effect_map", effect_map, EffectMap)
    size = np.where(effect_map.inside_roi, 0, np.nan_to_num(np.abs(effect_map.thresholded)))
    if not size.any():
        return 0
    block, roi = effect_map.block, effect_map.roi.in_input(effect_map.scale)
    away = []
    for axis, (start, length) in enumerate(((roi.y, roi.height), (roi.x, roi.width))):
        first = np.arange(size.shape[axis]) * block
        away.append(np.maximum(start - first, first + block - start - length))
    far = np.maximum(np.maximum(away[0][:, None], away[1][None, :]), 0)
    order = np.argsort(far, axis=None, kind="stable")
    held = np.cumsum(size.reshape(-1)[order])
    last = int(np.searchsorted(held, share * held[-1] * (1 - 1e-12)))
    return int(far.reshape(-1)[order[last]])


def reach_row(
    network: Network, scenes: Scene | Sequence[Scene], effect_map: EffectMap | None = None
) -> dict[str, float | int | str]:
    """How far a network sees, as a row of a table.

    Args:
        network: the network.
        scenes: whose inputs give the gradients, of one size.
        effect_map: a map of it; None leaves the causal columns out.

    Returns:
        "analytic": the declared radius, or that of its operations with the global ones held, in
        input pixels; "global": how many global operations it has; "gradient_50" and "gradient_95":
        radii that hold so much of the effective receptive field; "area_99": its high-contribution
        area ratio; "causal_50" and "causal_95": see `causal_radius`. What is global is not found
        where the network takes images of one size only: NaN, and so is a radius not declared.

    Raises:
        ValueError: as of `effective_receptive_field`.
    """
    scenes = several("scenes", [scenes] if isinstance(scenes, Scene) else scenes, Scene, "scenes")
    told = on_scene(network, scenes[0])
    found = known_probe(told, scenes[0])
    field = effective_receptive_field(told, [scene.degraded for scene in scenes])
    analytic: float | None = network.receptive_radius
    if analytic is None:
        known = [] if found is None else [one for one in found.reach.values() if one is not None]
        analytic = float("nan") if found is None else max(known, default=0)
    row: dict[str, float | int | str] = {
        "network": network.name,
        "analytic": analytic,
        "global": float("nan") if found is None else len(found.held),
        "gradient_50": field.radius(0.5),
        "gradient_95": field.radius(0.95),
        "area_99": field.area_ratio(0.99),
    }
    if effect_map is not None:
        row |= {f"causal_{n}": causal_radius(effect_map, n / 100) for n in (50, 95)}
    return row
