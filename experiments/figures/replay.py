"""Plans played again on recorded outcomes."""

import dataclasses

import numpy as np
from jaxtyping import Float

import cem_jax as cem


def replay(
    plan: cem.Plan, recorded: cem.EffectMap
) -> tuple[Float[np.ndarray, "rows columns"], int]:
    """What a plan would have found with the draws of a `Fixed` map, and what it would have cost.

    Args:
        plan: with random draws, of no more than were recorded.
        recorded: a map of a `Fixed` plan.

    Returns:
        Effects [rows, columns] in dB and the number of evaluations.

    Raises:
        ValueError: the plan may ask for more draws than were recorded, or chooses its patches.
    """
    pool = cem.PatchPool.default()
    if plan.tolerance is None and dataclasses.is_dataclass(plan):
        plan = dataclasses.replace(plan, tolerance=recorded.tolerance)  # type: ignore[type-var]
    shape = recorded.effect.shape
    known = recorded.values.reshape(recorded.effect.size, -1)
    if plan.capacity > known.shape[1] or plan.patches(pool) is not None:
        raise ValueError(f"plan={plan!r}: only {known.shape[1]} random draws were recorded")
    known = known[:, : plan.capacity]
    active = np.asarray(np.isfinite(known).all(axis=1))
    values = np.full_like(known, np.nan)
    while True:
        asked = plan.wanted(values, recorded.baseline, active) & np.isnan(values)
        if not asked.any():
            break
        values[asked] = known[asked]
    found = plan.estimate(values, recorded.baseline, pool)
    return found.effect.reshape(shape), int(np.isfinite(values).sum())
