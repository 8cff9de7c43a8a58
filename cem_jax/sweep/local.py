"""Interventions by their causal cones: only what a block can change and the region needs."""

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Float32, Int, Shaped, UInt8

from cem_jax import cone as cones
from cem_jax.grid import Grid
from cem_jax.network.compiler_options import COPIES
from cem_jax.sweep.programs import compiled, room, workspace
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import Interventions, Source

_EACH = PartitionSpec("sweep")
_ALL = PartitionSpec()


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _evaluate(
    program: cones.WindowProgram,
    score: Score,
    mesh: Mesh,
    caches: Sequence[Shaped[jax.Array, "..."]],
    target: Target,
    source: Source,
    offsets: Int[jax.Array, "devices columns"],
    at: Int[jax.Array, "devices 2"],
    items: Any,
) -> tuple[Float[jax.Array, "devices n outcomes"], UInt8[jax.Array, "devices n h w c"]]:
    """Outcomes [devices, n, k] and regions; a device has n patches for one block."""

    def local(caches, target, source, offsets, at, items):
        def patch(item: Any) -> Float[jax.Array, "side side c"]:
            return source(at[0, 0], at[0, 1], item)

        patches = jax.vmap(patch)(jax.tree.map(lambda a: a[0], items))
        scored = score(cones.run(program, caches, offsets[0], patches), target)
        return jax.tree.map(lambda a: a[None], scored)

    specs = (_ALL,) * 3 + (_EACH,) * 3
    run = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH, check_vma=False)
    return run(caches, target, source, offsets, at, items)


@functools.partial(jax.jit, static_argnums=0)
def _score(
    score: Score, region: Float[jax.Array, "h w c"], target: Target
) -> tuple[Float[jax.Array, "1 outcomes"], UInt8[jax.Array, "1 h w c"]]:
    return score(region[None], target)


@dataclasses.dataclass(frozen=True)
class Local:
    """A network by causal cones; blocks share a program where their windows have one size.

    Args:
        cone: of the image, its arrays on every device.
        place: number of each of the grid's blocks in the cone's plan, int [cells].
        score: what becomes of the region.
        mesh: the devices, along one axis.
        grid: the blocks of the input.
        target: what is compared with, on every device.
    """

    cone: cones.Cone
    place: Int[np.ndarray, " cells"]
    score: Score
    mesh: Mesh
    grid: Grid
    target: Target

    @property
    def devices(self) -> int:
        """How many parts a chunk has."""
        return self.mesh.size

    def baseline(
        self, asked: Interventions, size: int
    ) -> tuple[Float32[np.ndarray, " outcomes"], UInt8[np.ndarray, "h w c"]]:
        """Outcomes [k] and region without an intervention."""
        values, regions = _score(self.score, self.cone.region, self.target)
        return np.asarray(values)[0], np.asarray(regions)[0]

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        """The interventions of each block, by the block's program."""
        found: dict[Hashable, list[np.ndarray]] = {}
        order = np.argsort(asked.cells, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(asked.cells[order])) + 1):
            if len(part):
                number = self.place[asked.cells[part[0]]]
                found.setdefault(int(self.cone.plan.program_of[number]), []).append(part)
        return found

    def prepare(self, asked: Interventions, keys: Sequence[Hashable], size: int) -> bool:
        """Compiles programs side by side; False if the memory does not suffice."""
        parts = {key: parts[0] for key, parts in self.groups(asked).items() if key in keys}

        def compile_one(key: Hashable) -> int:
            index = np.broadcast_to(parts[key][0], (self.devices, size))
            return workspace(compiled(*self._program(key), self._args(asked, key, index), COPIES))

        with ThreadPoolExecutor(max(2, self.devices)) as pool:
            most = max(pool.map(compile_one, keys))
        return most <= room(self.mesh.devices.flat[0], self.devices)

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
        return compiled(*self._program(key), args, COPIES)(*args)

    def _program(self, key: Hashable) -> tuple[Any, tuple[Any, ...]]:
        return _evaluate, (self.cone.plan.programs[key], self.score, self.mesh)  # type: ignore[index]

    def _args(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> tuple[Any, ...]:
        cells, items = asked.take(index)
        block = cells[:, 0]
        offsets = np.stack([self.cone.plan.offsets[n] for n in self.place[block]])
        at = np.stack(np.divmod(block, self.grid.columns), axis=-1) * self.grid.block
        each = jax.device_put(
            (offsets, at.astype(np.int32), items), NamedSharding(self.mesh, _EACH)
        )
        return (self.cone.caches[key], self.target, asked.source, *each)  # type: ignore[index]
