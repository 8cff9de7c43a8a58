"""Networks named by what makes them: `package.file:factory`, `file.py:factory`, or `file.onnx`."""

import contextlib
import dataclasses
import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flax import nnx

from cem_jax.arguments import as_text
from cem_jax.network.network import Network, file_source
from cem_jax.network.onnx import wrap_onnx
from cem_jax.network.torch import wrap_torch
from cem_jax.network.wrap import wrap
from cem_jax.own_file import beside, import_file, is_onnx, keep_for_later, split_code
from cem_jax.plain_text import path_text, quoted, shortened, told

_NAMED = 8
"""Names of a module that are told where one is missing."""


def made_by(
    factory: str,
    *,
    scale: int = 1,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
    label: str | None = None,
) -> Network:
    """A network that a function of the user makes, whose module is executed, or of an ONNX file.

    Args:
        factory: `package.module:function` or `folder/file.py:function`, which can import what lies
            beside it; it takes nothing and returns a torch module, an NNX module, a function of
            JAX, a pair (function, params), or a `Network`, which is taken as it is. Modules and
            Networks may also be named themselves. Or `folder/file.onnx`.
        scale: output pixels per input pixel.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.
        label: what it is called; by default by the factory's name, a `Network` by its own, an ONNX
            file by the file's.

    Returns:
        The network.

    Raises:
        ValueError: factory has another form, what it names is missing, fails, takes arguments, or
            makes nothing that is known; or facts are given of what is a `Network`.
    """
    own: dict[str, Any] = {
        "scale": scale, "receptive_radius": receptive_radius, "size_multiple": size_multiple,
    }  # fmt: skip
    factory = as_text("factory", factory)
    try:
        if is_onnx(factory):
            return wrap_onnx(factory, name=label, **own)
        where, name = split_code(factory)
        network = _wrapped(_made(where, name), own, name, label)
    except ValueError as error:
        raise ValueError(f"factory={quoted(factory)}: {error}") from error
    if network.source is not None:  # of its weights, which tell more
        return network
    source = file_source(Path(where), f":{name}") if where.endswith(".py") else factory
    return dataclasses.replace(network, source=source)


def _made(where: str, name: str) -> Any:
    """What a function of the user makes.

    Raises:
        ValueError: it is missing, fails or takes arguments.
    """
    try:
        with _imported(where) as module:
            found = _named(module, name)
            return found if _is_network(found) else _called(found)
    except ModuleNotFoundError as error:
        text = shortened(told(error), 300)
        if error.name and f"{where}.".startswith(f"{error.name}."):
            text += f"; looked for in {path_text(Path.cwd())} and among what is installed"
        raise ValueError(text) from error
    except SystemExit as error:
        raise ValueError(
            f"its code ends the process ({shortened(told(error), 300)}); expected that what a "
            'script does stands behind `if __name__ == "__main__":`'
        ) from error
    except Exception as error:  # the user's code may fail in any way
        raise ValueError(shortened(told(error), 300)) from error


def _wrapped(made: Any, facts: dict[str, Any], name: str, label: str | None) -> Network:
    """What was made, as a network."""
    if isinstance(made, Network):
        if tuple(facts.values()) != (1, None, 1):
            raise ValueError(
                "it made a Network, which has facts of its own; expected no scale, "
                "receptive_radius and size_multiple"
            )
        return made if label is None else dataclasses.replace(made, name=label)
    own: dict[str, Any] = facts | {"name": name if label is None else label}
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(made, torch.nn.Module):
        return wrap_torch(made, **own)
    if isinstance(made, tuple) and len(made) == 2:
        return wrap(made[0], params=made[1], **own)
    if not callable(made):
        raise ValueError(
            f"it made a {type(made).__name__}; expected a torch or NNX module, a function, a pair "
            "(function, params), or a Network"
        )
    return wrap(made, **own)


@contextlib.contextmanager
def _imported(where: str) -> Iterator[Any]:
    """A module, with what its code may import while it is at work; the folder stays the same."""
    with contextlib.chdir(Path.cwd()):  # goes back, wherever the code went
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
            if added:
                keep_for_later(Path(here))
        finally:
            if added:
                sys.path.remove(here)


def _named(module: Any, name: str) -> Any:
    """What a module has by a name, which may have dots.

    Raises:
        ValueError: there is nothing of this name; the message says what is there.
    """
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            held = getattr(found, "__dict__", {})
            own = [key for key, one in held.items() if callable(one) and key[0] != "_"]
            near = difflib.get_close_matches(part, own, _NAMED) or own
            there = ", ".join(near[:_NAMED]) or "nothing that can be called"
            place = path_text(getattr(module, "__file__", None) or module.__name__)
            raise ValueError(f"{place} has no {quoted(part)}; it has {there}")
        found = getattr(found, part)
    return found


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
    made = function()
    if inspect.iscoroutine(made):  # of an `async def`; it never runs
        made.close()
    return made
