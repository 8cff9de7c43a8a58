"""NNX modules, used functionally."""

import dataclasses
from typing import Any

import jax
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Module:
    """An NNX module as `apply`; one of the zoo with its name there and its arguments."""

    graph: Any
    config: tuple[tuple[str, Any], ...] | None = None
    zoo: str | None = None
    facts: tuple[int | None, int | None] | None = None
    """Receptive radius and anchor, where they are the registry's."""

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> the module's output."""
        return nnx.merge(self.graph, params)(x)
