"""Maps that keep the whole images, so that a report can show these and not the region alone."""

import dataclasses

import jax
import numpy as np

from cem_jax.effects.request import check_pair
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.images import Images
from cem_jax.network.network import Network
from cem_jax.network.on_scene import on_scene
from cem_jax.plain_text import quoted
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene
from cem_jax.sweep.facts import restored_image

LARGEST_IMAGE = 2**20
"""Pixels of the largest restored image that a map keeps."""


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
        ValueError: the scene is not that of the map, or the network does not fit it.

    Examples:
        >>> import cem_jax as cem
        >>> network = cem.wrap(lambda x: 0.9 * x + 0.05, receptive_radius=0)
        >>> scene = cem.Scene.denoising(cem.example_image("pagoda"), sigma=50 / 255)
        >>> roi = cem.ROI(y=96, x=112, height=32, width=32)
        >>> found = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(2), progress=False)
        >>> cem.with_images(found, network, scene).images.restored.shape
        (256, 256, 3)
    """
    check_pair(network, scene, effect_map.roi)
    if not np.array_equal(to_bytes(scene.degraded), effect_map.degraded):
        raise ValueError(
            f"scene={quoted(scene.name or scene.task)}: its input is not that of the map"
        )
    height, width = scene.clean.shape[:2]
    if effect_map.images is not None or height * width > LARGEST_IMAGE:
        return effect_map
    try:
        restored = restored_image(on_scene(network, scene), scene)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return effect_map
    pixels = to_bytes(np.clip(restored, 0, 1))
    return dataclasses.replace(effect_map, images=Images(pixels, to_bytes(scene.clean)))
