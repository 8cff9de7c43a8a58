"""A network as a graph whose operations have names, from shapes alone."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.cone.graph import Equation, Graph
from cem_jax.cone.trace import as_written
from cem_jax.held.apply import Held
from cem_jax.network.network import Network
from cem_jax.network.scopes import with_scopes


@dataclasses.dataclass(frozen=True, eq=False)
class Traced:
    """A graph whose operations have names.

    Args:
        graph: on axes as the function has them.
        names: of the operations that depend on the image, by the number of their first output.
        gone: those of them that are held already.
    """

    graph: Graph
    names: dict[int, str]
    gone: frozenset[str] = frozenset()

    @classmethod
    def make(cls, network: Network, height: int, width: int, channels: int) -> "Traced":
        """Traces a network; of one with operations held, what it was made from.

        Raises:
            ValueError: it cannot take an image of that size, or does not depend on it.
        """
        apply, params, gone = network.apply, network.params, frozenset()
        if isinstance(apply, Held):
            apply, params, gone = apply.apply, params[0], frozenset(apply.names)
        params = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(np.shape(a), jnp.result_type(a)), params
        )
        shape = (1, height, width, channels)
        try:
            graph = as_written(with_scopes(apply), params, shape, jnp.float32)
        except Exception as error:  # a user's function may raise anything
            text = " ".join(str(error).split())[:300]
            raise ValueError(
                f"network={network.name}: it cannot take an image {shape}: {text}"
            ) from error
        return cls(graph, _names(graph.equations), gone)

    def free(self, eq: Equation) -> bool:
        """Whether an operation has a name and is not held already."""
        return eq.outputs[0] in self.names and self.name(eq) not in self.gone

    def name(self, eq: Equation) -> str:
        """The name of an operation."""
        return self.names[eq.outputs[0]]


def _names(equations: Sequence[Equation]) -> dict[int, str]:
    """Names by first output: "module.path:kind", and "#2" and so on where there are several."""
    found: dict[int, str] = {}
    count: dict[str, int] = {}
    for eq in equations[1:]:  # the first one stands for the image itself
        if eq.depends:
            name = f"{eq.scope}:{eq.name}" if eq.scope else eq.name
            count[name] = count.get(name, 0) + 1
            found[eq.outputs[0]] = name if count[name] == 1 else f"{name}#{count[name]}"
    return found
