"""One map by several processes (`jax.distributed`): each takes blocks, all get all outcomes."""

import jax
import numpy as np


def own_share(cells: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """This process's part of the interventions: whole blocks, in turn.

    Args:
        cells: int [n].
        draws: int [n].
    """
    _, rank = np.unique(cells, return_inverse=True)
    mine = rank % jax.process_count() == jax.process_index()
    return cells[mine], draws[mine]


def exchange(values: np.ndarray) -> np.ndarray:
    """What all processes know; NaN where none does. Every process waits for the others.

    Args:
        values: float32, of one shape in all processes.
    """
    from jax.experimental import multihost_utils

    found = np.asarray(multihost_utils.process_allgather(values))
    result = found[0].copy()
    for other in found[1:]:
        np.copyto(result, other, where=np.isnan(result))
    return result
