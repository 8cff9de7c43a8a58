"""Whether a network, a scene and a region belong together, and what do() writes fits the blocks."""

from typing import Any

import jax
import numpy as np

from cem_jax.arguments import check_kind
from cem_jax.grid import ROI, Grid
from cem_jax.network.network import Network
from cem_jax.plain_text import reason
from cem_jax.scene.scene import Scene

_REMEDY = {
    1: "; make a grey scene: cem.to_grey(clean)",
    3: "; a grey photograph gets three equal channels by np.repeat(grey, 3, axis=2)",
}
"""How a scene gets the channels that a network takes."""


def check_pair(network: Network, scene: Scene, roi: ROI) -> None:
    """Refuses a network, a scene and a region that do not belong together, and wide numbers.

    Raises:
        ValueError: the message names what does not fit.
    """
    if jax.dtypes.canonicalize_dtype(np.float64) == np.float64:
        raise ValueError(
            "jax_enable_x64=True: images and networks are of float32; expected "
            "jax.config.update('jax_enable_x64', False), also after code of yours that changed it"
        )
    check_kind("network", network, Network)
    check_kind("scene", scene, Scene)
    check_kind("roi", roi, ROI)
    if network.scale != scene.scale:
        raise ValueError(
            f"network={network.name}: its scale {network.scale} is not the scene's {scene.scale}"
        )
    takes, channels = network.channels, scene.degraded.shape[2]
    if takes not in (None, channels):
        raise ValueError(
            f"network={network.name}: it takes images of {takes} channels, the scene has {channels}"
            f"{_REMEDY.get(takes, '')}"
        )
    height, width = scene.clean.shape[:2]
    roi.check(height, width, scene.scale)


def grid_of(scene: Scene, block: int) -> Grid:
    """The blocks of a scene's input; `block` is in output pixels."""
    height, width = scene.degraded.shape[:2]
    return Grid.make(height, width, block, scene.scale)


def margin_of_do(scene: Scene, block: int, side: int) -> int:
    """Input pixels by which what do() writes exceeds the block, by the shapes alone.

    Raises:
        ValueError: there is no do(), or it cannot take the pool's patches.
    """
    if scene.intervene is None:
        raise ValueError("scene: it has no do() (intervene=None), so only outcomes() is possible")
    channels = scene.clean.shape[2]
    try:
        found = jax.eval_shape(scene.intervene, *do_shapes(block, channels))
    except (TypeError, AttributeError, IndexError) as error:  # as a user's function raises
        raise ValueError(f"scene: do() cannot take (patch, y, x, key): {reason(error)}") from error
    shape = getattr(found, "shape", None)
    margin = (shape[0] - side) // 2 if shape else -1
    if margin < 0 or shape != (side + 2 * margin, side + 2 * margin, channels):
        raise ValueError(
            f"scene: do() made {shape or type(found).__name__} of a patch; expected "
            f"{(side, side, channels)}, or as many pixels more on every side"
        )
    if not np.issubdtype(found.dtype, np.floating):
        raise ValueError(f"scene: do() made {found.dtype} of a patch; expected floats in [0, 1]")
    return margin


def do_shapes(block: int, channels: int) -> tuple[Any, ...]:
    """The shapes of do()'s arguments."""
    corner = jax.ShapeDtypeStruct((), np.int32)
    patch = jax.ShapeDtypeStruct((block, block, channels), np.float32)
    return patch, corner, corner, jax.eval_shape(lambda: jax.random.key(0))
