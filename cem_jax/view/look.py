"""A photograph with a grid of pixels and the regions that rules suggest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float32

from cem_jax.grid import ROI
from cem_jax.scene.image import in_colour
from cem_jax.view.parts import outline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES = 8
"""Lines of the grid along the longer side, at most."""
_WIDTH = 9.0
"""Inches of the longer side."""
_NEAR = 0.1
"""Share of a side that is near an edge, where names have no room."""


def plot_regions(image: Float32[np.ndarray, "h w c"], regions: Mapping[str, ROI]) -> "Figure":
    """Draws a photograph with a grid whose ticks are pixels, and regions by their names.

    Args:
        image: [h, w, c] in [0, 1].
        regions: what is outlined.

    Returns:
        The figure.
    """
    from matplotlib.figure import Figure

    height, width = image.shape[:2]
    step = 8
    while max(height, width) / step > _LINES:
        step *= 2
    inches = _WIDTH / max(height, width)
    figure = Figure(figsize=(width * inches + 1, height * inches + 1), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(in_colour(image), vmin=0, vmax=1, origin="upper")
    ax.set_xticks(np.arange(0, width, step))
    ax.set_yticks(np.arange(0, height, step))
    ax.grid(color="white", alpha=0.5, linewidth=0.6)
    ax.set_xlabel(f"x in pixels, {width} in all")
    ax.set_ylabel(f"y in pixels, {height} in all")
    for name, roi in regions.items():
        outline(roi, ax, 2.0)
        across, down = _sides(roi, height, width)
        edge = roi.y if down == "bottom" else roi.y + roi.height
        ax.annotate(
            name, (roi.x + roi.width / 2, edge), (0, 5 if down == "bottom" else -5),
            textcoords="offset points", color="black", fontsize="small", ha=across, va=down,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
        )  # fmt: skip
    return figure


def _sides(
    roi: ROI, height: int, width: int
) -> tuple[Literal["left", "center", "right"], Literal["top", "bottom"]]:
    """How a region's name is aligned beside it: above it and centred where there is room."""
    middle = (roi.x + roi.width / 2) / width
    across = "left" if middle < _NEAR else "center" if middle < 1 - _NEAR else "right"
    return across, "top" if roi.y < _NEAR * height else "bottom"
