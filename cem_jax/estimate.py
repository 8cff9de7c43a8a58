"""Effects and their standard errors from sampled outcomes."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Per cell, what the draws say.

    Args:
        effect: baseline minus the mean outcome, in the outcome's unit (dB).
        standard_error: of the effect; NaN where a single draw tells nothing of its spread.
        samples: number of draws that entered.
    """

    effect: np.ndarray
    standard_error: np.ndarray
    samples: np.ndarray


def estimate_effects(values: np.ndarray, counted: np.ndarray, baseline: float) -> Estimate:
    """Effect = Q(f(X)) - E[Q(f(do(block = p)))] (the paper's estimand), by the mean of the draws.

    Args:
        values: outcomes [cells, draws].
        counted: which of them enter, bool [cells, draws].
        baseline: the outcome without an intervention.

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
    return Estimate(effect, np.where(n == 0, 0.0, np.where(n == 1, np.nan, error)), n)
