"""Torch modules in half precision, widened: their weights as float32, which holds the same values.

Half precision is how weights are kept and moved, and autocast is how time is saved. An intervention
changes some outcomes by less than half precision rounds, so that a map of such arithmetic would be
one of its rounding.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

_DEVICES = ("cpu", "cuda", "mps", "xpu")
"""That torch knows autocast for, of those that modules lie on."""


def half_types(torch: Any, module: Any) -> list[str]:
    """Names of the types of half precision among a module's tensors, in order.

    Args:
        torch: the package.
        module: a `torch.nn.Module`.
    """
    halves = (torch.float16, torch.bfloat16)
    return sorted({_name(t.dtype) for t in _tensors(module, torch) if t.dtype in halves})


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

    So a widened module that casts its image to the type that its weights had is consistent. What
    is asked for within `torch.autocast` is computed as if it were not.

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
            with _without_autocast(torch):
                return casts.get(func, func)(*map(widened, args), **own)

    return Mode()


def seeing_autocast(torch: Any, seen: set[str]) -> contextlib.AbstractContextManager[Any]:
    """Within it, this thread notes to which types `torch.autocast` would cast.

    Args:
        torch: the package.
        seen: names of types, to which those are added.
    """

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            seen.update(_name(torch.get_autocast_dtype(device)) for device in _casting(torch))
            return func(*args, **(kwargs or {}))

    return Mode()


def without_autocast(torch: Any, graph: Any) -> list[str]:
    """Switches autocast off in an exported graph.

    Args:
        torch: the package.
        graph: a `torch.fx.GraphModule`, changed in place.

    Returns:
        Names of the types to which it would cast.
    """
    found: set[str] = set()
    for part in graph.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            if getattr(node.target, "__name__", "") == "wrap_with_autocast" and node.args[2]:
                device, dtype, _, *rest = node.args
                found.add(_name(dtype or torch.get_autocast_dtype(device)))
                node.args = (device, dtype, False, *rest)
    return sorted(found)


def _casting(torch: Any) -> list[str]:
    """Devices for which autocast is on in this thread."""
    return [device for device in _DEVICES if torch.is_autocast_enabled(device)]


@contextlib.contextmanager
def _without_autocast(torch: Any) -> Iterator[None]:
    devices = _casting(torch)
    for device in devices:
        torch.set_autocast_enabled(device, False)
    try:
        yield
    finally:
        for device in devices:
            torch.set_autocast_enabled(device, True)


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _tensors(module: Any, torch: Any) -> list[Any]:
    held = (value for part in module.modules() for value in vars(part).values())
    own = [value for value in held if isinstance(value, torch.Tensor)]
    return [*module.parameters(), *module.buffers(), *own]
