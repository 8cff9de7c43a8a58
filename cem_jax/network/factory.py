"""Networks named by the function that makes them: `package.file:factory`."""

import dataclasses
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from cem_jax.network.network import Network
from cem_jax.network.torch import wrap_torch
from cem_jax.network.wrap import wrap
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
        factory: `package.module:function` or `folder/file.py:function`; it takes nothing and
            returns a torch module, an NNX module, a function of JAX, a pair (function, params), or
            a `Network`, which is taken as it is.
        scale: output pixels per input pixel.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.
        label: what it is called; by default by the factory's name, a `Network` by its own.

    Returns:
        The network.

    Raises:
        ValueError: factory has another form, or what it names is missing, fails, or makes nothing
            that is known.
    """
    where, _, name = str(factory).rpartition(":")
    if not where or not name.isidentifier():
        raise ValueError(f"factory={quoted(factory)}: expected package.module:function")
    try:
        function = getattr(_imported(where), name)
        made = function()
    except (Exception, SystemExit) as error:  # the user's code may fail in any way
        raise ValueError(f"factory={quoted(factory)}: {shortened(told(error), 300)}") from error
    if isinstance(made, Network):
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


def _imported(where: str) -> Any:
    if not where.endswith(".py"):
        if (here := str(Path.cwd())) in sys.path or "" in sys.path:
            return importlib.import_module(where)
        sys.path.insert(0, here)  # as `python -m` has it
        try:
            return importlib.import_module(where)
        finally:
            sys.path.remove(here)
    path = Path(where)
    if not path.is_file():
        raise ValueError(f"{where} is not a file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{where} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
