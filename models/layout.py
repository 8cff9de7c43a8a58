"""State dicts as training codes leave them: without what they put before the keys."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .words import escaped, listed, quoted

_ALWAYS = ("module", "_orig_mod")
"""What torch itself puts before every key: data parallelism, compilation."""
_AVERAGED = "n_averaged"
"""What `torch.optim.swa_utils.AveragedModel` counts beside the keys of `module`."""
_OFTEN = (
    "netg", "net_g", "net_g_ema", "netg_ema", "g", "g_ema", "generator", "generator_ema", "model",
    "model_ema", "ema", "ema_model", "network", "net", "params", "params_ema", "state_dict",
    "restorer", "denoiser",
)  # fmt: skip
"""Attributes under which training codes hold a network, in small letters. `model.0` is a network's
own name."""


def without_root(state_dict: Mapping[str, Any]) -> dict[str, Any] | None:
    """A state dict without the first part of its keys, whatever it is; None if they share none.

    Args:
        state_dict: anything by torch key; keys without a dot stay as they are.
    """
    found = {str(key): value for key, value in state_dict.items()}
    roots = {key.partition(".")[0] for key in found if "." in key}
    if len(roots) != 1:
        return None
    stripped = {key.removeprefix(f"{min(roots)}."): value for key, value in found.items()}
    return stripped if len(stripped) == len(found) else None


def _prefix(keys: Iterable[str]) -> str | None:
    """What stands before every key that has a dot, if it is no part of a network's own names."""
    dotted = [key.split(".") for key in keys if "." in key]
    first = {parts[0] for parts in dotted}
    if len(first) != 1:
        return None
    (name,) = first
    often = name.lower() in _OFTEN
    own = often and any(parts[1].isdigit() for parts in dotted)
    return f"{name}." if (often or name in _ALWAYS) and not own else None


def _without_compiled(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Without what `torch.compile` puts before the keys of a part; whole networks come later."""
    found = {str(key).replace("._orig_mod.", "."): value for key, value in state_dict.items()}
    if len(found) < len(state_dict):
        raise ValueError("it has keys both with and without '_orig_mod.'")
    return found


def without_prefixes(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict without what training codes put before all of its keys, also several times.

    Args:
        state_dict: anything by torch key; keys without a dot stay as they are.

    Raises:
        ValueError: some keys have torch's own prefix and others do not.
    """
    found = _without_compiled(state_dict)
    if _AVERAGED in found and all(key.startswith("module.") for key in found if key != _AVERAGED):
        del found[_AVERAGED]
    while (prefix := _prefix(found)) is not None:
        stripped = {key.removeprefix(prefix): value for key, value in found.items()}
        if len(stripped) < len(found):
            raise ValueError(f"it has keys both with and without {quoted(prefix)}")
        found = stripped
    for name in _ALWAYS:
        if any(key.startswith(f"{name}.") for key in found):
            raise ValueError(f"it has keys both with and without '{name}.'")
    return found


def _array(key: str, value: Any) -> np.ndarray:
    """A tensor as numpy knows it, in a type that float32 stands for."""
    if hasattr(value, "detach"):  # torch's own
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    array = np.asarray(value)
    name = array.dtype.name
    if name in ("float16", "bfloat16"):
        return array.astype(np.float32)
    if array.dtype.kind not in "fiub" or name.startswith("float8"):
        raise ValueError(
            f"{escaped(key)} is of type {name}; expected floating-point numbers of 16 to 64 bits"
        )
    return array


def arrays(state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A state dict's tensors in numpy; half precision (bfloat16 is a void type there) as float32.

    Args:
        state_dict: arrays by torch key, numpy's or torch's.

    Raises:
        ValueError: entries are no arrays, or of a type that holds no plain numbers.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"state_dict={quoted(state_dict)}: expected arrays by torch key")
    odd = [key for key, value in state_dict.items() if not hasattr(value, "dtype")]
    if len(odd) == len(state_dict):
        raise ValueError(f"it holds no state dict (its entries: {listed(odd, 5) or 'none'})")
    if odd:
        raise ValueError(f"beside its tensors it holds {listed(odd, 5)}; save the tensors alone")
    return {str(key): _array(str(key), value) for key, value in state_dict.items()}
