"""Maps assembled from what the rounds drew."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cem_jax.effects.request import Request, Sweeps, versions
from cem_jax.effects.rounds import Outcomes
from cem_jax.grid import ROI
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.extremes import Extremes, extreme_draws
from cem_jax.outcome import tolerance, unit
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.plan import Plan
from cem_jax.scene.image import to_bytes
from cem_jax.sweep.facts import difference_from_original
from cem_jax.sweep.layout import Layout

_EXTREME_BYTES = 2**24
"""Room for the regions that a map keeps."""


def estimated_maps(
    request: Request, sweep: Sweeps, roi: ROI, number: int, drawn: Outcomes
) -> dict[str, EffectMap]:
    """The maps of one region by the names of the outcomes.

    Args:
        request: what was asked for.
        sweep: that was asked.
        roi: the region.
        number: its place among those that were drawn together.
        drawn: their outcomes.
    """
    scene, grid = request.scene, request.grid
    values, inside = drawn.values[number], request.inside(roi)
    provenance = request.configuration((roi,)) | {
        "scene_name": scene.name,
        "computed": _computed(request.plan, sweep.layout, len(drawn.values)),
        "evaluations": int(np.isfinite(values[..., 0]).sum()),
        "calls": sweep.chunk.calls,
        "evaluated": sweep.chunk.evaluated,
        "evaluations_resumed": drawn.resumed,
        "seconds": round(drawn.seconds, 2),
        "devices": drawn.devices,
        "versions": versions(),
    }
    if request.network.source is not None:
        provenance["network_source"] = request.network.source
    if request.network.note:
        provenance["network_note"] = request.network.note
    difference = difference_from_original(request.network, scene)
    if difference is not None:
        provenance["difference_from_original"] = difference
    thinned: dict[str, Any] = {}
    if isinstance(request.plan, Corrected):
        first, start = values[..., 0], float(drawn.baseline[number, 0])
        provenance["corrections"] = _corrections(request.plan, first)
        # What the first outcome said to compute exactly holds for all of them.
        thinned = {"thinning": request.plan.thinning(first, start)}
    maps = {}
    for index, (name, score) in enumerate(request.scores.items()):
        own, start = values[..., index], float(drawn.baseline[number, index])
        plan, least = request.steering(start), tolerance(score, start)
        if index > 0 and dataclasses.is_dataclass(plan):
            # The plan's tolerance is in the unit of the first outcome.
            plan = dataclasses.replace(plan, tolerance=least)
        estimate = plan.estimate(own, start, request.pool, **thinned)
        blank = np.where(inside, np.nan, 0.0)
        maps[name] = EffectMap(
            effect=estimate.effect.reshape(grid.shape) + blank,
            standard_error=estimate.standard_error.reshape(grid.shape) + blank,
            samples=estimate.samples.reshape(grid.shape),
            undecided=estimate.undecided.reshape(grid.shape),
            inside_roi=inside,
            values=own.reshape(*grid.shape, -1),
            baseline=start,
            tolerance=least if index > 0 or plan.tolerance is None else float(plan.tolerance),
            roi=roi,
            block=grid.block,
            scale=scene.scale,
            task=scene.task,
            degraded=request.degraded,
            provenance=provenance,
            outcome=name,
            unit=unit(score),
        )
    return maps


def _computed(plan: Plan, layout: Layout, regions: int) -> str:
    """What was computed for an intervention, and what could lessen it, in sentences."""
    text = layout.note
    if isinstance(plan, Corrected):
        if not text.startswith("two windows"):
            text += " Two windows would save too little, so all draws are exact."
    elif layout.dense and layout.reach.any() and layout.network.receptive_radius is None:
        text += (
            " If the network sees the whole image, the sampling plan cem.Corrected may compute "
            "less."
        )
    return text + (f" {regions} regions share this sweep." if regions > 1 else "")


def _corrections(plan: Corrected, values: np.ndarray) -> dict[str, float | int]:
    """How many draws were computed exactly too, and by how much that changed the first outcome."""
    found = plan.corrections(values)
    found = found[np.isfinite(found)]
    if not len(found):
        return {"count": 0}
    return {
        "count": len(found),
        "mean": float(found.mean()),
        "root_mean_square": float(np.sqrt(np.square(found).mean())),
        "largest": float(np.abs(found).max()),
    }


def extremes_of(
    request: Request, sweep: Sweeps, drawn: Outcomes, effect_map: EffectMap
) -> Extremes | None:
    """What stands behind the map of a sweep's only region."""
    roi, block, pool = effect_map.roi, request.block, request.pool.patches
    values, shape = drawn.values[0][..., 0], drawn.restored.shape
    if isinstance(request.plan, Corrected):
        values = request.plan.best(values)
    strong = np.nan_to_num(np.abs(effect_map.effect)).reshape(-1)
    chosen = _strongest(strong, effect_map.tolerance, drawn.restored)
    cells, extremes = extreme_draws(values, chosen)
    if not len(cells):
        return None
    shown = request.interventions(sweep, np.repeat(cells, 2), extremes.reshape(-1))
    return Extremes(
        cells, extremes, pool[shown.items[2]].reshape(len(cells), 2, block, block, pool.shape[3]),
        sweep.regions(shown).reshape(len(cells), 2, *shape), drawn.restored,
        to_bytes(request.scene.clean)[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width],
    )  # fmt: skip


def _strongest(
    effect: Float[np.ndarray, " cells"], tolerance: float, region: UInt8[np.ndarray, "h w c"]
) -> Bool[np.ndarray, " cells"]:
    """The blocks of which extremes are kept: those with an effect, as many as there is room for."""
    most = max(_EXTREME_BYTES // (2 * region.nbytes), 1)
    chosen = np.zeros(len(effect), bool)
    chosen[np.argsort(-effect, kind="stable")[:most]] = True
    return chosen & (effect >= tolerance) & (effect > 0)
