"""Effects, their standard errors and intervals from sampled outcomes."""

import dataclasses

import numpy as np

CONFIDENCE = 0.95
"""Of the intervals that decide a block where the plan does not say another."""

_PER_STRATUM = 4


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Per cell, what the draws say.

    Args:
        effect: baseline minus the mean outcome, in the outcome's unit (dB).
        standard_error: of the effect; NaN where the draws do not tell it, as a single one.
        samples: number of draws that entered.
        undecided: cells whose draws leave open whether the effect is positive, negative or zero at
            the tolerance.
    """

    effect: np.ndarray
    standard_error: np.ndarray
    samples: np.ndarray
    undecided: np.ndarray


def interval(
    effect: np.ndarray, standard_error: np.ndarray, degrees: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided t intervals: effect -/+ t((1 + confidence) / 2; degrees) x standard error.

    Args:
        effect: any shape.
        standard_error: of the effect, same shape; NaN gives an interval without ends.
        degrees: degrees of freedom of the standard error, same shape.
        confidence: share of intervals that hold the true effect, between 0 and 1.

    Returns:
        Lower and upper ends.
    """
    from scipy.special import stdtrit  # as long to import as all else here together

    width = stdtrit(np.maximum(degrees, 1.0), (1 + confidence) / 2) * standard_error
    width = np.where(np.isnan(width), np.inf, width)
    return effect - width, effect + width


def is_decided(low: np.ndarray, high: np.ndarray, tolerance: float) -> np.ndarray:
    """Where an interval lies wholly among the positive, the negative or the zero effects.

    Args:
        low: lower ends.
        high: upper ends, same shape.
        tolerance: effects smaller than this count as zero, in the outcome's unit.

    Returns:
        bool, of the same shape.
    """
    zero = (low > -tolerance) & (high < tolerance)
    return zero | (low >= tolerance) | (high <= -tolerance) | (low == high)


def estimate_effects(
    values: np.ndarray, counted: np.ndarray, baseline: float, tolerance: float = 0.0
) -> Estimate:
    """Effect = Q(f(X)) - E[Q(f(do(block = p)))] (the paper's estimand), by the mean of the draws.

    Args:
        values: outcomes [cells, draws].
        counted: which of them enter, bool [cells, draws].
        baseline: the outcome without an intervention.
        tolerance: effects smaller than this count as zero.

    Returns:
        Arrays [cells]. A cell without draws has effect 0 and standard error 0: it cannot reach the
        region.
    """
    n = counted.sum(axis=1)
    change = np.where(counted, baseline - values.astype(np.float64), 0.0)
    effect = change.sum(axis=1) / np.maximum(n, 1)
    spread = np.where(counted, change - effect[:, None], 0.0)
    # Unbiased variance of a mean: sum of squares / (n (n - 1)).
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.square(spread).sum(axis=1) / (n * (n - 1.0)))
    error = np.where(n == 0, 0.0, np.where(n == 1, np.nan, error))
    low, high = interval(effect, error, n - 1.0, CONFIDENCE)
    return Estimate(effect, error, n, ~is_decided(low, high, tolerance))


def estimate_stratified(
    values: np.ndarray,
    strata: np.ndarray,
    baseline: float,
    tolerance: float,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The mean of stratified draws, from the longest run of 2^m of them that a cell has.

    The draws of a run lie one in each of 2^m equal strata. Their standard error is that of strata
    of four (collapsed strata, Cochran 1977, 5A.12): too large rather than too small, since the
    finer strata, which are real, spread less.

    Args:
        values: outcomes [cells, draws], NaN where none was drawn.
        strata: of each draw, int [draws]: a permutation (`scrambled_strata`).
        baseline: the outcome without an intervention.
        tolerance: effects smaller than this count as zero.
        confidence: of the intervals that decide a cell.

    Returns:
        Arrays [cells].
    """
    drawn = np.isfinite(values)
    first_missing = np.where(drawn.all(axis=1), values.shape[1], drawn.argmin(axis=1))
    samples = 2 ** np.frexp(first_missing)[1] // 2
    effect, error, degrees = np.zeros((3, len(values)))
    for n in np.unique(samples[samples > 0]):
        rows, order = samples == n, np.argsort(strata[:n])
        change = baseline - values[rows][:, order].astype(np.float64)
        parts = max(n // _PER_STRATUM, 1)
        groups = change.reshape(len(change), parts, -1)
        squares = np.square(groups - groups.mean(axis=2, keepdims=True)).sum(axis=(1, 2))
        effect[rows], degrees[rows] = change.mean(axis=1), n - parts
        # Variance of a mean: squares / (n x degrees of freedom); one draw has none.
        error[rows] = np.sqrt(squares / (n * (n - parts))) if n > parts else np.nan
    low, high = interval(effect, error, degrees, confidence)
    return Estimate(effect, error, samples, ~is_decided(low, high, tolerance))
