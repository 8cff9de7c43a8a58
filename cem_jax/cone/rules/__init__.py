"""Which rule an operation has; one without a rule is global.

A global operation may change everywhere and needs everything; it is computed in full. Imports
the records of `cone`.
"""

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
    rule = RULES.get(eq.name)
    known = [not isinstance(i, int) for i in eq.inputs]
    p = eq.params
    refused = (
        (eq.name == "conv_general_dilated" and p["batch_group_count"] != 1)
        or (eq.name == "pad" and not (known[1] and np.isfinite(eq.inputs[1].value)))
        or (eq.name == "dynamic_slice" and not all(known[1:]))
        or (eq.name == "dynamic_update_slice" and not all(known[2:]))
        or (eq.name.startswith("reduce_window") and any(n != 1 for n in p["base_dilation"]))
        or (eq.name == "reshape" and p["dimensions"] is not None)
    )
    return None if refused else rule


__all__ = ["RULES", "Rule", "find_band", "rule_for"]
