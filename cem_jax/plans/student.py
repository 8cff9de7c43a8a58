"""Student's t distribution: what intervals need of it.

SciPy has it too, but takes longer to import than a small map to compute.
"""

import math
from statistics import NormalDist

import numpy as np

_TINY = 1e-300
_TERMS = 10_000
_CLOSE = 1e-14
_STEPS = 500


def _fraction(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    c, d = np.ones_like(x), 1 - (a + b) * x / (a + 1)
    d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
    found = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 + term * d
            d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
            c = 1 + term / c
            c = np.where(np.abs(c) < _TINY, _TINY, c)
            found = found * c * d
        if np.all(np.abs(c * d - 1) < _CLOSE):
            break
    return found


def _logarithm_of_beta(a: np.ndarray) -> np.ndarray:
    """Log B(a, 1/2), for the few values that differ."""
    values, place = np.unique(a, return_inverse=True)
    ratios = [
        # Of large numbers the two logarithms are too close: their difference as a series.
        math.lgamma(v) - math.lgamma(v + 0.5)
        if v < 30
        else -math.log(v) / 2 + 1 / (8 * v) - 1 / (192 * v**3) + 1 / (640 * v**5)
        for v in values.tolist()
    ]
    found = [ratio + math.lgamma(0.5) for ratio in ratios]
    return np.asarray(found)[place].reshape(a.shape)


def exceeds(degrees: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The probability that Student's t lies above.

    Args:
        degrees: of freedom, above 0.
        t: 0 or more, same shape; NaN gives NaN.

    Returns:
        From 0 to 0.5: half of the incomplete beta function I(x; degrees / 2, 1 / 2) at
        x = degrees / (degrees + t^2) (DLMF 8.17).
    """
    nu, t = np.broadcast_arrays(np.asarray(degrees, np.float64), np.asarray(t, np.float64))
    unknown = np.isnan(t)
    with np.errstate(over="ignore"):
        square = np.minimum(np.where(unknown, 0.0, t) ** 2, 1e300)
    x, y = nu / (nu + square), square / (nu + square)
    a, half = nu / 2, np.full(nu.shape, 0.5)
    with np.errstate(divide="ignore"):
        front = np.exp(a * np.log(x) + 0.5 * np.log(y) - _logarithm_of_beta(a))
    direct = x < (a + 1) / (a + 2.5)
    # Each converges quickly on its side.
    fraction = _fraction(
        np.where(direct, a, half), np.where(direct, half, a), np.where(direct, x, y)
    )
    found = np.where(direct, front * fraction / a, 1 - front * fraction / half) / 2
    return np.where(unknown, np.nan, found)


def quantile(degrees: np.ndarray, probability: float) -> np.ndarray:
    """The number that Student's t exceeds with 1 - probability.

    Args:
        degrees: of freedom, above 0, any shape.
        probability: from 0.5 to below 1.

    Returns:
        Of the same shape.
    """
    nu, place = np.unique(np.asarray(degrees, np.float64), return_inverse=True)
    rest, norm = 1 - probability, np.exp(-_logarithm_of_beta(nu / 2)) / np.sqrt(nu)
    # The distribution is concave on this side and has more in its tail than the normal one: from
    # there Newton's steps only ever grow.
    t = np.full(nu.shape, NormalDist().inv_cdf(probability) if rest < 0.5 else 0.0)
    for _ in range(_STEPS):
        density = norm * (1 + t * t / nu) ** (-(nu + 1) / 2)
        step = (exceeds(nu, t) - rest) / density
        t = t + step
        if np.all(np.abs(step) <= 1e-14 * np.abs(t)):
            break
    return np.asarray(t[place].reshape(np.shape(degrees)))
