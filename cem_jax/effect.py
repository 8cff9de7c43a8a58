"""Outcomes of given interventions, and the map that a plan estimates from drawn ones."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.effect_map import EffectMap
from cem_jax.extremes import Extremes, extreme_draws
from cem_jax.grid import ROI, Grid
from cem_jax.image import as_unit, to_bytes
from cem_jax.network import Network
from cem_jax.outcome import Outcome, clip, clip_and_round, psnr, unit
from cem_jax.plan import CoarseToFine, Plan
from cem_jax.pool import PatchPool
from cem_jax.processes import own_share, together
from cem_jax.progress import show_progress
from cem_jax.resume import finished_maps, keep_outcomes, map_paths, open_directory
from cem_jax.scene import Scene
from cem_jax.store import Log, read_outcomes
from cem_jax.sweep import Sweep, Work

_EXTREME_BYTES = 2**24
"""Room for the regions that a map keeps."""


def check_pair(network: Network, scene: Scene, roi: ROI) -> None:
    """Refuses a network, a scene and a region that do not belong together."""
    for name, value, kind in (
        ("network", network, Network), ("scene", scene, Scene), ("roi", roi, ROI)
    ):  # fmt: skip
        if not isinstance(value, kind):
            raise ValueError(f"{name}={value!r}: expected a cem_jax.{kind.__name__}")
    if network.scale != scene.scale:
        raise ValueError(
            f"network={network.name}: its scale {network.scale} is not the scene's {scene.scale}"
        )
    height, width = scene.clean.shape[:2]
    roi.check(height, width, scene.scale)


def _grid(scene: Scene, block: int) -> Grid:
    height, width = scene.degraded.shape[:2]
    return Grid.make(height, width, block, scene.scale)


def _check_do(scene: Scene, block: int, side: int) -> None:
    """Refuses a scene whose do() cannot take the pool's patches, by their shapes alone."""
    if scene.intervene is None:
        raise ValueError("scene: it has no do() (intervene=None), so only outcomes() is possible")
    patch = jax.ShapeDtypeStruct((block, block, 3), np.float32)
    corner = jax.ShapeDtypeStruct((), np.int32)
    found = jax.eval_shape(scene.intervene, patch, corner, corner, jax.random.key(0)).shape
    if found != (side, side, 3):
        raise ValueError(f"scene: do() made {found} of a patch; expected {(side, side, 3)}")


def _check_chunk(chunk: int | None) -> int | None:
    return None if chunk is None else whole_number("chunk", chunk, 1)


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
        patches: uint8, or floating in [0, 1], [n, block / scale, block / scale, 3].
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
    grid = _grid(scene, block)
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
        network, scene, roi, grid, asked, clip_and_round if rounded else clip, (outcome,),
        draws=(each, each), chunk=_check_chunk(chunk),
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
    check_pair(network, scene, roi)
    grid = _grid(scene, block)
    _check_do(scene, block, grid.block)
    pool = PatchPool.default() if pool is None else pool
    if pool.size != block:
        raise ValueError(f"pool: its patches have {pool.size} x {pool.size} pixels; block={block}")
    plan = CoarseToFine() if plan is None else plan
    seed = whole_number("seed", seed, 0)
    scores = {getattr(score, "__name__", repr(score)): score for score in outcomes}
    if not scores or len(scores) != len(outcomes):
        raise ValueError(f"outcomes={outcomes!r}: expected functions with different names")
    chosen = plan.patches(pool)
    chunk = _check_chunk(chunk)

    inside = grid.near(roi.in_input(scene.scale), 0)
    configuration = {
        "network": network.name,
        "parameters": _digest(jax.tree.leaves(network.params)),
        "scene": {"task": scene.task, "scale": scene.scale, **scene.facts},
        "images": _digest([scene.clean, scene.degraded, *jax.tree.leaves(scene.intervene)]),
        "roi": [roi.y, roi.x, roi.height, roi.width],
        "pool": f"{pool.name} {pool.digest}",
        "block": block,
        "plan": repr(plan),
        "outcomes": list(scores),
        "rounded": rounded,
        "seed": seed,
    }
    shared = devices is None and jax.process_count() > 1
    folder = None if directory is None else open_directory(directory, configuration, shared)
    if folder is not None:
        kept = finished_maps(folder, list(scores))
        if kept is not None:
            return kept

    begun = time.perf_counter()
    with contextlib.ExitStack() as stack:
        log = None
        if folder is not None:  # before any work: who cannot keep it need not begin
            log = stack.enter_context(Log(folder, jax.process_index() if shared else 0))
        # What every block gets at first, and what those that matter may get at most.
        nothing = np.full((inside.size, plan.capacity), np.nan, np.float32)
        begins = plan.wanted(nothing, 0.0, ~inside.reshape(-1)).sum() / max((~inside).sum(), 1)
        expected = (max(round(float(begins)), 1), plan.capacity)
        sweep = Sweep.make(
            network, scene, roi, grid, ~inside, clip_and_round if rounded else clip,
            tuple(scores.values()), draws=expected, chunk=chunk, devices=devices,
        )  # fmt: skip
        active = (sweep.reach & ~inside).reshape(-1)
        values = np.full((active.size, plan.capacity, len(scores)), np.nan, np.float32)

        def work(cells: np.ndarray, draws: np.ndarray) -> Work:
            return sweep.work(scene.intervene, pool.patches, seed, cells, draws, chosen)  # type: ignore[arg-type]

        baseline, restored = sweep.baseline(work(np.zeros(1, np.int64), np.zeros(1, np.int64)))
        if not np.isfinite(baseline).all():
            raise ValueError(f"network={network.name}: the region's outcome is {baseline.tolist()}")
        spent = 0.0 if folder is None else read_outcomes(folder, values)
        bar = stack.enter_context(show_progress(network.name, grid.shape)) if progress else None
        values = together(values) if shared else values
        resumed = int(np.isfinite(values[..., 0]).sum())
        while True:
            first = values[..., 0]
            wanted = plan.wanted(first, float(baseline[0]), active) & np.isnan(first)
            if not wanted.any():
                break
            cells, draws = np.nonzero(wanted)
            if shared:
                cells, draws = own_share(cells, draws)
            chunks = sweep.evaluate(work(cells, draws))
            for part, found in keep_outcomes(chunks, log, cells, draws):
                if not np.isfinite(found).all():
                    row, column = divmod(int(cells[part][0]), grid.columns)
                    raise ValueError(
                        f"network={network.name}: an outcome is not finite after an intervention "
                        f"at block ({row}, {column})"
                    )
                values[cells[part], draws[part]] = found
                if bar is not None:
                    bar.advance(len(part), len(cells), first, float(baseline[0]))
            values = together(values) if shared else values

    first = plan.estimate(values[..., 0], float(baseline[0]), pool)
    strong = np.where(active, np.abs(first.effect), 0.0)
    cells, extremes = extreme_draws(values[..., 0], _strongest(strong, plan.tolerance, restored))
    behind = None
    if len(cells):
        shown = work(np.repeat(cells, 2), extremes.reshape(-1))
        behind = Extremes(
            cells, extremes, pool.patches[shown.items[2]].reshape(len(cells), 2, block, block, 3),
            sweep.regions(shown).reshape(len(cells), 2, *restored.shape), restored,
            to_bytes(scene.clean)[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width],
        )  # fmt: skip
    provenance = configuration | {
        "scene_name": scene.name,
        "computed": sweep.note,
        "evaluations": int(np.isfinite(values[..., 0]).sum()),
        "evaluations_resumed": resumed,
        "seconds": round(time.perf_counter() - begun + spent, 2),
        "devices": f"{sweep.mesh.size} {jax.default_backend()}",
        "versions": {
            name: importlib.metadata.version(name) for name in ("cem-jax", "jax", "flax", "numpy")
        },
    }
    maps = {}
    # The plan's tolerance is in the unit of the first outcome.
    at_zero = dataclasses.replace(plan, tolerance=0.0) if dataclasses.is_dataclass(plan) else plan
    for number, name in enumerate(scores):
        own, start = values[..., number], float(baseline[number])
        estimate = (plan if number == 0 else at_zero).estimate(own, start, pool)
        blank = np.where(inside, np.nan, 0.0)
        maps[name] = EffectMap(
            effect=estimate.effect.reshape(grid.shape) + blank,
            standard_error=estimate.standard_error.reshape(grid.shape) + blank,
            samples=estimate.samples.reshape(grid.shape),
            undecided=estimate.undecided.reshape(grid.shape),
            inside_roi=inside,
            values=own.reshape(*grid.shape, -1),
            baseline=start,
            tolerance=plan.tolerance if number == 0 else 0.0,
            roi=roi,
            block=grid.block,
            scale=scene.scale,
            task=scene.task,
            degraded=to_bytes(scene.degraded),
            provenance=provenance,
            outcome=name,
            unit=unit(scores[name]),
            extremes=behind if number == 0 else None,
        )
    if folder is not None and (not shared or jax.process_index() == 0):
        for name, path in map_paths(folder, list(scores)).items():
            maps[name].save(path)
    return maps


def _strongest(effect: np.ndarray, tolerance: float, region: np.ndarray) -> np.ndarray:
    """The blocks of which extremes are kept: those with an effect, as many as there is room for."""
    most = max(_EXTREME_BYTES // (2 * region.nbytes), 1)
    chosen = np.zeros(len(effect), bool)
    chosen[np.argsort(-effect, kind="stable")[:most]] = True
    return chosen & (effect >= tolerance) & (effect > 0)


def _digest(arrays: list[Any]) -> str:
    """A fingerprint of arrays: their shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        value = np.ascontiguousarray(np.asarray(array))
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]
