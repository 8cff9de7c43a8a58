"""Networks named by the function that makes them: `package.file:factory`."""

import contextlib
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flax import nnx

from cem_jax.network.network import Network
from cem_jax.network.torch import wrap_torch
from cem_jax.network.wrap import wrap
from cem_jax.own_file import beside, import_file
from cem_jax.plain_text import quoted, shortened, told


def made_by(
    factory: str,
    *,
    scale: int = 1,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
    label: str | None = None,
) -> Network:
    """A network that a function of the user makes; the function's module is executed.

    Args:
        factory: `package.module:function` or `folder/file.py:function`, which can import what lies
            beside it; it takes nothing and returns a torch module, an NNX module, a function of
            JAX, a pair (function, params), or a `Network`, which is taken as it is. Modules and
            Networks may also be named themselves.
        scale: output pixels per input pixel.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.
        label: what it is called; by default by the factory's name, a `Network` by its own.

    Returns:
        The network.

    Raises:
        ValueError: factory has another form, what it names is missing, fails, takes arguments, or
            makes nothing that is known; or facts are given of what is a `Network`.
    """
    where, _, name = str(factory).rpartition(":")
    if not where or not name.isidentifier():
        raise ValueError(f"factory={quoted(factory)}: expected package.module:function")
    try:
        with _imported(where) as module:
            found = getattr(module, name)
            made = found if _is_network(found) else _called(found)
    except (Exception, SystemExit) as error:  # the user's code may fail in any way
        raise ValueError(f"factory={quoted(factory)}: {shortened(told(error), 300)}") from error
    if isinstance(made, Network):
        if (scale, receptive_radius, size_multiple) != (1, None, 1):
            raise ValueError(
                f"factory={quoted(factory)}: it made a Network, which has facts of its own; "
                "expected no scale, receptive_radius and size_multiple"
            )
        return made if label is None else dataclasses.replace(made, name=label)
    own: dict[str, Any] = {
        "scale": scale, "name": label or name, "receptive_radius": receptive_radius,
        "size_multiple": size_multiple,
    }  # fmt: skip
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(made, torch.nn.Module):
        return wrap_torch(made, **own)
    if isinstance(made, tuple) and len(made) == 2:
        return wrap(made[0], params=made[1], **own)
    if not callable(made):
        raise ValueError(
            f"factory={quoted(factory)}: it made a {type(made).__name__}; expected a torch or NNX "
            "module, a function, a pair (function, params), or a Network"
        )
    return wrap(made, **own)


@contextlib.contextmanager
def _imported(where: str) -> Iterator[Any]:
    """A module, with what its code may import while it is at work."""
    if where.endswith(".py"):
        with beside(Path(where).parent) if Path(where).is_file() else contextlib.nullcontext():
            yield import_file(Path(where))
        return
    here = str(Path.cwd())  # as `python -m` has it
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield importlib.import_module(where)
    finally:
        if added:
            sys.path.remove(here)


def _is_network(found: Any) -> bool:
    """Whether a name stands for a network itself, and not for what makes one."""
    torch = sys.modules.get("torch")
    own = (Network, nnx.Module) if torch is None else (Network, nnx.Module, torch.nn.Module)
    return isinstance(found, own)


def _called(function: Any) -> Any:
    """What a function makes, if it takes nothing."""
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ValueError(
            f"{error}; expected a function that takes nothing and returns the network"
        ) from error
    except ValueError:  # functions in C need not have a signature
        pass
    return function()
