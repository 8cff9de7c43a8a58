"""Outcomes of given interventions, and the maps that a plan estimates from drawn ones."""

import dataclasses
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cem_jax.effects.assembly import estimated_maps, extremes_of
from cem_jax.effects.request import Request, check_chunk, check_pair, grid_of, on_scene
from cem_jax.effects.rounds import draw, opened
from cem_jax.grid import ROI
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import finished_maps, map_paths
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, clip, clip_and_round, psnr
from cem_jax.plans.plan import Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.image import as_unit
from cem_jax.scene.scene import Scene
from cem_jax.store.resume import open_directory
from cem_jax.sweep.sweep import Sweep


def outcomes(
    network: Network,
    scene: Scene,
    roi: ROI,
    blocks: Any,
    patches: Any,
    *,
    block: int = 8,
    rounded: bool = False,
    outcome: Outcome = psnr,
    chunk: int | None = None,
) -> np.ndarray:
    """Outcomes of interventions whose patches are given in the network's input space.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        blocks: int [n, 2], row and column of each grid cell.
        patches: uint8, or floating in [0, 1], [n, block / scale, block / scale, c].
        block: side of a block, in output pixels.
        rounded: score the output rounded to 8 bits, as the paper's code does.
        outcome: the score of (restored region, true region); PSNR by default.
        chunk: interventions evaluated together; None chooses.

    Returns:
        float32 [n], in dB for PSNR.

    Raises:
        ValueError: arguments that do not fit; the message names them.
    """
    check_pair(network, scene, roi)
    grid = grid_of(scene, block)
    cells, pixels = np.asarray(blocks), np.asarray(patches)
    if cells.ndim != 2 or cells.shape[1] != 2 or not np.issubdtype(cells.dtype, np.integer):
        raise ValueError(f"blocks is {cells.dtype} {cells.shape}; expected integers [n, 2]")
    if len(cells) and ((cells < 0) | (cells >= grid.shape)).any():
        bad = cells[((cells < 0) | (cells >= grid.shape)).any(axis=1)][0]
        raise ValueError(f"blocks holds {tuple(bad.tolist())}; the grid has {grid.shape} cells")
    expected = (len(cells), grid.block, grid.block, scene.degraded.shape[2])
    if pixels.shape != expected:
        raise ValueError(f"patches has shape {pixels.shape}; expected {expected}")
    pixels = as_unit("patches", pixels)
    flat = cells[:, 0] * grid.columns + cells[:, 1]
    if not len(flat):
        return np.zeros(0, np.float32)
    asked = np.zeros(grid.shape, bool)
    asked.flat[flat] = True
    each = -(-len(flat) // int(asked.sum()))
    sweep = Sweep.make(
        on_scene(network, scene), scene, (roi,), grid, asked,
        clip_and_round if rounded else clip, (outcome,),
        draws=(each, each), chunk=check_chunk(chunk),
    )  # fmt: skip
    # What cannot reach the region leaves it as it is.
    near = np.flatnonzero(sweep.reach.flat[flat])
    baseline, _ = sweep.baseline(sweep.written(flat[:1], pixels[:1]))
    result = np.full(len(flat), baseline[0], np.float32)
    for part, values in sweep.evaluate(sweep.written(flat[near], pixels[near])):
        result[near[part]] = values[:, 0]
    return result


def causal_effect_map(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    pool: PatchPool | None = None,
    block: int = 8,
    plan: Plan | None = None,
    outcome: Outcome | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    progress: bool = True,
    rounded: bool = False,
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
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets; None takes the paper's `CoarseToFine()`.
        outcome: the score of (restored region, true region), larger is better; None takes PSNR.
        seed: seed of all draws; a draw depends on (seed, block, sample) alone.
        directory: where the sweep is kept, so that it resumes after any interruption with the
            identical result; a finished map is returned as it was saved.
        progress: show rate, time left and the map so far on a terminal.
        rounded: score the output rounded to 8 bits, as the paper's code does.
        chunk: interventions evaluated together; None chooses.
        devices: that compute; None takes all. Where these belong to several processes
            (`jax.distributed`), every process makes the same call and gets the same map;
            `jax.local_devices()` keeps to one process.

    Returns:
        The map.

    Raises:
        ValueError: arguments that do not fit, a directory that holds something else, or a network
            whose output is not finite; the message names them.
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
        network, scene, roi, scores, pool=pool, block=block, plan=plan, seed=seed,
        directory=directory, progress=progress, rounded=rounded, chunk=chunk, devices=devices,
    )  # fmt: skip
    return next(iter(maps.values()))


def causal_effect_maps(
    network: Network,
    scene: Scene,
    roi: ROI,
    outcomes: Sequence[Outcome],
    *,
    pool: PatchPool | None = None,
    block: int = 8,
    plan: Plan | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    progress: bool = True,
    rounded: bool = False,
    chunk: int | None = None,
    devices: Sequence[Any] | None = None,
) -> dict[str, EffectMap]:
    """Maps of several outcomes from one sweep; otherwise like `causal_effect_map`.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        outcomes: scores of (restored region, true region), larger is better. The first one steers
            the plan, whose tolerance is in its unit; the others' maps have tolerance 0.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets; None takes the paper's `CoarseToFine()`.
        seed: seed of all draws.
        directory: where the sweep is kept.
        progress: show rate, time left and the map so far on a terminal.
        rounded: score the output rounded to 8 bits.
        chunk: interventions evaluated together; None chooses.
        devices: that compute; None takes all.

    Returns:
        The maps by the outcomes' names.

    Raises:
        ValueError: arguments that do not fit, or outcomes without different names.
        OSError: the directory's disk is full; what was computed is kept.
    """
    request = Request.make(
        network, scene, (roi,), outcomes, pool=pool, block=block, plan=plan, seed=seed,
        rounded=rounded, chunk=chunk, devices=devices,
    )  # fmt: skip
    folder, kept = _directory(request, roi, directory)
    if kept is not None:
        return kept
    begun = time.perf_counter()
    with opened(request, folder) as log:
        sweep = request.sweep((roi,))
        active = (sweep.reach & ~request.inside(roi)).reshape(-1)
        drawn = draw(request, sweep, [active], folder, log, progress, begun)
    maps = estimated_maps(request, roi, 0, drawn)
    steering = next(iter(maps))
    behind = extremes_of(request, sweep, drawn, maps[steering])
    maps[steering] = dataclasses.replace(maps[steering], extremes=behind)
    _save(request, folder, maps)
    return maps


def region_maps(
    network: Network,
    scene: Scene,
    rois: Sequence[ROI],
    *,
    pool: PatchPool | None = None,
    block: int = 8,
    plan: Plan | None = None,
    outcome: Outcome | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    progress: bool = True,
    rounded: bool = False,
    chunk: int | None = None,
    devices: Sequence[Any] | None = None,
) -> tuple[EffectMap, ...]:
    """Maps of several regions of one image; otherwise like `causal_effect_map`.

    One sweep scores all regions where that computes less than a sweep of each: as a rule where the
    network attends to, or pools over, the whole image. A region's map is that of
    `causal_effect_map` but for the last bits of its numbers, and keeps no extreme draws.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        rois: the regions, in output pixels.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets; None takes the paper's `CoarseToFine()`.
        outcome: the score of (restored region, true region), larger is better; None takes PSNR.
        seed: seed of all draws.
        directory: where the maps are kept, each in a folder that is named by its region; those that
            are there are not made again, unfinished ones resume.
        progress: show rate, time left and the first region's map so far on a terminal.
        rounded: score the output rounded to 8 bits.
        chunk: interventions evaluated together; None chooses.
        devices: that compute; None takes all.

    Returns:
        The maps, in the order of the regions.

    Raises:
        ValueError: arguments that do not fit, no region, or one that is named twice.
        OSError: the directory's disk is full; what was computed is kept.
    """
    rois = tuple(rois)
    if not rois or len(set(rois)) != len(rois):
        raise ValueError(f"rois={rois!r}: expected different regions, at least one")
    scores = (psnr if outcome is None else outcome,)
    request = Request.make(
        network, scene, rois, scores, pool=pool, block=block, plan=plan, seed=seed,
        rounded=rounded, chunk=chunk, devices=devices,
    )  # fmt: skip
    folder = None if directory is None else Path(directory)
    own: dict[ROI, Path | None] = {}
    found: dict[ROI, dict[str, EffectMap]] = {}
    for roi in rois:
        own[roi], kept = _directory(request, roi, folder and folder / roi.label)
        if kept is not None:
            found[roi] = kept
    for several in _companies(request, [roi for roi in rois if roi not in found]):
        begun = time.perf_counter()
        at = own[several[0]]
        if len(several) > 1 and folder is not None:
            shared = zlib.crc32(" ".join(roi.label for roi in several).encode())
            configuration = request.configuration(several)
            at = open_directory(folder / f"together-{shared:08x}", configuration, request.shared)
        with opened(request, at) as log:
            sweep = request.sweep(several)
            active = [
                (request.sweep((roi,)).reach & ~request.inside(roi)).reshape(-1) for roi in several
            ]
            drawn = draw(request, sweep, active, at, log, progress, begun)
        for number, roi in enumerate(several):
            found[roi] = estimated_maps(request, roi, number, drawn)
            _save(request, own[roi], found[roi])
    return tuple(next(iter(found[roi].values())) for roi in rois)


def _companies(request: Request, rois: Sequence[ROI]) -> Sequence[Sequence[ROI]]:
    """Regions by the sweeps that they share: all where that computes less, else each alone."""
    alone = [[roi] for roi in rois]
    if len(rois) < 2:
        return alone
    each = sum(request.sweep((roi,)).cost for roi in rois)
    return [rois] if request.sweep(rois).cost < each else alone


def _directory(
    request: Request, roi: ROI, directory: str | Path | None
) -> tuple[Path | None, dict[str, EffectMap] | None]:
    """A region's directory, and its maps if they are there."""
    if directory is None:
        return None, None
    folder = open_directory(directory, request.configuration((roi,)), request.shared)
    return folder, finished_maps(folder, list(request.scores))


def _save(request: Request, folder: Path | None, maps: Mapping[str, EffectMap]) -> None:
    if folder is not None and (not request.shared or jax.process_index() == 0):
        for name, path in map_paths(folder, list(request.scores)).items():
            maps[name].save(path)
