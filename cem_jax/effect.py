"""Outcomes of given interventions, and the map that a plan estimates from drawn ones."""

import contextlib
import hashlib
import importlib.metadata
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.effect_map import EffectMap
from cem_jax.estimate import estimate_effects
from cem_jax.grid import ROI, Grid
from cem_jax.image import as_unit, to_bytes
from cem_jax.network import Network
from cem_jax.outcome import Outcome, clip, clip_and_round, psnr
from cem_jax.plan import CoarseToFine, Plan
from cem_jax.pool import PatchPool
from cem_jax.progress import Progress, show_progress
from cem_jax.scene import Scene
from cem_jax.store import append_outcomes, open_store, read_outcomes
from cem_jax.sweep import Sweep

_FLUSH_SECONDS = 2.0
"""How much work an interruption may cost."""


def _check_pair(network: Network, scene: Scene, roi: ROI) -> None:
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


def _reach(network: Network, scene: Scene, roi: ROI, grid: Grid) -> np.ndarray:
    """The blocks that can reach the region, bool [rows, columns]."""
    if network.receptive_radius is None:
        return np.ones(grid.shape, bool)
    return grid.near(roi.in_input(scene.scale), network.receptive_radius)


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
    _check_pair(network, scene, roi)
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
    finish = clip_and_round if rounded else clip
    sweep = Sweep.make(network, scene, roi, grid, finish, outcome, _check_chunk(chunk))
    # What cannot reach the region leaves it as it is.
    near = np.flatnonzero(_reach(network, scene, roi, grid)[tuple(cells.T)])
    result = np.full(len(cells), sweep.baseline(), np.float32)
    for part, values in sweep.written(cells[near], pixels[near]):
        result[near[part]] = values
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
) -> EffectMap:
    """The Causal Effect Map of a region (Hu et al., arXiv 2407.19789).

    effect(block) = Q(f(X)) - E[Q(f(do(block = p)))] with p drawn from the pool. Blocks that cannot
    reach the region get exactly 0 without evaluation; blocks of the region itself are left out.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets; None takes the paper's `CoarseToFine()`.
        outcome: the score of (restored region, true region); None takes PSNR.
        seed: seed of all draws; a draw depends on (seed, block, sample) alone.
        directory: where the sweep is kept, so that it resumes after any interruption with the
            identical result.
        progress: show rate and time left on a terminal.
        rounded: score the output rounded to 8 bits, as the paper's code does.
        chunk: interventions evaluated together; None chooses.

    Returns:
        The map.

    Raises:
        ValueError: arguments that do not fit, or a directory that holds something else; the message
            names them.
    """
    _check_pair(network, scene, roi)
    if scene.intervene is None:
        raise ValueError("scene: it has no do() (intervene=None), so only outcomes() is possible")
    grid = _grid(scene, block)
    pool = PatchPool.default() if pool is None else pool
    if pool.size != block:
        raise ValueError(f"pool: its patches have {pool.size} x {pool.size} pixels; block={block}")
    plan = CoarseToFine() if plan is None else plan
    outcome = psnr if outcome is None else outcome
    seed = whole_number("seed", seed, 0)

    inside = grid.near(roi.in_input(scene.scale), 0)
    active = (_reach(network, scene, roi, grid) & ~inside).reshape(-1)

    finish = clip_and_round if rounded else clip
    sweep = Sweep.make(network, scene, roi, grid, finish, outcome, _check_chunk(chunk))
    values = np.full((active.size, plan.capacity), np.nan, np.float32)
    configuration = {
        "network": network.name,
        "parameters": _digest(jax.tree.leaves(network.params)),
        "scene": {"task": scene.task, "scale": scene.scale, **scene.facts},
        "images": _digest([scene.clean, scene.degraded, *jax.tree.leaves(scene.intervene)]),
        "roi": [roi.y, roi.x, roi.height, roi.width],
        "pool": f"{pool.name} {pool.digest}",
        "block": block,
        "plan": repr(plan),
        "outcome": getattr(outcome, "__qualname__", repr(outcome)),
        "rounded": rounded,
        "seed": seed,
    }
    folder = None
    if directory is not None:
        folder = open_store(directory, configuration)
        read_outcomes(folder, values)

    begun = time.perf_counter()
    kept = int(np.isfinite(values).sum())
    baseline = sweep.baseline()
    with show_progress(network.name) if progress else contextlib.nullcontext() as bar:
        while True:
            wanted = plan.wanted(values, baseline, active) & np.isnan(values)
            if not wanted.any():
                break
            cells, draws = np.nonzero(wanted)
            chunks = sweep.drawn(scene.intervene, pool.patches, seed, cells, draws)
            for part, found in _kept(chunks, folder, cells, draws, bar):
                values[cells[part], draws[part]] = found

    estimate = estimate_effects(values, plan.counted(values, baseline), baseline)
    blank = np.where(inside, np.nan, 0.0)
    return EffectMap(
        effect=estimate.effect.reshape(grid.shape) + blank,
        standard_error=estimate.standard_error.reshape(grid.shape) + blank,
        samples=estimate.samples.reshape(grid.shape),
        inside_roi=inside,
        values=values.reshape(*grid.shape, -1),
        baseline=baseline,
        tolerance=plan.tolerance,
        roi=roi,
        block=grid.block,
        scale=scene.scale,
        task=scene.task,
        degraded=to_bytes(scene.degraded),
        provenance=configuration
        | {
            "evaluations": int(np.isfinite(values).sum()) - kept,
            "evaluations_resumed": kept,
            "seconds": round(time.perf_counter() - begun, 2),
            "devices": f"{len(jax.local_devices())} {jax.default_backend()}",
            "versions": {
                name: importlib.metadata.version(name)
                for name in ("cem-jax", "jax", "flax", "numpy")
            },
        },
    )


def _kept(
    chunks: Iterator[tuple[slice, np.ndarray]],
    folder: Path | None,
    cells: np.ndarray,
    draws: np.ndarray,
    bar: Progress | None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Passes chunks on, keeps them on disk every few seconds, and tells the progress bar."""
    found: list[np.ndarray] = []
    first = last = 0
    flushed = time.monotonic()
    if bar is not None:
        bar.begin(len(cells))
    try:
        for part, values in chunks:
            found.append(values)
            last = part.stop
            if bar is not None:
                bar.advance(len(values))
            if folder is not None and time.monotonic() - flushed > _FLUSH_SECONDS:
                append_outcomes(folder, cells[first:last], draws[first:last], np.concatenate(found))
                found, first, flushed = [], last, time.monotonic()
            yield part, values
    finally:
        if folder is not None and last > first:
            append_outcomes(folder, cells[first:last], draws[first:last], np.concatenate(found))


def _digest(arrays: list[Any]) -> str:
    """A fingerprint of arrays: their shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        value = np.ascontiguousarray(np.asarray(array))
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]
