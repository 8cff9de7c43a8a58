"""Attributions as matplotlib axes: signed over the input, and as an area of contribution."""

from typing import TYPE_CHECKING

import numpy as np

from cem_jax.attribution.contribution import area_of_contribution
from cem_jax.attribution.record import Attribution
from cem_jax.view.colours import colours
from cem_jax.view.parts import outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INPUT_SHARE = 0.5


def _over_input(found: Attribution, rgb: np.ndarray, ax: "Axes | None") -> "Axes":
    """Draws colours of cells over the input, the region in green, in output pixels."""
    import matplotlib.pyplot as plt

    def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
        return image.repeat(factor, 0).repeat(factor, 1)

    ax = plt.subplots()[1] if ax is None else ax
    image = enlarge(found.degraded, found.scale) / 255
    overlay = enlarge(rgb, found.cell * found.scale)[: image.shape[0], : image.shape[1]]
    ax.imshow((1 - _INPUT_SHARE) * overlay + _INPUT_SHARE * image)
    outline(found.roi, ax, 1.5)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def plot_attribution(
    found: Attribution,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str = "seismic",
) -> "Axes":
    """Draws signed attributions over the input: red raises the outcome, blue lowers it.

    Args:
        found: the attribution.
        ax: where to draw; None makes a figure.
        limit: attribution at which the colours end, in its unit; None takes the largest in size.
        colour_map: name of matplotlib's diverging colours; the upper end raises the outcome.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    largest = float(np.abs(found.attribution).max()) or 1.0
    rgb = colours(found.attribution, largest if limit is None else limit, colour_map)
    return _over_input(found, rgb, ax)


def plot_contribution(
    found: Attribution, ax: "Axes | None" = None, colour_map: str = "seismic"
) -> "Axes":
    """Draws the area of contribution over the input, its density in red, sign left out.

    Args:
        found: the attribution.
        ax: where to draw; None makes a figure.
        colour_map: name of matplotlib's diverging colours, of which the upper half is used.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    return _over_input(found, colours(area_of_contribution(found), 1.0, colour_map), ax)
