"""Where the pixels of an intervention come from; made on the devices, from a few numbers each."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int32, Key, UInt8

from cem_jax.scene.intervene import Intervene
from cem_jax.sweep import kept
from cem_jax.sweep.programs import compiled

_TOGETHER = 1024
"""Draws that are made in one call."""


@runtime_checkable
class Source(Protocol):
    """A pytree that turns what is known of an intervention into pixels."""

    def __call__(
        self, y: Int[jax.Array, ""], x: Int[jax.Array, ""], item: Any
    ) -> Float[jax.Array, "side side c"]:
        """The pixels [side, side, c] for the block at (y, x), in input pixels.

        side is the block's, or as many pixels more on every side as the sweep's `margin` says.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Interventions:
    """Interventions to evaluate.

    Args:
        source: makes their pixels.
        cells: their blocks, int [n], row * columns + column.
        items: what the source needs of each, a pytree of arrays [n, ...].
    """

    source: Source
    cells: Int[np.ndarray, " n"]
    items: Any

    def take(self, index: Int[np.ndarray, "*chunk"]) -> tuple[Int[np.ndarray, "*chunk"], Any]:
        """Blocks and items of the interventions `index`, of any shape."""
        return self.cells[index], jax.tree.map(lambda leaf: leaf[index], self.items)


def _made(source: Source, y: jax.Array, x: jax.Array, item: Any) -> jax.Array:
    return source(y, x, item)


def fingerprint(source: Source, items: Any) -> str | None:
    """What a source computes of an item; None if it cannot be told.

    Args:
        source: the source.
        items: a pytree of arrays [devices, n, ...].
    """
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), source)
    each = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[2:], a.dtype), items)
    place = jax.ShapeDtypeStruct((), jnp.int32)
    leaves, tree = jax.tree.flatten((like, place, place, each))
    return kept.fingerprint(_made, tree, tuple(leaves))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AsGiven:
    """The patches themselves; an item is one of them."""

    def __call__(
        self,
        y: Int[jax.Array, ""],
        x: Int[jax.Array, ""],
        item: Float[jax.Array, "side side c"],
    ) -> Float[jax.Array, "side side c"]:
        """The item itself."""
        return item


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FromPool:
    """Pool patches through the task's do(); an item is (cell, draw, number of the pool's patch).

    Args:
        intervene: the task's do(), a pytree.
        pool: uint8 [p, size, size, c].
        key: of all draws.
    """

    intervene: Intervene
    pool: UInt8[jax.Array, "patches size size c"]
    key: Key[jax.Array, ""]

    def __call__(
        self, y: Int[jax.Array, ""], x: Int[jax.Array, ""], item: Any
    ) -> Float[jax.Array, "side side c"]:
        """The pool's patch after do()."""
        cell, draw, which = item
        noise = jax.random.split(_of_draw(self.key, cell, draw))[1]
        return self.intervene(self.pool[which].astype(jnp.float32) / 255, y, x, noise)


def _of_draw(
    key: Key[jax.Array, ""], cell: Int[jax.Array, ""], draw: Int[jax.Array, ""]
) -> Key[jax.Array, ""]:
    return jax.random.fold_in(jax.random.fold_in(key, cell), draw)


def draw_patches(
    key: Key[jax.Array, ""],
    cells: Int32[np.ndarray, " n"],
    draws: Int32[np.ndarray, " n"],
    count: int,
) -> Int32[np.ndarray, " n"]:
    """Which of the pool's `count` patches each draw takes, with equal chance.

    A draw depends on (key, cell, draw) alone, so that maps of other networks and regions share it.

    Args:
        key: of all draws.
        cells: int32 [n].
        draws: int32 [n].
        count: size of the pool.

    Returns:
        int32 [n].
    """
    found = np.zeros(len(cells), np.int32)
    for start in range(0, len(cells), _TOGETHER):
        own = np.arange(start, min(start + _TOGETHER, len(cells)))
        index = np.resize(own, _TOGETHER)  # one size, one program
        args = (key, *map(jnp.asarray, (cells[index], draws[index], np.int32(count))))
        chosen = compiled(_draw, (), args, name="draws")(*args)
        found[own] = np.asarray(chosen)[: len(own)]
    return found


@jax.jit
def _draw(
    key: Key[jax.Array, ""],
    cells: Int32[jax.Array, " n"],
    draws: Int32[jax.Array, " n"],
    count: Int32[jax.Array, ""],
) -> Int32[jax.Array, " n"]:
    def one(cell: Int32[jax.Array, ""], draw: Int32[jax.Array, ""]) -> Int32[jax.Array, ""]:
        return jax.random.randint(jax.random.split(_of_draw(key, cell, draw))[0], (), 0, count)

    return jax.vmap(one)(cells, draws)
