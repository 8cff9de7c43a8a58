"""Torch modules in half precision, widened: their weights as float32, which holds the same values.

Half precision is how weights are kept and moved. An intervention changes some outcomes by less than
half precision rounds, so that a map of such arithmetic would be one of its rounding.
"""

import contextlib
from typing import Any


def half_types(torch: Any, module: Any) -> list[str]:
    """Names of the types of half precision among a module's tensors, in order.

    Args:
        torch: the package.
        module: a `torch.nn.Module`.
    """
    halves = (torch.float16, torch.bfloat16)
    return sorted({str(t.dtype).removeprefix("torch.") for t in _tensors(module, torch)
                   if t.dtype in halves})  # fmt: skip


def widen(torch: Any, module: Any) -> None:
    """Makes float32 of all tensors of half precision that a module holds.

    Args:
        torch: the package.
        module: a `torch.nn.Module`, changed in place.
    """
    halves = (torch.float16, torch.bfloat16)

    def wide(tensor: Any) -> Any:
        return tensor.float() if tensor.dtype in halves else tensor

    module._apply(wide)
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, torch.Tensor) and value.dtype in halves:
                setattr(part, name, wide(value))


def in_float32(torch: Any) -> contextlib.AbstractContextManager[Any]:
    """Within it, this thread makes float32 where Python code asks torch for half precision.

    So a widened module that casts its image to the type that its weights had is consistent.

    Args:
        torch: the package.
    """
    types = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
    casts = {torch.Tensor.half: torch.Tensor.float, torch.Tensor.bfloat16: torch.Tensor.float}

    def widened(value: Any) -> Any:
        return types.get(value, value) if isinstance(value, torch.dtype) else value

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            own = {key: widened(value) for key, value in (kwargs or {}).items()}
            return casts.get(func, func)(*map(widened, args), **own)

    return Mode()


def _tensors(module: Any, torch: Any) -> list[Any]:
    held = (value for part in module.modules() for value in vars(part).values())
    own = [value for value in held if isinstance(value, torch.Tensor)]
    return [*module.parameters(), *module.buffers(), *own]
