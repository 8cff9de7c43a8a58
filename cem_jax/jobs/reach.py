"""How far the networks of a job see: by their operations, their gradients, and their effects."""

import itertools
from collections.abc import Sequence

import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.inside.reach import causal_radius, reach_row
from cem_jax.jobs.asked import MapOf
from cem_jax.jobs.job import Job
from cem_jax.jobs.work import made_scene
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import map_paths
from cem_jax.scene.scene import Scene
from cem_jax.store.objects import AnyPath, as_place

_CAUSAL = (50, 95)
"""Per cent of the summed effects."""


def job_reach(
    job: Job, out: str | AnyPath | None = None, images: int = 4
) -> list[dict[str, float | int | str]]:
    """How far the networks of a job see, a row for each; see `reach_row`.

    Args:
        job: the job.
        out: folder of its results; None leaves the causal columns out.
        images: how many inputs the gradients are averaged over at most: the first ones of the size
            of the first.

    Returns:
        The rows of `reach_row` under the networks' labels, in the job's order. Causal columns are
        means over the maps that are there, "maps" says how many; without one they are NaN.

    Raises:
        ValueError: a network without a gradient, or a map that cannot be read.
    """
    whole_number("images", images, 1)
    rows = []
    for label, asked in itertools.groupby(job.maps, lambda one: one.network):
        several = list(asked)
        row = reach_row(job.networks[label](), _scenes(job, several, images))
        row |= {"network": label}
        if out is not None:
            row |= _causal(job, several, as_place(out))
        rows.append(row)
    return rows


def _scenes(job: Job, asked: Sequence[MapOf], most: int) -> list[Scene]:
    """The first scenes of maps, of one size."""
    found: list[Scene] = []
    for label in dict.fromkeys(one.scene for one in asked):
        scene = made_scene(job.scenes[label], label)
        if not found or scene.degraded.shape == found[0].degraded.shape:
            found.append(scene)
        if len(found) == most:
            break
    return found


def _causal(job: Job, asked: Sequence[MapOf], folder: AnyPath) -> dict[str, float | int]:
    """Causal radii, averaged over the maps that are there."""
    first = job.names[0]
    places = [map_paths(folder / str(one), [first])[first] for one in asked]
    maps = [EffectMap.load(place) for place in places if place.exists()]
    found: dict[str, float | int] = {
        f"causal_{share}": round(
            float(np.mean([causal_radius(one, share / 100) for one in maps])), 1
        ) if maps else float("nan")
        for share in _CAUSAL
    }  # fmt: skip
    return found | {"maps": len(maps)}
