"""Causal Effect Maps: what a plan estimates from the outcomes of drawn interventions."""

import contextlib
import dataclasses
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import jax

from cem_jax.effects.assembly import estimated_maps, extremes_of
from cem_jax.effects.compute import Compute
from cem_jax.effects.progress import Progress
from cem_jax.effects.request import Request, written_by
from cem_jax.effects.rounds import Outcomes, draw
from cem_jax.grid import ROI
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import finished_maps, map_paths
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, psnr
from cem_jax.plans.plan import Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.scene import Scene
from cem_jax.store.objects import AnyPath
from cem_jax.store.record import holds
from cem_jax.store.resume import open_directory
from cem_jax.store.store import Log, ObjectLog


class Options(TypedDict, total=False):
    """What `causal_effect_map` and its relatives take by name; documented there."""

    pool: PatchPool | None
    block: int
    plan: Plan | str | None
    seed: int
    rounded: bool
    compute: Compute | None
    directory: str | AnyPath | None
    progress: bool | Progress | None
    chunk: int | None
    devices: Sequence[Any] | None


def causal_effect_map(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    outcome: Outcome | str | None = None,
    pool: PatchPool | None = None,
    block: int = 8,
    plan: Plan | str | None = None,
    seed: int = 0,
    rounded: bool = False,
    compute: Compute | None = None,
    directory: str | AnyPath | None = None,
    progress: bool | Progress | None = None,
    chunk: int | None = None,
    devices: Sequence[Any] | None = None,
) -> EffectMap:
    """Which blocks of the input help the region, which harm it, and by how many dB.

    effect(block) = Q(f(X)) - E[Q(f(do(block = p)))], p drawn from the pool (Hu et al., arXiv
    2407.19789). Positive: the block helps. Blocks that cannot reach the region get exactly 0
    without evaluation; blocks of the region itself are left out.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        outcome: the score of (restored region, true region), larger is better, or its name as in
            "ssim"; None takes PSNR.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets, or its name and numbers as in "adaptive:64"; None
            takes the paper's `CoarseToFine()`.
        seed: seed of all draws, 0 .. 2**32 - 1; a draw depends on (seed, block, sample) alone.
        rounded: score the output rounded to 8 bits, as the paper's code does.
        compute: how it is computed; the four below are its fields, and go before it.
        directory: where the sweep is kept, so that it resumes; see `Compute`.
        progress: how it is followed; see `Compute`.
        chunk: interventions computed together; see `Compute`.
        devices: that compute; see `Compute`.

    Returns:
        The map.

    Raises:
        ValueError: arguments that do not fit, a directory that holds something else or cannot be
            known to hold this, or a network whose output is not finite, not in [0, 1], or not what
            its declared facts say; the message names them.
        OSError: the directory's disk is full; what was computed is kept.

    Examples:
        Of a network that looks at single pixels, no block outside the region has an effect.

        >>> import cem_jax as cem
        >>> network = cem.wrap(lambda x: 0.9 * x + 0.05, receptive_radius=0)
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda"), sigma=50 / 255)
        >>> roi = cem.ROI(y=96, x=112, height=32, width=32)
        >>> found = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(2), progress=False)
        >>> found.effect.shape, found.counts
        ((32, 32), Counts(negative=0, positive=0, zero=1008))
    """
    scores = (psnr if outcome is None else outcome,)
    maps = causal_effect_maps(
        network, scene, roi, scores, pool=pool, block=block, plan=plan, seed=seed, rounded=rounded,
        compute=compute, directory=directory, progress=progress, chunk=chunk, devices=devices,
    )  # fmt: skip
    return next(iter(maps.values()))


def causal_effect_maps(
    network: Network,
    scene: Scene,
    roi: ROI,
    outcomes: Sequence[Outcome | str],
    **options: Unpack[Options],
) -> dict[str, EffectMap]:
    """Maps of several outcomes from one sweep; otherwise like `causal_effect_map`.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        outcomes: scores of (restored region, true region), larger is better, or their names. The
            first one steers the plan, whose tolerance is in its unit; the others' maps have
            tolerance 0.
        **options: as of `causal_effect_map`.

    Returns:
        The maps by the outcomes' names.

    Raises:
        ValueError: arguments that do not fit, or outcomes without different names.
        OSError: the directory's disk is full; what was computed is kept.
    """
    request = Request.make(network, scene, (roi,), outcomes, **options)
    return _maps(request, {roi: request.directory}, None)[roi]


def region_maps(
    network: Network,
    scene: Scene,
    rois: Sequence[ROI],
    *,
    outcome: Outcome | str | None = None,
    **options: Unpack[Options],
) -> tuple[EffectMap, ...]:
    """Maps of several regions of one image; otherwise like `causal_effect_map`.

    One sweep scores all regions where that computes less than a sweep of each: as a rule where the
    network attends to, or pools over, the whole image. A region's map is that of
    `causal_effect_map` but for the last bits of its numbers, and keeps no extreme draws where the
    sweep was shared.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        rois: the regions, in output pixels.
        outcome: the score of (restored region, true region), or its name; None takes PSNR.
        **options: as of `causal_effect_map`. In `directory` each map has a folder that is named by
            its region; those that are there are not made again, unfinished ones resume.

    Returns:
        The maps, in the order of the regions.

    Raises:
        ValueError: arguments that do not fit, no region, or one that is named twice.
        OSError: the directory's disk is full; what was computed is kept.
    """
    scores = (psnr if outcome is None else outcome,)
    found = maps_of_regions(network, scene, rois, scores, **options)
    return tuple(next(iter(maps.values())) for maps in found.values())


def maps_of_regions(
    network: Network,
    scene: Scene,
    rois: Sequence[ROI],
    outcomes: Sequence[Outcome | str],
    **options: Unpack[Options],
) -> dict[ROI, dict[str, EffectMap]]:
    """Maps of several regions and outcomes, by region and outcome; see `region_maps`.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        rois: the regions, in output pixels.
        outcomes: as of `causal_effect_maps`.
        **options: as of `region_maps`.

    Raises:
        ValueError: arguments that do not fit, no region, or one that is named twice.
        OSError: the directory's disk is full; what was computed is kept.
    """
    rois = tuple(rois)
    if not rois or len(set(rois)) != len(rois):
        raise ValueError(f"rois={rois!r}: expected different regions, at least one")
    request = Request.make(network, scene, rois, outcomes, **options)
    folder = request.directory
    found = _maps(request, {roi: folder and folder / roi.label for roi in rois}, folder)
    return {roi: found[roi] for roi in rois}


def share_a_sweep(
    network: Network,
    scene: Scene,
    rois: Sequence[ROI],
    outcomes: Sequence[Outcome | str],
    **options: Unpack[Options],
) -> bool:
    """Whether `maps_of_regions` makes these maps by one sweep, since that computes less.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        rois: the regions, in output pixels.
        outcomes: as of `causal_effect_maps`.
        **options: as of `region_maps`.

    Raises:
        ValueError: arguments that do not fit.
    """
    request = Request.make(network, scene, rois, outcomes, **options)
    return len(_companies(request, tuple(rois))) < len(rois)


def _maps(
    request: Request, folders: Mapping[ROI, AnyPath | None], shared: AnyPath | None
) -> dict[ROI, dict[str, EffectMap]]:
    """Maps by region and outcome: those that are finished, and the others.

    Args:
        request: what is asked for.
        folders: of each region's maps.
        shared: where sweeps of several regions are kept.
    """
    found = {}
    for roi, folder in folders.items():
        kept = _finished(request, roi, folder)
        if kept is not None:
            found[roi] = kept
    left = [roi for roi in folders if roi not in found]
    if found and left and _begun_together(request, tuple(folders), shared):
        # Their outcomes are there, of a sweep that ended before it had saved every map.
        unsaved = {roi: None if roi in found else folder for roi, folder in folders.items()}
        made = _swept(request, list(folders), unsaved, shared)
        return found | {roi: made[roi] for roi in left}
    for several in _companies(request, left):
        found |= _swept(request, several, folders, shared)
    return found


def _begun_together(request: Request, rois: Sequence[ROI], shared: AnyPath | None) -> bool:
    """Whether a sweep of all these regions was begun."""
    folder = _shared_folder(rois, shared)
    if folder is None or request.unknown(rois):
        return False
    return holds(folder, request.configuration(rois))


def _shared_folder(rois: Sequence[ROI], shared: AnyPath | None) -> AnyPath | None:
    """Where the sweep of several regions is kept."""
    if shared is None or len(rois) < 2:
        return None
    name = zlib.crc32(" ".join(roi.label for roi in rois).encode())
    return shared / f"regions-{name:08x}"


def _finished(request: Request, roi: ROI, folder: AnyPath | None) -> dict[str, EffectMap] | None:
    """A region's maps, if its folder holds them and can be known to answer for this request."""
    if folder is None or request.unknown((roi,)):
        return None
    configuration = request.configuration((roi,))
    if not holds(folder, configuration):
        return None
    return finished_maps(folder, configuration, list(request.scores))


def _companies(request: Request, rois: Sequence[ROI]) -> Sequence[Sequence[ROI]]:
    """Regions by the sweeps that they share: all where that computes less, else each alone."""
    alone = [[roi] for roi in rois]
    if len(rois) < 2:
        return alone
    each = sum(request.layout((roi,)).cost for roi in rois)
    return [rois] if request.layout(rois).cost < each else alone


def _swept(
    request: Request,
    rois: Sequence[ROI],
    folders: Mapping[ROI, AnyPath | None],
    shared: AnyPath | None,
) -> dict[ROI, dict[str, EffectMap]]:
    """Maps of regions that share a sweep; whoever cannot keep it need not begin."""
    begun = time.perf_counter()
    with contextlib.ExitStack() as stack:
        logs: list[Log | ObjectLog | None] = [
            _opened(request, (roi,), folders[roi], stack) for roi in rois
        ]
        together = _shared_folder(rois, shared)
        log = logs[0] if together is None else _opened(request, rois, together, stack)
        layout = request.layout(rois)
        sweep = request.sweep(layout)
        each = [layout] if len(rois) == 1 else [request.layout((roi,)) for roi in rois]
        active = [
            (one.reach & ~request.inside(roi)).reshape(-1)
            for roi, one in zip(rois, each, strict=True)
        ]

        def so_far(drawn: Outcomes) -> EffectMap:
            return next(iter(estimated_maps(request, sweep, rois[0], 0, drawn).values()))

        drawn = draw(request, sweep, active, log, begun, so_far)
        found = {}
        for number, roi in enumerate(rois):
            maps = estimated_maps(request, sweep, roi, number, drawn)
            if len(rois) == 1:
                steering = next(iter(maps))
                behind = extremes_of(request, sweep, drawn, maps[steering])
                maps[steering] = dataclasses.replace(maps[steering], extremes=behind)
            _save(request, folders[roi], maps)
            found[roi] = maps
    return found


def _opened(
    request: Request, rois: Sequence[ROI], folder: AnyPath | None, stack: contextlib.ExitStack
) -> Log | ObjectLog | None:
    """The log of a sweep, locked while the stack lasts."""
    if folder is None:
        return None
    log = open_directory(
        folder, request.configuration(rois), request.compute.shared, written_by=written_by(),
        alone=request.unknown(rois),
    )  # fmt: skip
    return stack.enter_context(log)


def _save(request: Request, folder: AnyPath | None, maps: Mapping[str, EffectMap]) -> None:
    if folder is not None and (not request.compute.shared or jax.process_index() == 0):
        for name, path in map_paths(folder, list(request.scores)).items():
            maps[name].save(path)
