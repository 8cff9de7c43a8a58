"""Gradients of an outcome along a path, on all devices, chunk by chunk.

The integral is the midpoint rule over alpha; the slope of the path is exact (forward mode). A local
network is computed, and differentiated, on the region's crop only.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, Float64

from cem_jax.attribution.path import ImagePath
from cem_jax.effects.fitting import check_pair
from cem_jax.grid import ROI, Crop
from cem_jax.held.on_scene import on_scene
from cem_jax.network.network import Apply, Network
from cem_jax.outcome import Outcome, as_outcome, sees_degraded
from cem_jax.plain_text import quoted
from cem_jax.scene.scene import Scene
from cem_jax.sweep.facts import check_crop, check_output, check_region
from cem_jax.sweep.score import as_it_is

_EACH = PartitionSpec("path")
_ALL = PartitionSpec()


@dataclasses.dataclass(frozen=True)
class Integrand:
    """What is compiled: everything about a gradient but the numbers.

    Args:
        apply: the network's function.
        crop: the part of the input that is computed.
        path: images between a start and the input.
        finish: what happens to the restored region before it is scored.
        outcome: the score.
    """

    apply: Apply
    crop: Crop
    path: ImagePath
    finish: Callable[[jax.Array], jax.Array]
    outcome: Outcome

    def cut(self, images: Float[jax.Array, "n H W c"]) -> Float[jax.Array, "n h w c"]:
        """The crops of images [n, h, w, c]."""
        c = self.crop
        return images[:, c.top : c.top + c.height, c.left : c.left + c.width]

    def score(
        self, params: Any, crops: Float[jax.Array, "n h w c"], target: Float[jax.Array, "H W c"]
    ) -> Float[jax.Array, " n"]:
        """Outcomes of crops [n, h, w, c]: [n]."""
        roi = self.crop.roi
        restored = self.apply(params, crops)
        restored = restored[:, roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        return jax.vmap(lambda region: self.outcome(self.finish(region), target))(restored)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _rates(
    program: Integrand,
    mesh: Mesh,
    params: Any,
    image: Float[jax.Array, "h w c"],
    target: Float[jax.Array, "H W c"],
    alphas: Float[jax.Array, " n"],
) -> Float[jax.Array, "n rows columns"]:
    """What each pixel of the crop adds to d outcome / d alpha, [n, h, w]."""

    def local(params, image, target, alphas):
        along = functools.partial(program.path, image)
        points, slopes = jax.vmap(lambda a: jax.jvp(along, (a,), (jnp.ones_like(a),)))(alphas)

        # Images of a batch do not meet in the network: the gradient of the sum holds each one's.
        def total(crops):
            return jnp.sum(program.score(params, crops, target))

        return jnp.sum(jax.grad(total)(program.cut(points)) * program.cut(slopes), axis=-1)

    specs = (_ALL, _ALL, _ALL, _EACH)
    # Operations that are applied one by one, as in frozen networks, do not mark what varies.
    evaluate = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=_EACH, check_vma=False)
    return evaluate(params, image, target, alphas)


@functools.partial(jax.jit, static_argnums=0)
def _outcome(
    program: Integrand,
    params: Any,
    image: Float[jax.Array, "h w c"],
    target: Float[jax.Array, "H W c"],
    alpha: Float[jax.Array, ""],
) -> Float[jax.Array, ""]:
    return program.score(params, program.cut(program.path(image, alpha)[None]), target)[0]


def _steps_at_once(devices: int, chunk: int | None) -> int:
    """Points of one call, a multiple of the number of devices."""
    if chunk is None:
        # The backward pass keeps every activation, and CPU caches gain nothing from more.
        chunk = devices * (1 if jax.default_backend() == "cpu" else 4)
    return -(-chunk // devices) * devices


@dataclasses.dataclass(frozen=True, eq=False)
class RegionOutcome:
    """The outcome of a region as a differentiable function of the input.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        finish: what happens to the restored region before it is scored.
        outcome: the score of (restored region, true region).

    Raises:
        ValueError: arguments that do not fit, an output that does not have the scene's size or
            leaves [0, 1], or a network without a gradient.
    """

    network: Network
    scene: Scene
    roi: ROI
    finish: Callable[[jax.Array], jax.Array]
    outcome: Outcome

    def __post_init__(self) -> None:
        check_pair(self.network, self.scene, self.roi)
        object.__setattr__(self, "outcome", as_outcome(self.outcome))
        if sees_degraded(self.outcome):
            raise ValueError(f"outcome={quoted(self.outcome)}: expected one of (restored, target)")
        region = (self.roi.height, self.roi.width, self.scene.clean.shape[2])
        object.__setattr__(self, "outcome", as_it_is(self.outcome, region, self.scene.scale))
        object.__setattr__(self, "network", on_scene(self.network, self.scene))
        crop, channels = self._crop, self.scene.degraded.shape[2]
        check_output(self.network, self.scene, crop.height, crop.width)
        size = jax.ShapeDtypeStruct((1, crop.height, crop.width, channels), jnp.float32)
        try:
            forward = functools.partial(self.network.apply, self.network.params)
            jax.eval_shape(lambda x: jax.jvp(forward, (x,), (x,)), size)
        except ValueError as error:  # torch modules and ONNX files run through the host
            raise ValueError(
                f"network={self.network.name}: it has no gradient in JAX ({error})"
            ) from error
        check_crop(self.network, self.scene, crop, None)
        check_region(self.network, self.scene, self.roi, crop)

    @property
    def _crop(self) -> Crop:
        h, w, _ = self.scene.degraded.shape
        network = self.network
        return Crop.make(h, w, self.roi, self.scene.scale, network.receptive_radius, network.anchor)

    def _program(self, path: ImagePath) -> Integrand:
        return Integrand(self.network.apply, self._crop, path, self.finish, self.outcome)

    @property
    def _arrays(self) -> tuple[Any, Float[jax.Array, "h w c"], Float[jax.Array, "H W c"]]:
        """Parameters, input and true region."""
        roi = self.roi
        target = self.scene.clean[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        return self.network.params, jnp.asarray(self.scene.degraded), jnp.asarray(target)

    def outcome_at(self, path: ImagePath, alpha: float) -> float:
        """The outcome at one point of a path.

        Raises:
            ValueError: it is not finite.
        """
        found = float(_outcome(self._program(path), *self._arrays, jnp.float32(alpha)))
        if not math.isfinite(found):
            raise ValueError(
                f"network={self.network.name}: the region's outcome is not finite: {found}"
            )
        return found

    def mean_rate(
        self, path: ImagePath, alphas: Float[np.ndarray, " n"], chunk: int | None
    ) -> Float64[np.ndarray, "h w"]:
        """The mean over points of a path of what each pixel adds to d outcome / d alpha.

        Args:
            path: images between a start and the input.
            alphas: [n], points of the path.
            chunk: points evaluated together; None chooses.

        Returns:
            float64 [h, w]; exactly 0 where the region cannot see.

        Raises:
            ValueError: a gradient is not finite.
        """
        devices = jax.local_devices()
        mesh = jax.make_mesh(
            (len(devices),), ("path",), axis_types=(AxisType.Auto,), devices=devices
        )
        fixed = jax.device_put(self._arrays, NamedSharding(mesh, _ALL))
        program, crop = self._program(path), self._crop
        chunk = _steps_at_once(len(devices), chunk)
        total = np.zeros((crop.height, crop.width))
        for start in range(0, len(alphas), chunk):
            # The last chunk is filled up, so that one program serves all.
            index = np.minimum(np.arange(start, start + chunk), len(alphas) - 1)
            points = jax.device_put(alphas[index].astype(np.float32), NamedSharding(mesh, _EACH))
            rates = np.asarray(_rates(program, mesh, *fixed, points), np.float64)
            total += rates[: len(alphas) - start].sum(0)
        if not np.isfinite(total).all():
            row, column = np.argwhere(~np.isfinite(total))[0] + (crop.top, crop.left)
            raise ValueError(
                f"network={self.network.name}: its gradient is not finite, first at the input's "
                f"pixel ({row}, {column})"
            )
        whole = np.zeros(self.scene.degraded.shape[:2])
        whole[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width] = total
        return whole / len(alphas)
