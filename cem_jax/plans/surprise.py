"""What draws still to come may bring: how far draws lie beyond the range of a block's others.

A t interval cannot see what no draw has shown. Where few patches carry an effect, the first draws
of a block are all alike, and its interval has no width. But the blocks of a map show to each other
how often that deceives: hold a draw out, and see how far it lies beyond the others of its block.
"""

import numpy as np
from jaxtyping import Float

_BEYOND = 3.0
"""Spreads beyond the other draws that surprise nobody: a t interval allows for them."""


def scales(change: Float[np.ndarray, "cells n"]) -> Float[np.ndarray, " cells"]:
    """The size of changes that a block's draws let one expect: their standard deviation.

    Of one draw, or of two, it would be nothing or chance: there it is their size itself.

    Args:
        change: [cells, n].

    Returns:
        [cells].
    """
    if change.shape[1] > 2:
        return change.std(axis=1, ddof=1)
    return np.sqrt(np.square(change).mean(axis=1))


def surprise(change: Float[np.ndarray, "cells draws"], n: int, smallest: float) -> float:
    """How much, on average over the draws of a map, a draw lies above what n others showed.

    Each draw among the first n of a block is held out against the others of them, and each later
    one against the n. Above: beyond their largest by more than three times their scale. The excess
    counts in units of that scale, so that blocks of weak and of strong effects tell of each other.

    Args:
        change: what each draw takes from the outcome, [cells, draws], NaN where none was; all have
            at least n, which is 2 or more.
        n: draws that a block is judged by.
        smallest: added to all scales, above 0.

    Returns:
        The mean excess; 0 of none.
    """
    first, later = np.sort(change[:, :n], axis=1), change[:, n:]
    # Of the first n only the largest can lie above the rest.
    rest, largest = first[:, :-1], first[:, -1]
    expected = scales(rest)
    held_out = np.maximum(largest - rest[:, -1] - _BEYOND * expected, 0) / (expected + smallest)
    expected = scales(first)[:, None]
    excess = np.maximum(later - largest[:, None] - _BEYOND * expected, 0) / (expected + smallest)
    return float(
        (held_out.sum() + np.nansum(excess)) / (n * len(change) + np.isfinite(later).sum())
    )
