"""A network's function with some operations held, evaluated operation by operation."""

import contextlib
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from cem_jax.cone.graph import Graph, Known

Values = Mapping[int, Sequence[Shaped[jax.Array, "..."]]]
"""What operations give, by their first outputs."""


@dataclasses.dataclass(frozen=True)
class Held:
    """A network with some operations held, as `apply`; its parameters are a pair.

    The first of the pair are the network's own, the second the held values: for each operation in
    `exits` what it gives.

    Args:
        apply: the network's function.
        names: of the operations that are held.
        shape: of the one image that it takes, [h, w, c].
        graph: the network on such an image.
        inside: first outputs of the operations that are held.
        exits: those of them that others take something of.
    """

    apply: Any
    names: tuple[str, ...]
    shape: tuple[int, ...]
    graph: Graph = dataclasses.field(compare=False, repr=False)
    inside: frozenset[int] = dataclasses.field(compare=False, repr=False)
    exits: tuple[int, ...] = dataclasses.field(compare=False, repr=False)

    def __call__(self, params: Any, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, c] -> [n, h', w', c']; every image by itself.

        Raises:
            ValueError: images of another size.
        """
        own, held = params
        self.check(x)
        values = dict(zip(self.exits, held, strict=True))

        def one(image: Float[jax.Array, "h w c"]) -> Float[jax.Array, "1 H W C"]:
            return evaluate(self.graph, own, image[None], values, self.inside)[0]

        return one(x[0]) if len(x) == 1 else jax.vmap(one)(x)[:, 0]

    def check(self, x: Float[jax.Array, "n h w c"]) -> None:
        """Refuses images of another size than the one whose values are held."""
        if tuple(x.shape[1:]) != tuple(self.shape):
            raise ValueError(
                f"x has shape {tuple(x.shape)}; values are held for images {tuple(self.shape)} only"
            )

    @property
    def cut(self) -> bool:
        """Whether no held value reaches the output: then nothing is different."""
        return not self._reaching & set(self.exits)

    @property
    def constant(self) -> bool:
        """Whether nothing else reaches the output."""
        return self.graph.raw not in self._reaching

    @property
    def _reaching(self) -> set[int]:
        """Values, and exits, that the output depends on."""
        wanted = {self.graph.output}
        for eq in reversed(self.graph.equations):
            if not wanted.isdisjoint(eq.outputs):
                wanted.add(eq.outputs[0])
                if eq.outputs[0] not in self.inside:
                    wanted.update(i for i in eq.inputs if isinstance(i, int))
        return wanted


def evaluate(
    graph: Graph,
    params: Any,
    x: Float[jax.Array, "1 h w c"],
    held: Values,
    inside: frozenset[int],
    wanted: Sequence[int] = (),
) -> tuple[Float[jax.Array, "1 H W C"], dict[int, Sequence[Shaped[jax.Array, "..."]]]]:
    """A graph, operation by operation.

    Args:
        graph: of a network.
        params: the network's parameters.
        x: one image [1, h, w, c].
        held: what stands in place of operations.
        inside: operations that are held; of those that are not in `held` nothing is needed.
        wanted: operations whose results are returned besides.

    Returns:
        The output [1, h', w', c'], and results by the operations' first outputs.
    """
    values: dict[int, Any] = dict(zip(graph.params, jax.tree.leaves(params), strict=True))
    values |= {number: jnp.asarray(value) for number, value in graph.constants.items()}
    values[graph.raw] = x
    last = {i: k for k, eq in enumerate(graph.equations) for i in eq.inputs if isinstance(i, int)}
    found: dict[int, Sequence[jax.Array]] = {}
    for k, eq in enumerate(graph.equations):
        first = eq.outputs[0]
        if first in inside:
            if first in held:
                values.update(zip(eq.outputs, held[first], strict=True))
            continue
        inputs = [jnp.asarray(i.value) if isinstance(i, Known) else values[i] for i in eq.inputs]
        with jax.named_scope(eq.scope) if eq.scope else contextlib.nullcontext():
            made = eq.bind(*inputs)
        values.update(zip(eq.outputs, made, strict=True))
        if first in wanted:
            found[first] = tuple(made)
        for i in eq.inputs:
            if isinstance(i, int) and last[i] == k and i != graph.output:
                values.pop(i, None)
    return values[graph.output], found


def leaving(graph: Graph, chosen: Collection[int]) -> list[int]:
    """Those of the chosen operations that others take something of, by their first outputs."""
    owner = {n: eq.outputs[0] for eq in graph.equations for n in eq.outputs}
    taken = {
        owner[i]
        for eq in graph.equations
        if eq.outputs[0] not in chosen
        for i in eq.inputs
        if isinstance(i, int) and owner.get(i) in chosen
    }
    if isinstance(graph.output, int) and owner[graph.output] in chosen:
        taken.add(owner[graph.output])
    return sorted(taken)
