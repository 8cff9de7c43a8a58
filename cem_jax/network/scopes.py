"""NNX modules whose operations carry the path of their module, as `jax.named_scope` writes it.

A module is called through a subclass of its class that opens the scope. Paths are kept beside the
modules, not in them: modules of one structure must stay of one structure.
"""

import contextvars
import dataclasses
import functools
from typing import Any

import jax
from flax import nnx

from cem_jax.network.module import Module
from cem_jax.network.network import Apply, Padded

_paths: contextvars.ContextVar[dict[int, str]] = contextvars.ContextVar("paths")
"""By `id`, the paths of the modules of the call that is being traced."""


def with_scopes(apply: Apply) -> Apply:
    """The same function; where it is a module of NNX, its operations carry their module's path.

    Args:
        apply: a network's function. Torch modules and ONNX files carry paths of themselves, and
            functions what their author wrote as `jax.named_scope`.
    """
    if isinstance(apply, Padded):
        return dataclasses.replace(apply, apply=with_scopes(apply.apply))
    return _Scoped(apply.graph) if isinstance(apply, Module) else apply


@dataclasses.dataclass(frozen=True)
class _Scoped:
    """An NNX module as `apply`, with scopes."""

    graph: Any

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        module = nnx.merge(self.graph, params)
        token = _paths.set(_named(module))
        try:
            return module(x)
        finally:
            _paths.reset(token)


def _named(module: nnx.Module) -> dict[int, str]:
    """Paths of a module's parts by their `id`; each becomes one that opens its scope."""
    found = {}
    for path, part in nnx.iter_graph(module):
        if isinstance(part, nnx.Module) and callable(part):
            found[id(part)] = ".".join(map(str, path))
            object.__setattr__(part, "__class__", _scoped(type(part)))
    return found


@functools.cache
def _scoped(kind: type) -> type:
    """A class of modules that open their scope when they are called."""
    if getattr(kind, "_opens_scope", False):
        return kind

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        paths = _paths.get()
        if id(self) not in paths:  # made within a loop: paths begin with this module
            token = _paths.set(paths | _named(self))
            try:
                return kind.__call__(self, *args, **kwargs)
            finally:
                _paths.reset(token)
        if not paths[id(self)]:
            return kind.__call__(self, *args, **kwargs)
        with jax.named_scope(paths[id(self)]):
            return kind.__call__(self, *args, **kwargs)

    body = {"__call__": call, "_opens_scope": True, "__module__": kind.__module__}
    return type(kind)(kind.__name__, (kind,), body)
