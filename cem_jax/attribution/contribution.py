"""Where single attributed pixels gather: the area of contribution."""

import numpy as np
from jaxtyping import Float64

from cem_jax.attribution.record import Attribution


def area_of_contribution(found: Attribution) -> Float64[np.ndarray, "rows columns"]:
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
