"""Which rule an operation has; one without a rule is global.

A global operation may change everywhere and needs everything; it is computed in full. Imports
the records of `cone`.
"""

from collections.abc import Callable

import numpy as np

from ..graph import Equation
from ..jaxpr import ALONG, ELEMENTWISE, REDUCTIONS
from .axes import Along, Broadcast, Dot, Elementwise, Gather, Reduce, Squeeze, Transpose
from .base import Rule
from .mosaic import Concatenate, Cut, Update
from .resample import Blend, Pick, find_band
from .reshape import Reshape
from .window import Conv, Pad, Pooling, Reverse, Slice

RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, Elementwise()),
    **dict.fromkeys(REDUCTIONS, Reduce()),
    **dict.fromkeys(ALONG, Along()),
    **dict.fromkeys([f"reduce_window_{name}" for name in ("sum", "max", "min")], Pooling()),
    "broadcast_in_dim": Broadcast(),
    "concatenate": Concatenate(),
    "conv_general_dilated": Conv(),
    "dot_general": Dot(),
    "dynamic_slice": Cut(),
    "dynamic_update_slice": Update(),
    "pad": Pad(),
    "fft": Along(),
    "gather": Gather(),
    "pick": Pick(),
    "reshape": Reshape(),
    "rev": Reverse(),
    "slice": Slice(),
    "sort": Along(),
    "squeeze": Squeeze(),
    "top_k": Along(),
    "transpose": Transpose(),
}
"""By primitive."""

_BLEND = Blend()
"""The product by a known matrix that is a band."""


def rule_for(eq: Equation) -> Rule | None:
    """The rule of an operation; None if it is global."""
    if eq.misread:
        return None
    if eq.band is not None:
        return _BLEND
    is_refused = _REFUSED.get(eq.name)
    return None if is_refused is not None and is_refused(eq) else RULES.get(eq.name)


def _is_known(eq: Equation, operands: slice) -> bool:
    """Whether these operands are known scalars."""
    return not any(isinstance(one, int) for one in eq.inputs[operands])


def _dilates(eq: Equation) -> bool:
    return any(n != 1 for n in eq.params["base_dilation"])


_REFUSED: dict[str, Callable[[Equation], bool]] = {
    "conv_general_dilated": lambda eq: eq.params["batch_group_count"] != 1,
    "pad": lambda eq: not (_is_known(eq, slice(1, 2)) and np.isfinite(eq.inputs[1].value)),  # type: ignore[union-attr]
    "dynamic_slice": lambda eq: not _is_known(eq, slice(1, None)),
    "dynamic_update_slice": lambda eq: not _is_known(eq, slice(2, None)),
    **{name: _dilates for name in RULES if name.startswith("reduce_window")},
    "reshape": lambda eq: eq.params["dimensions"] is not None,
}
"""Forms of an operation that its rule does not know."""


__all__ = ["RULES", "Rule", "find_band", "rule_for"]
