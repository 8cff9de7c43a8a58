"""Attributions as matplotlib axes: signed over the input, and as an area of contribution."""

from typing import TYPE_CHECKING

import numpy as np

from cem_jax.attribution.record import Attribution
from cem_jax.plot import colours, outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INPUT_SHARE = 0.5


def area_of_contribution(found: Attribution) -> np.ndarray:
    """Kernel density of the magnitude, which shows where single pixels gather.

    A Gaussian kernel whose covariance is the magnitude's own, narrowed by Scott's rule, as in the
    paper's code (Gu and Dong, CVPR 2021); each cell is spread over its square besides.

    Returns:
        [rows, columns], at most 1.
    """
    weights = found.magnitude
    if not weights.any():
        return weights
    weights = weights / weights.sum()
    rows, columns = weights.shape
    y, x = np.mgrid[:rows, :columns]
    offsets = np.stack([axis - (weights * axis).sum() for axis in (y, x)])
    repeats = (weights**2).sum()  # 1 / effective number of cells
    spread = np.einsum("ihw,jhw,hw->ij", offsets, offsets, weights) / max(1 - repeats, repeats)
    covariance = spread * repeats ** (1 / 3) + np.eye(2) / 12
    # A circle of twice the size, so that opposite borders do not meet.
    dy, dx = (np.fft.fftfreq(2 * n, 1 / (2 * n)) for n in (rows, columns))
    (a, b), (_, c) = np.linalg.inv(covariance)
    kernel = np.exp(-(a * dy[:, None] ** 2 + 2 * b * np.outer(dy, dx) + c * dx**2) / 2)
    size = kernel.shape
    density = np.fft.irfft2(np.fft.rfft2(weights, size) * np.fft.rfft2(kernel), size)
    density = np.maximum(density[:rows, :columns], 0)
    return density / density.max()


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
