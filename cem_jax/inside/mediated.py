"""Through what a block acts: total, direct and indirect effects from common draws."""

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Unpack

import jax
import numpy as np

from cem_jax.effects.assembly import estimated_maps
from cem_jax.effects.effect import Options
from cem_jax.effects.request import Request, written_by
from cem_jax.effects.rounds import draw
from cem_jax.grid import ROI
from cem_jax.held.operations import GLOBAL
from cem_jax.inside.mediated_maps import PARTS, MediatedMaps, part_paths
from cem_jax.inside.mediated_sweep import MediatedSweep, Mediator
from cem_jax.inside.rounding import rounding
from cem_jax.map.effect_map import EffectMap
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, psnr
from cem_jax.plain_text import quoted
from cem_jax.plans.corrected import Corrected
from cem_jax.scene.scene import Scene
from cem_jax.store.objects import AnyPath
from cem_jax.store.record import as_record, differences, holds
from cem_jax.store.resume import open_directory
from cem_jax.store.store import Log, ObjectLog

_GRAIN = 2.0**-40
"""Effects are multiples of it, in the outcome's unit, so that their sums are exact in float64."""


def mediated_maps(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    through: str | Sequence[str] = GLOBAL,
    outcome: Outcome | str | None = None,
    **options: Unpack[Options],
) -> MediatedMaps:
    """How much of every block's effect passes a mediator: operations inside the network.

    The natural direct and indirect effects of Pearl ("Direct and indirect effects", UAI 2001), with
    VanderWeele's interaction ("Explanation in causal inference", 2015). f is the network, g the
    same with the mediator held at the values of the unperturbed image (`freeze`). All effects come
    from the same draws. `docs/inside.md` says what is assumed, and what the numbers do not say.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        through: the mediator, as `freeze` takes it: "global", or names of modules or operations.
        outcome: the score of (restored region, true region), or its name; None takes PSNR.
        **options: as of `causal_effect_map`. The total effect steers the plan.

    Returns:
        The maps. Where nothing passes the mediator, and where total and direct outcomes of no draw
        differ by more than float32 rounds, indirect effects are exactly 0.

    Raises:
        ValueError: arguments that do not fit, an unknown mediator, or one that all effects pass.
        OSError: the directory's disk is full; what was computed is kept.

    Examples:
        Outside of the pixel's neighbourhood, all that a block does passes the mean.

        >>> import cem_jax as cem
        >>> network = cem.wrap(lambda x: x * (1 + x.mean((1, 2), keepdims=True)) / 2)
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda")[:64, :64], 10 / 255)
        >>> found = cem.mediated_maps(
        ...     network, scene, cem.ROI(24, 24, 16, 16), plan=cem.Fixed(4), progress=False
        ... )
        >>> found.through, bool((found.total.effect == found.indirect.effect)[0, 0])
        (('reduce_sum',), True)
    """
    score = psnr if outcome is None else outcome
    asked = Request.make(network, scene, (roi,), (score,), **options)
    if isinstance(asked.plan, Corrected):
        raise ValueError(f"plan={quoted(asked.plan)}: expected one whose draws are exact")
    mediator = Mediator.make(asked, through)
    name, function = next(iter(asked.scores.items()))
    request = dataclasses.replace(
        asked, scores={name: function, **{f"{name}, {part}": function for part in PARTS[1:]}}
    )
    configuration = request.configuration((roi,)) | {"through": list(mediator.names)}
    folder, alone = request.directory, request.unknown((roi,))
    if folder is not None and not alone and holds(folder, configuration):
        kept = _finished(folder, configuration)
        if kept is not None:
            return kept
    begun = time.perf_counter()
    with contextlib.ExitStack() as stack:
        log: Log | ObjectLog | None = None
        if folder is not None:
            log = stack.enter_context(
                open_directory(
                    folder, configuration, request.compute.shared, written_by=written_by(),
                    alone=alone,
                )
            )  # fmt: skip
        sweep = MediatedSweep.make(asked, roi, mediator)
        active = (sweep.layout.reach & ~request.inside(roi)).reshape(-1)
        drawn = draw(request, sweep, [active], log, begun)
        maps = list(estimated_maps(request, sweep, roi, 0, drawn).values())
        found = _settled(maps, mediator.names, sweep.note)
        if folder is not None and (not request.compute.shared or jax.process_index() == 0):
            found.save(folder)
    return found


def _finished(folder: AnyPath, configuration: dict[str, Any]) -> MediatedMaps | None:
    """The maps of a sweep that is done; None if there are none or damaged ones.

    Raises:
        ValueError: they are of another sweep.
    """
    if not all(path.exists() for path in part_paths(folder).values()):
        return None
    try:
        found = MediatedMaps.load(folder)
    except ValueError:  # the outcomes are still there
        return None
    different = differences(found.total.provenance, as_record(configuration))
    if different:
        raise ValueError(
            f"directory={quoted(str(folder))}: its maps are of another sweep: {different}; take "
            "them away to have them made again"
        )
    return found


def _settled(maps: Sequence[EffectMap], names: tuple[str, ...], note: str) -> MediatedMaps:
    """The three maps, whose effects add up exactly."""
    total, direct, pure = maps
    least = rounding(total.baseline)
    change = [one.baseline - one.values.astype(np.float64) for one in maps]
    if not np.nanmax(np.abs(change[0] - change[1]), initial=0) > least:
        direct = dataclasses.replace(
            direct, effect=total.effect, standard_error=total.standard_error,
            undecided=total.undecided, values=total.values, baseline=total.baseline,
        )  # fmt: skip
        change[1] = change[0]
    told = dict(total.provenance) | {"through": list(names), "computed": note}
    effects = [np.round(one.effect / _GRAIN) * _GRAIN for one in (total, direct, pure)]
    if not np.nanmax(np.abs(change[0] - change[1] - change[2]), initial=0) > least:
        effects[2] = effects[0] - effects[1]
    parts = [
        dataclasses.replace(one, effect=effect, provenance=told | {"part": part})
        for one, effect, part in zip((total, direct, pure), effects, PARTS, strict=True)
    ]
    return MediatedMaps(*parts, through=names)
