"""Maps that keep the whole images, so that a report can show these and not the region alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from cem_jax.arguments import check_kind
from cem_jax.cone.digest import NoFingerprintError, digest_arrays, digest_function
from cem_jax.effects.fitting import check_pair
from cem_jax.held.on_scene import on_scene
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.images import Images
from cem_jax.network.network import Network
from cem_jax.outcome import (
    Outcome,
    as_outcome,
    clip,
    clip_and_round,
    sees_degraded,
    tolerance,
)
from cem_jax.plain_text import quoted
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene
from cem_jax.sweep.facts import restored_image
from cem_jax.sweep.score import scored_shapes

LARGEST_IMAGE = 2**20
"""Pixels of the largest restored image that a map keeps."""
_ALIKE = 10
"""Tolerances by which the outcome of the whole image may differ from that of the map's cones."""


def with_images(effect_map: EffectMap, network: Network, scene: Scene) -> EffectMap:
    """The map with the whole restored and the whole true image, which a report can show.

    The network restores the input once more, as a whole. Each of the two images makes a map's file
    larger by about two bytes a pixel: by 0.3 MB together at 256 x 256 pixels, by 4 MB at a
    megapixel. A map of more than 2**20 output pixels stays as it is, as does one that has its
    images, and one whose input does not fit into the device's memory as a whole.

    Args:
        effect_map: the map.
        network: that it is of.
        scene: that it is of.

    Returns:
        The map with its `images`.

    Raises:
        ValueError: the scene or the network is not that of the map, or the network does not fit
            the scene.

    Examples:
        >>> import cem_jax as cem
        >>> network = cem.wrap(lambda x: 0.9 * x + 0.05, receptive_radius=0)
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda"), sigma=50 / 255)
        >>> roi = cem.ROI(y=96, x=112, height=32, width=32)
        >>> found = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(2), progress=False)
        >>> cem.with_images(found, network, scene).images.restored.shape
        (256, 256, 3)
    """
    check_kind("effect_map", effect_map, EffectMap)
    check_pair(network, scene, effect_map.roi)
    if not np.array_equal(to_bytes(scene.degraded), effect_map.degraded):
        raise ValueError(
            f"scene={quoted(scene.name or scene.task)}: its input is not that of the map"
        )
    height, width = scene.clean.shape[:2]
    if effect_map.images is not None or height * width > LARGEST_IMAGE:
        return effect_map
    network = on_scene(network, scene)
    try:
        restored = restored_image(network, scene)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return effect_map
    _check_network(effect_map, network, scene, restored)
    pixels = to_bytes(np.clip(restored, 0, 1))
    return dataclasses.replace(effect_map, images=Images(pixels, to_bytes(scene.clean)))


def _check_network(
    effect_map: EffectMap, network: Network, scene: Scene, restored: Float32[np.ndarray, "H W c"]
) -> None:
    """Refuses a network that restores the region otherwise than that of the map did."""
    told, score = effect_map.provenance.get("parameters"), _score(effect_map, scene)
    other = told is not None and told != digest_arrays(jax.tree.leaves(network.params))
    wrong, differs = other, "its parameters are others"
    if score is not None:
        roi, small = effect_map.roi, effect_map.roi.in_input(scene.scale)
        finish = clip_and_round if effect_map.provenance.get("rounded") else clip
        finished = np.asarray(finish(jnp.asarray(restored)))
        seen = [(finished, roi), (scene.clean, roi), (scene.degraded, small)]
        regions = [image[at.y :, at.x :][: at.height, : at.width] for image, at in seen]
        found = float(score(*regions[: 3 if sees_degraded(score) else 2]))
        least = (1 if other else _ALIKE) * tolerance(score, effect_map.baseline)
        wrong = not abs(found - effect_map.baseline) <= least
        differs = f"its outcome is {found:.6g}, the map's {effect_map.baseline:.6g}"
    if wrong:
        named = quoted(str(effect_map.provenance.get("network", "")))
        raise ValueError(f"network={network.name}: the map is of another one, {named}: {differs}")


def _score(effect_map: EffectMap, scene: Scene) -> Outcome | None:
    """The map's outcome, where it is one of ours; functions of the user may have such a name."""
    try:
        found = as_outcome(effect_map.outcome)
        region = (effect_map.roi.height, effect_map.roi.width, scene.clean.shape[2])
        digest = digest_function(found, *scored_shapes(found, region, scene.scale))
    except (ValueError, NoFingerprintError):
        return None
    return found if digest in effect_map.provenance.get("scores", ()) else None
