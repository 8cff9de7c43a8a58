"""Interventions by their causal cones: only what a block can change and the region needs.

On a CPU a device's part of a call holds draws of one block; on other devices, which want much work
at once, it holds interventions at any blocks of one program, each with its own offsets.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Float32, Int, Integer, Shaped, UInt8

from cem_jax import cone as cones
from cem_jax.grid import Grid
from cem_jax.network.compiler_options import COPIES
from cem_jax.sweep.programs import Program, compiled, room, side_by_side, workspace
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import Interventions, Source, fingerprint

_EACH = PartitionSpec("sweep")
_ALL = PartitionSpec()


Draws = Callable[..., jax.Array]
"""From a program, its caches, offsets, a source, blocks' corners and items to regions."""


def _of_one_block(
    program: cones.WindowProgram,
    caches: Sequence[Shaped[jax.Array, "..."]],
    offsets: Int[jax.Array, " columns"],
    source: Source,
    at: Int[jax.Array, "2"],
    items: Any,
) -> Float[jax.Array, "n h w c"]:
    """Regions after n patches at one block."""
    patches = jax.vmap(lambda item: source(at[0], at[1], item))(items)
    return cones.run(program, caches, offsets, patches)


def _of_any_blocks(
    program: cones.WindowProgram,
    caches: Sequence[Shaped[jax.Array, "..."]],
    offsets: Int[jax.Array, "n columns"],
    source: Source,
    at: Int[jax.Array, "n 2"],
    items: Any,
) -> Float[jax.Array, "n h w c"]:
    """Regions after a patch at each of n blocks."""

    def one(
        offsets: Int[jax.Array, " columns"], at: Int[jax.Array, "2"], item: Any
    ) -> Float[jax.Array, "h w c"]:
        return cones.run(program, caches, offsets, source(at[0], at[1], item)[None])[0]

    return jax.vmap(one)(offsets, at, items)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _evaluate(
    draws: Draws,
    plan: cones.ConePlan,
    number: int,
    score: Score,
    mesh: Mesh,
    caches: Sequence[Shaped[jax.Array, "..."]],
    target: Target,
    source: Source,
    offsets: Int[jax.Array, "devices *blocks columns"],
    at: Int[jax.Array, "devices *blocks 2"],
    items: Any,
) -> tuple[Float[jax.Array, "devices n outcomes"], UInt8[jax.Array, "devices n h w c"]]:
    """Outcomes [devices, n, k] and regions; what a device has is its row of the last three."""

    def local(caches, target, source, *own):
        offsets, at, items = jax.tree.map(lambda a: a[0], own)
        program = plan.programs[number]
        scored = score(draws(program, caches, offsets, source, at, items), target)
        return jax.tree.map(lambda a: a[None], scored)

    specs = (_ALL,) * 3 + (_EACH,) * 3
    run = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH, check_vma=False)
    return run(caches, target, source, offsets, at, items)


@functools.partial(jax.jit, static_argnums=0)
def _score(
    score: Score, region: Float[jax.Array, "h w c"], target: Target
) -> tuple[Float[jax.Array, "1 outcomes"], UInt8[jax.Array, "1 h w c"]]:
    return score(region[None], target)


@dataclasses.dataclass(frozen=True, eq=False)
class Local:
    """A network by causal cones; blocks share a program where their windows have one size.

    A device's part of a call holds draws of one block.

    Args:
        cone: of the image, its arrays on every device.
        place: number of each of the grid's blocks in the cone's plan, int [cells].
        score: what becomes of the region.
        mesh: the devices, along one axis.
        grid: the blocks of the input.
        target: what is compared with, on every device.
        alone: programs whose interventions go one at a time, since two would not stay in a cache.
        name: what tells the cone's plan from all others; None if nothing does.
        ready: compiled programs, by number and the shapes of what is drawn, so that their names are
            not made anew for every call.
    """

    cone: cones.Cone
    place: Int[np.ndarray, " cells"]
    score: Score
    mesh: Mesh
    grid: Grid
    target: Target
    alone: frozenset[int] = frozenset()
    name: str | None = None
    ready: dict[Hashable, Program] = dataclasses.field(default_factory=dict)

    @property
    def devices(self) -> int:
        """How many parts a chunk has."""
        return self.mesh.size

    def baseline(
        self, asked: Interventions, size: int
    ) -> tuple[Float32[np.ndarray, " outcomes"], UInt8[np.ndarray, "h w c"]]:
        """Outcomes [k] and region without an intervention."""
        args = (self.cone.region, self.target)
        name = self._named("baseline")
        values, regions = compiled(_score, (self.score,), args, name=name)(*args)
        return np.asarray(values)[0], np.asarray(regions)[0]

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        """The interventions of each block, by the block's program."""
        found: dict[Hashable, list[np.ndarray]] = {}
        for part in _split(asked.cells):
            number = self.place[asked.cells[part[0]]]
            found.setdefault(int(self.cone.plan.program_of[number]), []).append(part)
        return found

    def part(self, key: Hashable, size: int) -> int:
        """Interventions of a program in a device's part of a chunk of `size` per device."""
        return 1 if key in self.alone else size

    def prepare(
        self, asked: Interventions, keys: Sequence[Hashable], size: int
    ) -> dict[Hashable, Future[bool]]:
        """Compiles programs side by side; False where the memory does not suffice."""
        parts = {key: parts[0] for key, parts in self.groups(asked).items() if key in keys}
        most = room(self.mesh.devices.flat[0], self.devices)

        def compile_one(key: Hashable) -> bool:
            index = np.broadcast_to(parts[key][0], (self.devices, self.part(key, size)))
            return workspace(self._compiled(key, self._args(asked, key, index))) <= most

        first, parted = next(iter(parts.items()))
        index = np.broadcast_to(parted[0], (self.devices, self.part(first, size)))
        self._name_of(first, self._args(asked, first, index))  # found out once, not side by side
        return side_by_side(compile_one, keys, max(2, self.devices))

    def call(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> Float32[jax.Array, "devices size outcomes"]:
        """Outcomes [devices, n, k] of the interventions `index` [devices, n]."""
        return self.run(asked, key, index)[0]

    def run(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> tuple[Float32[jax.Array, "devices size outcomes"], UInt8[jax.Array, "devices size h w c"]]:
        """Outcomes and regions of the interventions `index` [devices, n], each of one block."""
        args = self._args(asked, key, index)
        return self._compiled(key, args)(*args)

    def _named(self, *parts: Any) -> str | None:
        """A name for a program that scores the region."""
        region = self.cone.region
        like = jax.ShapeDtypeStruct((1, *region.shape), region.dtype)
        scored = None if self.name is None else self.score.fingerprint(like, self.target)
        return None if scored is None or None in parts else repr((self.name, scored, *parts))

    def _name_of(self, key: Hashable, args: tuple[Any, ...]) -> str | None:
        source, items = args[2], args[-1]
        made = None if self.name is None else fingerprint(source, items)
        return self._named(self._draws.__name__, key, made)

    def _compiled(self, key: Hashable, args: tuple[Any, ...]) -> Program:
        leaves, tree = jax.tree.flatten(args[2:])
        drawn = (key, tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
        if drawn not in self.ready:
            name = self._name_of(key, args)
            statics = (self._draws, self.cone.plan, key, self.score, self.mesh)
            self.ready[drawn] = compiled(_evaluate, statics, args, COPIES, name)
        return self.ready[drawn]

    @property
    def _draws(self) -> Draws:
        return _of_one_block

    def _blocks(self, cells: Int[np.ndarray, "devices n"]) -> Int[np.ndarray, " devices"]:
        """The blocks whose offsets each device gets, of those of its interventions [devices, n]."""
        return cells[:, 0]

    def _args(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> tuple[Any, ...]:
        cells, items = asked.take(index)
        blocks = self._blocks(cells)
        rows = [self.cone.plan.offsets[n] for n in self.place[blocks].reshape(-1)]
        offsets = np.stack(rows).reshape(*blocks.shape, -1)
        at = np.stack(np.divmod(blocks, self.grid.columns), axis=-1) * self.grid.block
        each = jax.device_put(
            (offsets, at.astype(np.int32), items), NamedSharding(self.mesh, _EACH)
        )
        return (self.cone.caches[key], self.target, asked.source, *each)  # type: ignore[index]


class Mixed(Local):
    """The same where a device's part of a call holds interventions at any blocks of a program.

    Few calls, and only a program's last one of a round is filled up.
    """

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        """All interventions of each program."""
        if not len(asked.cells):
            return {}
        keys = self.cone.plan.program_of[self.place[asked.cells]]
        return {int(keys[part[0]]): [part] for part in _split(keys)}

    @property
    def _draws(self) -> Draws:
        return _of_any_blocks

    def _blocks(self, cells: Int[np.ndarray, "devices n"]) -> Int[np.ndarray, "devices n"]:
        return cells


def _split(keys: Integer[np.ndarray, " n"]) -> list[Int[np.ndarray, "..."]]:
    """Where each key stands, in the order of the keys."""
    order = np.argsort(keys, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)
    return [part for part in parts if len(part)]
