"""Interventions by running the network on every changed image: whole, or the region's crop."""

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Float32, Int, UInt8

from cem_jax import cone as cones
from cem_jax.grid import Grid
from cem_jax.network.network import Apply
from cem_jax.sweep.programs import Program, compiled, room, side_by_side, workspace
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import Interventions, Source, fingerprint

_EACH = PartitionSpec("sweep")
_ALL = PartitionSpec()


@dataclasses.dataclass(frozen=True)
class DenseProgram:
    """What is compiled.

    Args:
        apply: the network's function.
        side: of what is written, in input pixels.
        region: height and width of what is scored, in output pixels.
        corner: its first row and column in the output, where only what it needs is computed; None
            if the whole output is, and then one program serves all regions.
        score: what becomes of it.
    """

    apply: Apply
    side: int
    region: tuple[int, int]
    corner: tuple[int, int] | None
    score: Score

    def paste(
        self,
        image: Float[jax.Array, "h w c"],
        patch: Float[jax.Array, "side side c"],
        y: Int[jax.Array, ""],
        x: Int[jax.Array, ""],
    ) -> Float[jax.Array, "h w c"]:
        """Writes a patch at (y, x) of an image; what lies outside is cut off."""
        b = self.side
        canvas = jnp.pad(image, ((b, b), (b, b), (0, 0)))
        # What lies beyond the image lands in the margin; a negative start counts from the end.
        top, left = jnp.maximum(y + b, 0), jnp.maximum(x + b, 0)
        return jax.lax.dynamic_update_slice(canvas, patch, (top, left, 0))[b:-b, b:-b]

    def regions(
        self, params: Any, images: Float[jax.Array, "n h w c"], corner: Int[jax.Array, "2"]
    ) -> Float[jax.Array, "n height width channels"]:
        """The region of the restored images [n, h, w, c]."""
        if self.corner is not None:
            function = functools.partial(self.apply, None) if params is None else self.apply
            return cones.restricted(function, params, images, (*self.corner, *self.region))
        restored = self.apply(params, images)
        size = (len(images), *self.region, restored.shape[3])
        return jax.lax.dynamic_slice(restored, (0, corner[0], corner[1], 0), size)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _evaluate(
    program: DenseProgram,
    mesh: Mesh,
    params: Any,
    image: Float[jax.Array, "h w c"],
    target: Target,
    corner: Int[jax.Array, "2"],
    origin: Int[jax.Array, "2"],
    source: Source,
    at: Int[jax.Array, "devices n 2"],
    items: Any,
) -> tuple[Float[jax.Array, "devices n outcomes"], UInt8[jax.Array, "devices n height width c"]]:
    """Outcomes [devices, n, k] and regions of interventions at blocks [devices, n, 2]."""

    def local(params, image, target, corner, origin, source, at, items):
        def changed(
            y: Int[jax.Array, ""], x: Int[jax.Array, ""], item: Any
        ) -> Float[jax.Array, "h w c"]:
            return program.paste(image, source(y, x, item), y - origin[0], x - origin[1])

        items = jax.tree.map(lambda a: a[0], items)
        images = jax.vmap(changed)(at[0, :, 0], at[0, :, 1], items)
        scored = program.score(program.regions(params, images, corner), target)
        return jax.tree.map(lambda a: a[None], scored)

    specs = (_ALL,) * 6 + (_EACH, _EACH)
    run = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH, check_vma=False)
    return run(params, image, target, corner, origin, source, at, items)


@dataclasses.dataclass(frozen=True, eq=False)
class Dense:
    """A network on every changed image.

    Args:
        program: what is compiled.
        mesh: the devices, along one axis.
        grid: the blocks of the input.
        fixed: on every device: parameters, the image's crop, what is compared with, the corner of
            that in the crop's output, the crop's corner in the input.
        name: what tells the network and its crop from all others; None if nothing does.
    """

    program: DenseProgram
    mesh: Mesh
    grid: Grid
    fixed: tuple[Any, jax.Array, Target, jax.Array, jax.Array]
    name: str | None = None

    @property
    def devices(self) -> int:
        """How many parts a chunk has."""
        return self.mesh.size

    def baseline(
        self, asked: Interventions, size: int
    ) -> tuple[Float32[np.ndarray, " outcomes"], UInt8[np.ndarray, "h w c"]]:
        """Outcomes [k] and region without an intervention, by the program of the others.

        Args:
            asked: interventions of the kind to come, at least one.
            size: of a device's part of a chunk.
        """
        _, items = asked.take(np.zeros((self.devices, size), int))
        args = self._args(asked.source, np.full((self.devices, size, 2), self._beyond), items)
        values, regions = self._compiled(args)(*args)
        return np.asarray(values)[0, 0], np.asarray(regions)[0, 0]

    def baseline_beside(self, asked: Interventions, size: int) -> Float32[np.ndarray, " k"]:
        """Outcomes [k] without an intervention, computed in one batch with interventions.

        Args:
            asked: interventions, at least one.
            size: of a device's part of a chunk.
        """
        index = np.arange(self.devices * size).reshape(self.devices, size) % len(asked.cells)
        at, items = self._at(asked, index)
        at[:, 0] = self._beyond
        args = self._args(asked.source, at, items)
        return np.asarray(self._compiled(args)(*args)[0])[0, 0]

    @property
    def _beyond(self) -> int:
        """Where a patch does not meet the image."""
        return -2 * (self.program.side + max(self.grid.height, self.grid.width))

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        """All interventions go together."""
        return {0: [np.arange(len(asked.cells))]} if len(asked.cells) else {}

    def part(self, key: Hashable, size: int) -> int:
        """A device's part of a chunk is as large as is asked for."""
        return size

    def prepare(
        self, asked: Interventions, keys: Sequence[Hashable], size: int
    ) -> dict[Hashable, Future[bool]]:
        """Compiles for chunks of `size` per device; False if the memory does not suffice."""
        args = self._args(asked.source, *self._at(asked, np.zeros((self.devices, size), int)))
        most = room(self.mesh.devices.flat[0], self.devices)
        return side_by_side(lambda key: workspace(self._compiled(args)) <= most, keys, 1)

    def call(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> Float32[jax.Array, "devices size outcomes"]:
        """Outcomes [devices, n, k] of the interventions `index` [devices, n]."""
        return self.run(asked, key, index)[0]

    def run(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> tuple[Float32[jax.Array, "devices size outcomes"], UInt8[jax.Array, "devices size h w c"]]:
        """Outcomes [devices, n, k] and regions of the interventions `index` [devices, n]."""
        args = self._args(asked.source, *self._at(asked, index))
        return self._compiled(args)(*args)

    def _compiled(self, args: tuple[Any, ...]) -> Program:
        own, name = self.program, None
        if self.name is not None:
            channels = self.fixed[1].shape[2]
            like = jax.ShapeDtypeStruct((1, *own.region, channels), jnp.float32)
            parts = own.score.fingerprint(like, self.fixed[2]), fingerprint(args[-3], args[-1])
            if None not in parts:
                name = repr((self.name, "dense", own.side, own.region, own.corner, *parts))
        return compiled(_evaluate, (own, self.mesh), args, name=name)

    def _at(
        self, asked: Interventions, index: Int[np.ndarray, "devices size"]
    ) -> tuple[Int[np.ndarray, "devices size 2"], Any]:
        cells, items = asked.take(index)
        at = np.stack(np.divmod(cells, self.grid.columns), axis=-1) * self.grid.block
        return at, items

    def _args(
        self, source: Source, at: Int[np.ndarray, "devices size 2"], items: Any
    ) -> tuple[Any, ...]:
        each = NamedSharding(self.mesh, _EACH)
        return (*self.fixed, source, *jax.device_put((at.astype(np.int32), items), each))
