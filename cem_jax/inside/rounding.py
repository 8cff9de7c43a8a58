"""What float32 cannot tell from zero."""

import numpy as np

_SHARE = 8 * float(np.finfo(np.float32).eps)
_SMALLEST = 0.25


def rounding(outcome: float) -> float:
    """What two programs that compute the same may differ by, in the outcome's unit.

    Args:
        outcome: an outcome without an intervention.
    """
    return _SHARE * max(abs(outcome), _SMALLEST)
