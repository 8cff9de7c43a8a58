"""The sweep: a network over many interventions, pasted and scored on the devices.

Interventions travel as indices; a number for each outcome comes back. What is computed is chosen
by its cost: the causal cone of every block, or the network on every changed image, cut to what a
declared receptive radius needs. The devices do not talk to each other.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from cem_jax import cone as cones
from cem_jax.grid import ROI, Crop, Grid
from cem_jax.network.network import Apply, Network
from cem_jax.outcome import Outcome
from cem_jax.scene.intervene import Intervene
from cem_jax.scene.scene import Scene
from cem_jax.sweep.chunks import Chunk, evaluate, fitting
from cem_jax.sweep.dense import Dense, DenseProgram
from cem_jax.sweep.local import Local
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import Drawn, Work, Written, draw_patches

_RESTRICTED = 0.8
"""Share of a network's work below which the region's own part of it gets a program of its own."""

_CHUNK = 8e9
"""Multiply-adds of a device's part of a chunk of whole images on a CPU: a fifth of a second."""


@functools.lru_cache(maxsize=16)
def _plan(
    apply: Apply, tree: Any, leaves: tuple[Any, ...], shape: tuple[int, ...],
    roi: tuple[int, int, int, int], block: int, origins: bytes, draws: tuple[int, int],
) -> cones.ConePlan:  # fmt: skip
    """Cones planned once for all images, parameters and, where crops agree, regions."""
    params = jax.tree.unflatten(tree, leaves)
    function = functools.partial(apply, None) if params is None else apply
    places = np.frombuffer(origins, np.int64).reshape(-1, 2)
    return cones.plan(function, shape, roi, block, origins=places, params=params, draws=draws)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A network, a scene and one or more regions, laid out on the devices.

    Args:
        way: what is computed for an intervention.
        reach: which blocks can reach a region, bool [rows, columns]; the effect of the others is
            exactly zero.
        chunk: how many interventions go together.
        mesh: the devices, along one axis.
        cost: multiply-adds of one intervention at each block that reaches a region.
    """

    way: Dense | Local
    reach: np.ndarray
    chunk: Chunk
    mesh: Mesh
    cost: float

    @classmethod
    def make(
        cls,
        network: Network,
        scene: Scene,
        rois: Sequence[ROI],
        grid: Grid,
        wanted: np.ndarray,
        finish: Callable[[jax.Array], jax.Array],
        outcomes: Sequence[Outcome],
        *,
        margin: int = 0,
        draws: tuple[int, int] = (3, 53),
        chunk: int | None = None,
        devices: Sequence[Any] | None = None,
    ) -> "Sweep":
        """Lays out a sweep.

        Args:
            network: the network.
            scene: clean image and input.
            rois: the regions, in output pixels; several are scored in one restored image.
            grid: the blocks of the input.
            wanted: blocks that may be asked for, bool [rows, columns].
            finish: what happens to the restored pixels before they are scored.
            outcomes: the scores of each region.
            margin: input pixels by which what is written exceeds a block, on every side.
            draws: interventions expected at blocks far from a region, and near it.
            chunk: interventions in one call; None chooses.
            devices: that compute; None takes this process's.

        Raises:
            ValueError: the network's output does not have the scene's size, or an outcome is no
                scalar.
        """
        h, w, c = scene.degraded.shape
        score = Score(finish, tuple(outcomes), tuple((roi.height, roi.width) for roi in rois))
        score.check(c)
        roi = ROI.around(rois)
        crop = Crop.make(h, w, roi, scene.scale, network.receptive_radius, network.anchor)
        _check_size(network, scene, crop)
        devices = jax.local_devices() if devices is None else list(devices)
        mesh = jax.make_mesh(
            (len(devices),), ("sweep",), axis_types=(AxisType.Auto,), devices=devices
        )
        put = functools.partial(jax.device_put, device=NamedSharding(mesh, PartitionSpec()))
        bottom, right = crop.top + crop.height, crop.left + crop.width
        image = jnp.asarray(scene.degraded[crop.top : bottom, crop.left : right])

        def target(frame: ROI) -> Target:
            clean = scene.clean[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
            corners = np.array([(one.y - frame.y, one.x - frame.x) for one in rois], np.int32)
            return put(Target(jnp.asarray(clean), jnp.asarray(corners)))

        part = ROI(crop.top, crop.left, crop.height, crop.width)
        place = np.flatnonzero(wanted & grid.near(part, margin))
        origins = np.stack(np.divmod(place, grid.columns), axis=1) * grid.block
        origins -= (crop.top + margin, crop.left + margin)
        side = grid.block + 2 * margin
        params = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), network.params)
        leaves, tree = jax.tree.flatten(params)
        inner = crop.roi
        rectangle = (inner.y, inner.x, inner.height, inner.width)
        plan = _plan(
            network.apply, tree, tuple(leaves), (1, *image.shape), rectangle, side,
            origins.astype(np.int64).tobytes(), draws,
        )  # fmt: skip
        reach = np.zeros(grid.shape, bool)
        reach.flat[place] = plan.program_of >= 0

        way: Dense | Local
        if plan.dense or not reach.any():
            saves = plan.multiply_adds.crop < _RESTRICTED * plan.multiply_adds.dense
            if len(rois) > 1 and not saves:  # all of the output, so that one program serves all
                inner = ROI(0, 0, crop.height * scene.scale, crop.width * scene.scale)
                roi = dataclasses.replace(
                    inner, y=crop.top * scene.scale, x=crop.left * scene.scale
                )
            program = DenseProgram(
                network.apply, side, (inner.height, inner.width),
                (inner.y, inner.x) if saves else None, score,
            )  # fmt: skip
            corner = np.array([inner.y, inner.x], np.int32)
            origin = np.array([crop.top + margin, crop.left + margin], np.int32)
            fixed = (network.params, image, target(roi), corner, origin)
            way = Dense(program, mesh, grid, put(fixed), plan.note)
            cost = plan.multiply_adds.crop * float(reach.sum())
        else:
            numbers = np.full(reach.size, -1)
            numbers[place] = np.arange(len(place))
            ready = plan.prepare(image[None], network.params)
            on_mesh = dataclasses.replace(ready, caches=put(ready.caches), region=put(ready.region))
            way = Local(on_mesh, numbers, score, mesh, grid, target(roi), plan.note)
            cost = float(plan.multiply_adds.programs[plan.program_of >= 0].sum())
        return cls(way, reach, _chunk(way, plan.multiply_adds.crop, chunk), mesh, cost)

    @property
    def note(self) -> str:
        """What is computed for an intervention, in words."""
        return self.way.note

    def work(
        self,
        intervene: Intervene,
        pool: np.ndarray,
        seed: int,
        cells: np.ndarray,
        draws: np.ndarray,
        patches: np.ndarray | None,
    ) -> Work:
        """Interventions do(block = a patch drawn from the pool).

        Args:
            intervene: the task's do(), a pytree.
            pool: uint8 [p, size, size, c].
            seed: seed of all draws.
            cells: int [n], row * columns + column.
            draws: int [n], number of the draw; (seed, cell, draw) fixes the patch.
            patches: the pool's patch that draw k takes, int [draws]; None draws with equal chance.
        """
        put = functools.partial(jax.device_put, device=NamedSharding(self.mesh, PartitionSpec()))
        key = jax.random.key(seed)
        cells, draws = cells.astype(np.int32), draws.astype(np.int32)
        if patches is None:
            chosen = draw_patches(key, cells, draws, len(pool))
        else:
            chosen = patches[draws].astype(np.int32)
        source = put(Drawn(intervene, jnp.asarray(pool), key))
        return Work(source, cells, (cells, draws, chosen))

    def written(self, cells: np.ndarray, patches: np.ndarray) -> Work:
        """Interventions that write given pixels float32 [n, side, side, c] at cells int [n]."""
        return Work(Written(), cells.astype(np.int32), patches)

    def baseline(self, work: Work) -> tuple[np.ndarray, np.ndarray]:
        """Outcomes [r * k] and what is scored, uint8 [h, w, c], without an intervention.

        Args:
            work: interventions of the kind to come, at least one.
        """
        return fitting(functools.partial(self.way.baseline, work), self.chunk)

    def evaluate(self, work: Work) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Outcomes of interventions at blocks that reach a region.

        Yields:
            Which of them, int [m], and their outcomes, float32 [m, r * k]; in any order.
        """
        return evaluate(self.way, work, self.chunk)

    def regions(self, work: Work) -> np.ndarray:
        """What is scored after interventions at blocks that reach a region, by the same programs.

        Returns:
            uint8 [n, h, w, c], n of at least 1.
        """
        parts = list(evaluate(_Regions(self.way), work, self.chunk))
        order = np.concatenate([part for part, _ in parts])
        return np.concatenate([regions for _, regions in parts])[np.argsort(order)]


@dataclasses.dataclass(frozen=True)
class _Regions:
    """A way that gives the regions in place of their outcomes."""

    way: Dense | Local

    @property
    def devices(self) -> int:
        return self.way.devices

    def groups(self, work: Work) -> Mapping[Hashable, Sequence[np.ndarray]]:
        return self.way.groups(work)

    def prepare(self, work: Work, keys: Sequence[Hashable], size: int) -> bool:
        return self.way.prepare(work, keys, size)

    def call(self, work: Work, key: Hashable, index: np.ndarray) -> jax.Array:
        return self.way.run(work, key, index)[1]


def _chunk(way: Dense | Local, image: float, chunk: int | None) -> Chunk:
    """The size to begin with: CPU caches hold few feature maps, other devices want many images."""
    if chunk is not None:
        return Chunk(-(-chunk // way.devices), grows=False)
    cpu = jax.default_backend() == "cpu"
    if isinstance(way, Local):
        return Chunk(3 if cpu else 32, grows=False)
    if cpu:  # larger ones gain nothing, and one size gives the same last bit after a resume
        return Chunk(int(np.clip(_CHUNK / max(image, 1.0), 1, 4)), grows=False)
    return Chunk(16, grows=True)


def _check_size(network: Network, scene: Scene, crop: Crop) -> None:
    channels = scene.degraded.shape[2]
    size = jax.ShapeDtypeStruct((1, crop.height, crop.width, channels), jnp.float32)
    out = jax.eval_shape(network.apply, network.params, size).shape
    expected = (1, crop.height * scene.scale, crop.width * scene.scale, channels)
    if out != expected:
        raise ValueError(
            f"network={network.name}: it turns {size.shape} into {out}; this scene of scale "
            f"{scene.scale} needs {expected}"
        )
