"""Effects, their standard errors and intervals from sampled outcomes."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, Real

CONFIDENCE = 0.95
"""Of the intervals that decide a block where the plan does not say another."""


@dataclasses.dataclass(frozen=True, eq=False)
class Means:
    """Per cell, the mean of its draws.

    Args:
        effect: baseline minus the mean outcome, in the outcome's unit (dB); 0 without draws.
        standard_error: of the effect; 0 without draws, NaN where the draws do not tell it.
        samples: number of draws that entered.
        degrees: degrees of freedom of the standard error.
    """

    effect: Float[np.ndarray, " cells"]
    standard_error: Float[np.ndarray, " cells"]
    samples: Int[np.ndarray, " cells"]
    degrees: Real[np.ndarray, " cells"]


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """Per cell, what the draws say.

    Args:
        effect: baseline minus the mean outcome, in the outcome's unit (dB).
        standard_error: of the effect; NaN where the draws do not tell it, as a single one.
        samples: number of draws that entered.
        undecided: cells whose draws leave open whether the effect is positive, negative or zero at
            the tolerance.
    """

    effect: Float[np.ndarray, " cells"]
    standard_error: Float[np.ndarray, " cells"]
    samples: Int[np.ndarray, " cells"]
    undecided: Bool[np.ndarray, " cells"]


def interval(
    effect: Float[np.ndarray, "*cells"],
    standard_error: Float[np.ndarray, "*cells"],
    degrees: Real[np.ndarray, "*cells"],
    confidence: float,
) -> tuple[Float[np.ndarray, "*cells"], Float[np.ndarray, "*cells"]]:
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
    return np.asarray(effect - width), np.asarray(effect + width)


def sign_probability(
    effect: Float[np.ndarray, "*cells"],
    standard_error: Float[np.ndarray, "*cells"],
    degrees: Real[np.ndarray, "*cells"],
) -> Float[np.ndarray, "*cells"]:
    """Probability that an effect has the sign of its estimate.

    It is the posterior probability if the draws are normal and the prior is flat in the effect and
    in the logarithm of their spread: T(|effect| / standard error), T Student's distribution. It
    says nothing of the tolerance.

    Args:
        effect: any shape.
        standard_error: of the effect, same shape.
        degrees: degrees of freedom of the standard error, same shape.

    Returns:
        From 0.5 to 1; 1 where the standard error is 0, NaN where it is NaN.
    """
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(effect) / standard_error
    known = stdtr(np.maximum(degrees, 1.0), ratio)
    return np.where(standard_error == 0, 1.0, known)


def is_decided(
    low: Float[np.ndarray, "*cells"], high: Float[np.ndarray, "*cells"], tolerance: float
) -> Bool[np.ndarray, "*cells"]:
    """Where an interval lies wholly among the positive, the negative or the zero effects.

    Args:
        low: lower ends.
        high: upper ends, same shape.
        tolerance: effects smaller than this count as zero, in the outcome's unit.

    Returns:
        bool, of the same shape.
    """
    zero = (low > -tolerance) & (high < tolerance)
    return zero | (low >= tolerance) | (high <= -tolerance)


def decided_by_intervals(
    means: Means, tolerance: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Means, and which of them their t intervals decide.

    Args:
        means: of the draws.
        tolerance: effects smaller than this count as zero.
        confidence: of the intervals.
    """
    ends = interval(means.effect, means.standard_error, means.degrees, confidence)
    undecided = ~is_decided(*ends, tolerance)
    return Estimate(means.effect, means.standard_error, means.samples, undecided)
