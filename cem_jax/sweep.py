"""The sweep: a network over many interventions, pasted and scored on the devices.

Interventions travel as indices; one float comes back for each. Only the region's crop of a local
network is computed. The interventions of a chunk are spread over all local devices, which do not
talk to each other.
"""

import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from cem_jax.grid import ROI, Crop, Grid
from cem_jax.network import Apply, Network
from cem_jax.outcome import Outcome
from cem_jax.scene import Intervene, Scene

_EACH = PartitionSpec("sweep")
_ALL = PartitionSpec()
_AHEAD = 2
"""Chunks that are under way while the next one is prepared."""


@dataclasses.dataclass(frozen=True)
class Program:
    """What is compiled: everything about an evaluation but the numbers.

    Args:
        apply: the network's function.
        crop: the part of the input that is computed.
        grid: the blocks.
        finish: what happens to the restored region before it is scored (clipping, rounding).
        outcome: the score.
    """

    apply: Apply
    crop: Crop
    grid: Grid
    finish: Callable[[jax.Array], jax.Array]
    outcome: Outcome

    def paste(self, image: jax.Array, patch: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
        """Writes a patch at (y, x) of the input into its crop; what lies outside is cut off."""
        b = self.grid.block
        canvas = jnp.pad(image, ((b, b), (b, b), (0, 0)))
        # Blocks beyond the crop land in the margin; a negative start would count from the end.
        top = jnp.maximum(y - self.crop.top + b, 0)
        left = jnp.maximum(x - self.crop.left + b, 0)
        return jax.lax.dynamic_update_slice(canvas, patch, (top, left, 0))[b:-b, b:-b]

    def score(self, params: Any, inputs: jax.Array, target: jax.Array) -> jax.Array:
        """Outcomes of a batch of crops [n, h, w, c]: [n]."""
        roi = self.crop.roi
        restored = self.apply(params, inputs)
        restored = restored[:, roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        return jax.vmap(lambda region: self.outcome(self.finish(region), target))(restored)


@functools.partial(jax.jit, static_argnums=0)
def _baseline(program: Program, params: Any, image: jax.Array, target: jax.Array) -> jax.Array:
    return program.score(params, image[None], target)[0]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _written(
    program: Program,
    mesh: Mesh,
    params: Any,
    image: jax.Array,
    target: jax.Array,
    corners: jax.Array,
    patches: jax.Array,
) -> jax.Array:
    """Outcomes after writing given patches [n, b, b, c] at given corners [n, 2]."""

    def local(params, image, target, corners, patches):
        paste = jax.vmap(lambda corner, patch: program.paste(image, patch, corner[0], corner[1]))
        return program.score(params, paste(corners, patches), target)

    specs = (_ALL, _ALL, _ALL, _EACH, _EACH)
    evaluate = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH)
    return evaluate(params, image, target, corners, patches)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _drawn(
    program: Program,
    mesh: Mesh,
    params: Any,
    image: jax.Array,
    target: jax.Array,
    intervene: Intervene,
    pool: jax.Array,
    key: jax.Array,
    blocks: jax.Array,
    samples: jax.Array,
) -> jax.Array:
    """Outcomes after writing patches that are drawn by (key, block, sample)."""

    def local(params, image, target, intervene, pool, key, blocks, samples):
        def one(block: jax.Array, sample: jax.Array) -> jax.Array:
            which, how = jax.random.split(
                jax.random.fold_in(jax.random.fold_in(key, block), sample)
            )
            patch = pool[jax.random.randint(which, (), 0, pool.shape[0])]
            row, column = jnp.divmod(block, program.grid.columns)
            y, x = row * program.grid.block, column * program.grid.block
            return program.paste(image, intervene(patch.astype(jnp.float32) / 255, y, x, how), y, x)

        return program.score(params, jax.vmap(one)(blocks, samples), target)

    specs = (_ALL,) * 6 + (_EACH, _EACH)
    evaluate = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH)
    return evaluate(params, image, target, intervene, pool, key, blocks, samples)


def _per_device(crop: Crop) -> int:
    """Interventions in one device's share of a chunk."""
    if jax.default_backend() == "cpu":
        return 8  # CPU caches hold few feature maps: more is slower
    return max(1, min(256, 2**23 // (crop.height * crop.width)))


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A network, a scene and a region, laid out on the devices.

    Args:
        program: what is compiled.
        mesh: the devices, along one axis.
        params: the network's parameters, on every device.
        image: the input's crop, on every device.
        target: the clean region, on every device.
        chunk: interventions in one call, a multiple of the number of devices.
    """

    program: Program
    mesh: Mesh
    params: Any
    image: jax.Array
    target: jax.Array
    chunk: int

    @classmethod
    def make(
        cls,
        network: Network,
        scene: Scene,
        roi: ROI,
        grid: Grid,
        finish: Callable[[jax.Array], jax.Array],
        outcome: Outcome,
        chunk: int | None = None,
    ) -> "Sweep":
        """Lays out a sweep over all local devices.

        Args:
            network: the network.
            scene: clean image and input.
            roi: region of interest, in output pixels.
            grid: the blocks of the input.
            finish: what happens to the restored region before it is scored.
            outcome: the score.
            chunk: interventions in one call; None chooses.

        Raises:
            ValueError: the network's output does not have the scene's size.
        """
        h, w, c = scene.degraded.shape
        crop = Crop.make(h, w, roi, scene.scale, network.receptive_radius, network.anchor)
        size = jax.ShapeDtypeStruct((1, crop.height, crop.width, c), jnp.float32)
        out = jax.eval_shape(network.apply, network.params, size).shape
        expected = (1, crop.height * scene.scale, crop.width * scene.scale, c)
        if out != expected:
            raise ValueError(
                f"network={network.name}: it turns {size.shape} into {out}; this scene of scale "
                f"{scene.scale} needs {expected}"
            )
        devices = jax.local_devices()
        mesh = jax.make_mesh(
            (len(devices),), ("sweep",), axis_types=(AxisType.Auto,), devices=devices
        )
        chunk = _per_device(crop) * len(devices) if chunk is None else chunk
        chunk = -(-chunk // len(devices)) * len(devices)
        put = functools.partial(jax.device_put, device=NamedSharding(mesh, _ALL))
        rows, columns = (
            slice(crop.top, crop.top + crop.height),
            slice(crop.left, crop.left + crop.width),
        )
        target = scene.clean[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        program = Program(network.apply, crop, grid, finish, outcome)
        image = put(jnp.asarray(scene.degraded[rows, columns]))
        return cls(program, mesh, put(network.params), image, put(jnp.asarray(target)), chunk)

    def baseline(self) -> float:
        """The outcome without an intervention."""
        return float(_baseline(self.program, self.params, self.image, self.target))

    def written(
        self, blocks: np.ndarray, patches: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Outcomes after writing given patches, chunk by chunk.

        Args:
            blocks: int [n, 2], row and column.
            patches: float32 [n, block, block, c] in [0, 1], in input pixels.

        Yields:
            Which interventions, and their outcomes.
        """
        corners = (np.asarray(blocks) * self.program.grid.block).astype(np.int32)
        call = functools.partial(
            _written, self.program, self.mesh, self.params, self.image, self.target
        )
        return self._chunks(call, corners, patches)

    def drawn(
        self,
        intervene: Intervene,
        pool: np.ndarray,
        seed: int,
        blocks: np.ndarray,
        samples: np.ndarray,
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Outcomes after do(block = a patch drawn from the pool), chunk by chunk.

        Args:
            intervene: the task's do(), a pytree.
            pool: uint8 [p, size, size, 3].
            seed: seed of all draws.
            blocks: int [n], row * columns + column.
            samples: int [n], number of the draw; (seed, block, sample) fixes the patch.

        Yields:
            Which interventions, and their outcomes.
        """
        put = functools.partial(jax.device_put, device=NamedSharding(self.mesh, _ALL))
        fixed = (self.params, self.image, self.target, put(intervene), put(jnp.asarray(pool)))
        call = functools.partial(_drawn, self.program, self.mesh, *fixed, put(jax.random.key(seed)))
        return self._chunks(call, blocks.astype(np.int32), samples.astype(np.int32))

    def _chunks(
        self, call: Callable[..., jax.Array], *arrays: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Calls chunk by chunk; the last one is filled up, so that one program serves all."""
        share = NamedSharding(self.mesh, _EACH)
        waiting: deque[tuple[slice, jax.Array]] = deque()
        total = len(arrays[0])
        for start in range(0, total, self.chunk):
            part = slice(start, min(start + self.chunk, total))
            index = np.minimum(np.arange(start, start + self.chunk), total - 1)
            waiting.append((part, call(*(jax.device_put(a[index], share) for a in arrays))))
            if len(waiting) > _AHEAD:
                yield _fetch(*waiting.popleft())
        while waiting:
            yield _fetch(*waiting.popleft())


def _fetch(part: slice, values: jax.Array) -> tuple[slice, np.ndarray]:
    return part, np.asarray(values)[: part.stop - part.start]
