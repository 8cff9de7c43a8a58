"""Outcomes of interventions that a user gives."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float32

from cem_jax.arguments import truth, whole_number
from cem_jax.effects.fitting import check_pair, grid_of
from cem_jax.grid import ROI
from cem_jax.held.on_scene import on_scene
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, as_outcome, clip, clip_and_round, psnr
from cem_jax.scene.image import as_unit
from cem_jax.scene.scene import Scene
from cem_jax.sweep.layout import Layout, mixes_blocks
from cem_jax.sweep.score import as_it_is
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
    outcome: Outcome | str = psnr,
    chunk: int | None = None,
) -> Float32[np.ndarray, " n"]:
    """Outcomes of interventions whose patches are given in the network's input space.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        blocks: int [n, 2], row and column of each grid cell.
        patches: uint8, or floating in [0, 1], [n, block / scale, block / scale, c].
        block: side of a block, in output pixels.
        rounded: score the output rounded to 8 bits, as the paper's code does.
        outcome: the score of (restored region, true region), or its name; PSNR by default.
        chunk: interventions evaluated together; None chooses.

    Returns:
        float32 [n], in dB for PSNR.

    Raises:
        ValueError: arguments that do not fit, or an outcome that is not finite; the message names
            them.
    """
    check_pair(network, scene, roi)
    network = on_scene(network, scene)
    region = (roi.height, roi.width, scene.clean.shape[2])
    grid, score = grid_of(scene, block), as_it_is(as_outcome(outcome), region, scene.scale)
    chunk = None if chunk is None else whole_number("chunk", chunk, 1)
    rounded = truth("rounded", rounded)
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
    cells = cells.astype(np.int64)  # smaller integers would overflow
    flat = cells[:, 0] * grid.columns + cells[:, 1]
    if not len(flat):
        return np.zeros(0, np.float32)
    asked = np.zeros(grid.shape, bool)
    asked.flat[flat] = True
    each = -(-len(flat) // int(asked.sum()))
    finish = clip_and_round if rounded else clip
    mixed = mixes_blocks(chunk, each, jax.local_device_count())
    layout = Layout.make(
        network, scene, (roi,), grid, asked, finish, (score,), draws=(each, each), mixed=mixed
    )
    sweep = Sweep.make(layout, chunk=chunk)
    # What cannot reach the region leaves it as it is.
    near = np.flatnonzero(layout.reach.flat[flat])
    baseline, restored = sweep.baseline(sweep.as_given(flat[:1], pixels[:1]))
    if not np.isfinite(baseline).all():
        raise ValueError(
            f"network={network.name}: the region's outcome is not finite: {baseline.tolist()}"
        )
    other = sweep.as_given(flat[near[:1]], pixels[near[:1]]) if len(near) else None
    sweep.check(baseline, restored, other)
    result = np.full(len(flat), baseline[0], np.float32)
    for part, values in sweep.evaluate(sweep.as_given(flat[near], pixels[near])):
        result[near[part]] = values[:, 0]
    if not np.isfinite(result).all():
        first = int(np.flatnonzero(~np.isfinite(result))[0])
        raise ValueError(
            f"network={network.name}: the outcome of blocks[{first}] = "
            f"{tuple(cells[first].tolist())} is not finite"
        )
    return result
