"""Networks as they run on a scene."""

import dataclasses

import jax
import numpy as np

from cem_jax.arguments import check_kind
from cem_jax.held.as_read import as_read
from cem_jax.network.as_read import AsRead
from cem_jax.network.module import Module
from cem_jax.network.network import Apply, Network, Padded
from cem_jax.network.wrap import Tree, WithoutParams
from cem_jax.scene.scene import Scene


def on_scene(network: Network, scene: Scene) -> Network:
    """The network as it runs on a scene.

    It is told the noise of the scene, where it takes that; and a function of the user is the one
    that it is now, whatever it read when it was wrapped.

    Raises:
        ValueError: it takes the level of the noise, and neither its user nor the scene tells it.
    """
    check_kind("network", network, Network)
    check_kind("scene", scene, Scene)
    told = network
    if network.needs_noise_level:
        if scene.noise_level is None:
            raise ValueError(
                f"network={network.name}: it is told the level of the noise, which this scene of "
                f"{scene.task} does not say; give it: noise_level=25 in grey levels of 255, or "
                "--set noise_level=25"
            )
        told = network.at_noise(scene.noise_level)
    return _as_read(told, (1, *scene.degraded.shape))


def _may_change(apply: Apply) -> bool:
    """Whether it is code of the user; all else reads nothing but its parameters."""
    if isinstance(apply, Module):
        return apply.zoo is None
    ours = type(apply).__module__.partition(".")[0] == "cem_jax"
    return not ours or isinstance(apply, Tree | WithoutParams)


def _as_read(network: Network, shape: tuple[int, ...]) -> Network:
    """The network by what its function computes of an image, where that may change."""
    apply = network.apply
    inner = apply.apply if isinstance(apply, Padded) else apply
    if isinstance(inner, AsRead):  # of a network that ran on a scene before
        inner = inner.function
    if not _may_change(inner):
        return network
    apply = dataclasses.replace(apply, apply=inner) if isinstance(apply, Padded) else inner
    like = jax.eval_shape(lambda params: params, network.params)
    found = as_read(apply, like, jax.ShapeDtypeStruct(shape, np.float32))
    if isinstance(found, AsRead) and isinstance(apply, Padded):
        found = dataclasses.replace(apply, apply=AsRead(inner, found.reads))
    return network if found is apply else dataclasses.replace(network, apply=found)
