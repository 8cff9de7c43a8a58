"""Long chains of equal modules as compiled loops: a program of one block's size, not of all."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Float

from .sequential import Sequential

_SHORT = 8
"""Modules up to which a chain is written out. A loop brings all weights together in every call,
which slows small images by up to a third; only long chains compile faster for it.
"""


def _structure(block: nnx.Module) -> tuple[Any, Any]:
    """What must agree for two modules to differ only in their variables' values."""
    graph, state = nnx.split(block)
    return graph, jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)


def repeat(
    blocks: Sequence[nnx.Module], x: Float[jax.Array, "n h w c"], *others: jax.Array
) -> Float[jax.Array, "n H W C"]:
    """Applies modules one after the other; many, by a scan over their stacked variables.

    Args:
        blocks: modules of equal structure, each from an array to one of the same shape.
        x: input of the first.
        *others: further arguments that every module takes.

    Returns:
        Output of the last.

    Raises:
        ValueError: the modules differ in more than their variables' values.
    """
    if any(_structure(block) != _structure(blocks[0]) for block in blocks[1:]):
        raise ValueError("blocks must be of equal structure")
    if len(blocks) <= _SHORT:
        for block in blocks:
            x = block(x, *others)
        return x
    graphs, states = zip(*(nnx.split(block) for block in blocks), strict=True)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    def step(y: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
        return nnx.merge(graphs[0], state)(y, *others), None

    return lax.scan(step, x, stacked, length=len(blocks))[0]


class Chain(Sequential):
    """A `Sequential` whose long runs of equal modules are loops."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        layers = [getattr(self, str(index)) for index in range(self.length)]
        for _, run in itertools.groupby(layers, _structure):
            x = repeat(list(run), x)
        return x
