"""The sweep: a network over many interventions, pasted and scored on the devices.

Interventions travel as indices; a number for each outcome comes back. The devices do not talk to
each other.
"""

import dataclasses
import functools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jaxtyping import Float32, Int, UInt8

from cem_jax.network.zoo import has_known_facts
from cem_jax.pool.strata import patches_at
from cem_jax.scene.intervene import Intervene
from cem_jax.sweep.chunks import Chunk, evaluate, fitting
from cem_jax.sweep.dense import Dense
from cem_jax.sweep.devices import on_every_device
from cem_jax.sweep.facts import check_alone, check_crop, check_range, difference_from_original
from cem_jax.sweep.layout import Layout
from cem_jax.sweep.local import Local, Mixed
from cem_jax.sweep.programs import compiled
from cem_jax.sweep.score import Target
from cem_jax.sweep.source import AsGiven, FromPool, Interventions, draw_patches

_CHUNK = 8e9
"""Multiply-adds of a device's part of a chunk of whole images on a CPU: a fifth of a second."""

_ALONE = 1.6e10
"""Multiply-adds of a window from which on a CPU computes one intervention at a time: SwinIR's of
8e10 are faster so than three of them together, DRUNet's of 1.3e10 are not."""

_BUSY = 2e11
"""Multiply-adds of a device's part of a chunk of windows where many blocks share a call: some
milliseconds of a GPU. Chunks grow from there while that pays."""

_FEWEST = 16
"""Interventions that a GPU's or TPU's part of a chunk has at least."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """What is computed for interventions, on the devices.

    Args:
        layout: what that is.
        method: the same with its arrays, ready to be called.
        chunk: how many interventions go together.
        mesh: the devices, along one axis.
    """

    layout: Layout
    method: Dense | Local
    chunk: Chunk
    mesh: Mesh

    @classmethod
    def make(
        cls,
        layout: Layout,
        *,
        chunk: int | None = None,
        devices: Sequence[Any] | None = None,
    ) -> "Sweep":
        """Puts on the devices what a sweep needs there.

        Args:
            layout: what is computed.
            chunk: interventions in one call; None chooses.
            devices: that compute; None takes this process's.
        """
        devices = jax.local_devices() if devices is None else list(devices)
        mesh = jax.make_mesh(
            (len(devices),), ("sweep",), axis_types=(AxisType.Auto,), devices=devices
        )
        put = functools.partial(on_every_device, mesh=mesh)
        network, scene, grid, crop = layout.network, layout.scene, layout.grid, layout.crop
        frame = layout.frame
        clean = scene.clean[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
        corners = np.array([(one.y - frame.y, one.x - frame.x) for one in layout.rois], np.int32)
        part = frame.in_input(scene.scale)
        degraded = scene.degraded[part.y : part.y + part.height, part.x : part.x + part.width]
        target = put(Target(*map(jnp.asarray, (clean, corners, degraded))))
        image = jnp.asarray(layout.image)
        method: Dense | Local
        if layout.dense:
            corner = np.array(layout.corner, np.int32)
            # What do() writes begins that much before the block.
            origin = np.array([crop.top, crop.left], np.int32) + np.int32(layout.margin)
            fixed = (network.params, image, target, corner, origin)
            method = Dense(layout.program, mesh, grid, put(fixed), layout.name)
        else:
            numbers = np.full(layout.reach.size, -1)
            numbers[layout.place] = np.arange(len(layout.place))

            def call(function: Any, statics: tuple[Any, ...], args: tuple[Any, ...]) -> Any:
                args = jax.device_put(args, devices[0])
                name = None if layout.name is None else f"prepare {layout.name}"
                return compiled(function, statics, args, name=name)(*args)

            ready = layout.plan.prepare(image[None], network.params, call)
            on_mesh = dataclasses.replace(ready, caches=put(ready.caches), region=put(ready.region))
            kind = Mixed if layout.mixed else Local
            alone = _alone(layout) if chunk is None else frozenset()
            method = kind(on_mesh, numbers, layout.score, mesh, grid, target, alone, layout.name)
        return cls(layout, method, _chunk(layout, method, chunk), mesh)

    def from_pool(
        self,
        intervene: Intervene,
        pool: UInt8[np.ndarray, "patches size size c"],
        seed: int,
        cells: Int[np.ndarray, " n"],
        draws: Int[np.ndarray, " n"],
        patches: Int[np.ndarray, "sequences draws"] | Int[np.ndarray, " draws"] | None,
    ) -> Interventions:
        """Interventions do(block = a patch drawn from the pool).

        Args:
            intervene: the task's do(), a pytree.
            pool: uint8 [p, size, size, c].
            seed: seed of all draws.
            cells: int [n], row * columns + column.
            draws: int [n], number of the draw; (seed, cell, draw) fixes the patch.
            patches: the pool's patch that draw k of cell c takes, int [sequences, draws], c taking
                sequence c modulo their number; None draws with equal chance.
        """
        key = jax.random.key(seed)
        cells, draws = cells.astype(np.int32), draws.astype(np.int32)
        if patches is None:
            chosen = draw_patches(key, cells, draws, len(pool))
        else:
            chosen = patches_at(patches, cells, draws).astype(np.int32)
        source = on_every_device(FromPool(intervene, jnp.asarray(pool), key), self.mesh)
        return Interventions(source, cells, (cells, draws, chosen))

    def as_given(
        self, cells: Int[np.ndarray, " n"], patches: Float32[np.ndarray, "n side side c"]
    ) -> Interventions:
        """Interventions that write given patches float32 [n, block, block, c] at cells int [n]."""
        return Interventions(AsGiven(), cells.astype(np.int32), patches)

    def baseline(
        self, asked: Interventions
    ) -> tuple[Float32[np.ndarray, " outcomes"], UInt8[np.ndarray, "h w c"]]:
        """Outcomes [r * k] and what is scored, uint8 [h, w, c], without an intervention.

        Args:
            asked: interventions of the kind to come, at least one.
        """
        return fitting(functools.partial(self.method.baseline, asked), self.chunk)

    def check(
        self,
        outcomes: Float32[np.ndarray, " k"],
        restored: UInt8[np.ndarray, "h w c"],
        other: Interventions | None,
    ) -> None:
        """Refuses a network that is not what it is said to be, here.

        Declared facts are compared with the whole image, the output with its range, a network of
        another framework with what it was made from, and the baseline with itself beside others.

        Args:
            outcomes: from `baseline`.
            restored: what is scored, from `baseline`.
            other: an intervention at a block that reaches a region; None if no block does.

        Raises:
            ValueError: the message names the facts, or the range.
        """
        layout, frame = self.layout, self.layout.frame
        region = np.asarray(self.method.cone.region) if isinstance(self.method, Local) else None
        check_crop(layout.network, layout.scene, layout.crop, region)
        clean = layout.scene.clean[frame.y :, frame.x :][: frame.height, : frame.width]
        check_range(layout.network, layout.scene, restored, clean)
        difference_from_original(layout.network, layout.scene)
        if not isinstance(self.method, Dense) or other is None or self.chunk.size == 1:
            return  # causal cones are of one image
        if not has_known_facts(layout.network):
            beside = fitting(functools.partial(self.method.baseline_beside, other), self.chunk)
            check_alone(layout.network, outcomes, beside)

    def evaluate(
        self, asked: Interventions
    ) -> Iterator[tuple[Int[np.ndarray, " m"], Float32[np.ndarray, "m outcomes"]]]:
        """Outcomes of interventions at blocks that reach a region.

        Yields:
            Which of them, int [m], and their outcomes, float32 [m, r * k]; in any order.
        """
        return evaluate(self.method, asked, self.chunk)

    def regions(self, asked: Interventions) -> UInt8[np.ndarray, "n h w c"]:
        """What is scored after interventions at blocks that reach a region, by the same programs.

        Returns:
            uint8 [n, h, w, c], n of at least 1.
        """
        parts = list(evaluate(_Regions(self.method), asked, self.chunk))
        order = np.concatenate([part for part, _ in parts])
        return np.concatenate([regions for _, regions in parts])[np.argsort(order)]


@dataclasses.dataclass(frozen=True)
class _Regions:
    """A method that gives the regions in place of their outcomes."""

    method: Dense | Local

    @property
    def devices(self) -> int:
        return self.method.devices

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        return self.method.groups(asked)

    def part(self, key: Hashable, size: int) -> int:
        return self.method.part(key, size)

    def prepare(
        self, asked: Interventions, keys: Sequence[Hashable], size: int
    ) -> Mapping[Hashable, Future[bool]]:
        return self.method.prepare(asked, keys, size)

    def call(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> UInt8[jax.Array, "devices size h w c"]:
        return self.method.run(asked, key, index)[1]


def _chunk(layout: Layout, method: Dense | Local, chunk: int | None) -> Chunk:
    """The size to begin with: CPU caches hold few feature maps, other devices want many images."""
    each = None if chunk is None else max(-(-chunk // method.devices), 1)
    if isinstance(method, Mixed):
        return Chunk(_busy(layout, method) if each is None else min(each, _all(layout, method)),
                     grows=each is None)  # fmt: skip
    if isinstance(method, Local):  # a part is one block's
        return Chunk(3 if each is None else min(each, layout.draws[1]), grows=False)
    if each is not None:
        return Chunk(min(each, _all(layout, method)), grows=False)
    if jax.default_backend() == "cpu":
        # Larger ones gain nothing, and one size gives the same last bit after a resume.
        image = max(layout.work.crop, 1.0)
        return Chunk(int(np.clip(_CHUNK / image, 1, 4)), grows=False)
    return Chunk(16, grows=True)


def _alone(layout: Layout) -> frozenset[int]:
    """The cones' programs whose interventions fill a CPU's cache by themselves."""
    if layout.mixed or jax.default_backend() != "cpu":
        return frozenset()
    return frozenset(layout.plan.program_of[layout.work.programs >= _ALONE].tolist())


def _all(layout: Layout, method: Dense | Local) -> int:
    """A device's share of all interventions that a map may take."""
    return max(-(-layout.draws[1] * int(layout.reach.sum()) // method.devices), 1)


def _busy(layout: Layout, method: Mixed) -> int:
    """A power of two that keeps a fast device busy, and leaves little of a round's last calls.

    A program's last call of a round is filled up: a chunk is at most an eighth of what the
    programs are given in the first round.
    """
    reach = layout.plan.program_of >= 0
    work = max(float(layout.work.programs[reach].mean()), 1.0)
    programs = len(layout.plan.reads) * method.devices
    fits = layout.draws[0] * int(reach.sum()) / (8 * programs)
    size = min(max(fits, _FEWEST), max(_BUSY / work, _FEWEST))
    return 2 ** int(np.log2(size))
