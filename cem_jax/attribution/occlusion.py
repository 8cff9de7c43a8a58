"""Attribution by occlusion: what the outcome loses when a block loses its content."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Int

from cem_jax.arguments import one_of
from cem_jax.arrays import AnyArray
from cem_jax.attribution.path import blur, kernel_radius
from cem_jax.attribution.record import Attribution
from cem_jax.effects.fitting import check_pair
from cem_jax.effects.given import outcomes
from cem_jax.grid import ROI, Grid
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, psnr, unit
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene

_BLUR_SIGMA = 1.2
"""Of the blurred fill, in input pixels: the start of a local attribution map's path."""


def _fills(fill: str, image: Float32[np.ndarray, "h w c"]) -> Float32[AnyArray, "h w c"]:
    """The image [h, w, c] that shows through where a block is occluded."""
    if one_of("fill", fill, ("mean", "blur")) == "mean":
        return np.broadcast_to(image.mean((0, 1)), image.shape)
    return np.clip(blur(jnp.asarray(image), _BLUR_SIGMA, kernel_radius(_BLUR_SIGMA)), 0, 1)


def _patches(
    grid: Grid, image: Float32[AnyArray, "h w c"], cells: Int[np.ndarray, "n 2"]
) -> Float32[np.ndarray, "n block block c"]:
    """The content of cells [n, 2]: [n, block, block, c]; beyond the border it repeats."""
    b, (h, w) = grid.block, image.shape[:2]
    padded = np.pad(image, ((0, -h % b), (0, -w % b), (0, 0)), mode="edge")
    return np.stack([padded[b * i : b * (i + 1), b * j : b * (j + 1)] for i, j in cells])


def occlusion_map(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    fill: str = "mean",
    block: int = 8,
    outcome: Outcome = psnr,
) -> Attribution:
    """What a region's outcome loses when one block of the input is replaced by a fixed fill.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. Unlike
    do() of a Causal Effect Map, the fill is one, it is written into the degraded input itself, and
    it looks like nothing that the network was trained on.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        fill: "mean", the input's mean colour, or "blur", the input blurred with sigma 1.2 pixels.
        block: side of a block, in output pixels.
        outcome: the score of (restored region, true region); PSNR by default.

    Returns:
        Q(input) - Q(input with the block filled) by block, those inside the region too; exactly 0
        where the block cannot reach the region.

    Raises:
        ValueError: arguments that do not fit; the message names them.
    """
    check_pair(network, scene, roi)
    image = scene.degraded
    height, width = image.shape[:2]
    grid = Grid.make(height, width, block, scene.scale)
    filled = _fills(fill, image)
    reach = np.ones(grid.shape, bool)
    if network.receptive_radius is not None:
        reach = grid.near(roi.in_input(scene.scale), network.receptive_radius)
    cells = np.argwhere(reach)
    # The last intervention writes what stands there already: the outcome of the input.
    patches = np.concatenate([_patches(grid, filled, cells), _patches(grid, image, cells[-1:])])
    blocks = np.concatenate([cells, cells[-1:]])
    values = outcomes(network, scene, roi, blocks, patches, block=block, outcome=outcome)
    effect = np.zeros(grid.shape)
    effect[reach] = np.float64(values[-1]) - values[:-1]
    return Attribution(
        method="occlusion",
        attribution=effect,
        outcome=float(values[-1]),
        outcome_at_start=float("nan"),
        unit=unit(outcome),
        roi=roi,
        cell=grid.block,
        scale=scene.scale,
        degraded=to_bytes(image),
        parameters={
            "network": network.name,
            "task": scene.task,
            "outcome": getattr(outcome, "__name__", repr(outcome)),
            "fill": fill,
            "block": block,
        },
    )
