"""Values that are known before anything runs: neither the image nor parameters enter them."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .graph import Equation, Known


def computed(
    number: int, equations: Sequence[Equation], constants: Mapping[int, Any]
) -> np.ndarray:
    """An array that is known.

    Args:
        number: of the value.
        equations: those that lead to it, among others.
        constants: what they begin with, by number.
    """
    if number in constants:
        return np.asarray(constants[number])
    wanted, needed = {number}, []
    for eq in reversed(equations):
        if not wanted.isdisjoint(eq.outputs):
            needed.append(eq)
            wanted.update(i for i in eq.inputs if isinstance(i, int))

    def run() -> Any:
        values = {i: value for i, value in constants.items() if i in wanted}
        for eq in reversed(needed):
            inputs = [i.value if isinstance(i, Known) else values[i] for i in eq.inputs]
            values.update(zip(eq.outputs, eq.bind(*inputs), strict=True))
        return values[number]

    with jax.ensure_compile_time_eval():  # also while an outer function is traced
        return np.asarray(jax.jit(run)())
