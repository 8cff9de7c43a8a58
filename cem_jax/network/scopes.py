"""NNX modules whose operations carry the path of their module, as `jax.named_scope` writes it.

A module is called through a subclass of its class that opens the scope. Paths are kept beside the
modules, not in them: modules of one structure must stay of one structure.
"""

import contextlib
import contextvars
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from cem_jax.network.as_read import AsRead
from cem_jax.network.module import Module
from cem_jax.network.network import Apply, Padded

_known: contextvars.ContextVar[dict[int, tuple[str, nnx.Module]]] = contextvars.ContextVar("known")
"""By `id`, the modules of the call that is being traced, with their paths."""
_around: contextvars.ContextVar[str] = contextvars.ContextVar("around", default="")
"""The path of the module whose call is being traced."""


def with_scopes(apply: Apply) -> Apply:
    """The same function; where it is a module of NNX, its operations carry their module's path.

    Args:
        apply: a network's function. Torch modules and ONNX files carry paths of themselves, and
            functions what their author wrote as `jax.named_scope`.
    """
    if isinstance(apply, Padded):
        return dataclasses.replace(apply, apply=with_scopes(apply.apply))
    if isinstance(apply, AsRead):
        return dataclasses.replace(apply, function=with_scopes(apply.function))
    return _Scoped(apply.graph) if isinstance(apply, Module) else apply


@dataclasses.dataclass(frozen=True)
class _Scoped:
    """An NNX module as `apply`, with scopes."""

    graph: Any

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        module = nnx.merge(self.graph, params)
        token = _known.set(_named(module, ""))
        try:
            return module(x)
        finally:
            _known.reset(token)


def _named(module: nnx.Module, path: str | None) -> dict[int, tuple[str, nnx.Module]]:
    """A module and its parts by their `id`; each becomes one that opens its scope.

    Args:
        module: with parts.
        path: where it stands; None if that cannot be told, so that no part has a path.
    """
    found: dict[int, tuple[str, nnx.Module]] = {}
    for names, part in nnx.iter_graph(module):
        own = callable(part) or not type(part).__module__.startswith("flax.")  # no list of modules
        if isinstance(part, nnx.Module) and own:
            joined = ".".join([*filter(None, [path]), *map(str, names)])
            found[id(part)] = ("" if path is None else joined, part)
            object.__setattr__(part, "__class__", _scoped(type(part)))
    return found


def _path_of_copy(copy: nnx.Module) -> str | None:
    """Where a module stands that `nnx.remat`, a loop and the like have made anew.

    Returns:
        Its path; "" in a loop over equal modules, whose names begin with the loop's step; None
        where several modules are like it.
    """
    around, kind, graph = _around.get(), type(copy), nnx.graphdef(copy)
    alike = {
        path
        for path, part in _known.get().values()
        if type(part) is kind and path.startswith(f"{around}." if around else "")
        if nnx.graphdef(part) == graph
    }
    if len(alike) == 1:
        return alike.pop()
    steps = [path.rpartition(".") for path in alike]
    is_loop = len({chain for chain, _, _ in steps}) <= 1 and all(k.isdigit() for _, _, k in steps)
    return "" if is_loop else None


@functools.cache
def _scoped(kind: type) -> type:
    """A class of modules that open their scope when they are called, by whichever method."""
    if getattr(kind, "_opens_scope", False):
        return kind
    methods = {
        name: _opening(method)
        for above in reversed(kind.__mro__[: kind.__mro__.index(nnx.Module)])
        for name, method in vars(above).items()
        if callable(method) and hasattr(method, "__get__")
        if not isinstance(method, staticmethod | classmethod)
        if name == "__call__" or not name.startswith("__")
    }
    body = {**methods, "_opens_scope": True, "__module__": kind.__module__}
    return type(kind)(kind.__name__, (kind,), body)


def _opening(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is run within the scope of its module."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        known, around = _known.get(), _around.get()
        if id(self) not in known:
            copied = _path_of_copy(self)
            known, around = known | _named(self, copied), around if copied else ""
        path, _ = known[id(self)]
        # What was traced once may be used for a module elsewhere: only the way from there is right.
        name = path.removeprefix(f"{around}.") if path != around else ""
        tokens = _known.set(known), _around.set(path or around)
        try:
            with jax.named_scope(name) if name else contextlib.nullcontext():
                return method(self, *args, **kwargs)
        finally:
            _known.reset(tokens[0])
            _around.reset(tokens[1])

    return run
