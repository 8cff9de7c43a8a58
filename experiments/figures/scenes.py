"""The photographs of the figures, the regions in them, and the scenes that a network is given."""

import zlib

import numpy as np
from jaxtyping import UInt8

import cem_jax as cem

_FIRST = ("cabin", "pagoda", "facade")
"""Shown before all others."""


def names(count: int) -> tuple[str, ...]:
    """The first bundled photographs.

    Args:
        count: how many; all of them if there are fewer.
    """
    return (*_FIRST, *(name for name in cem.example_names() if name not in _FIRST))[:count]


def photograph(name: str, side: int) -> UInt8[np.ndarray, "side side c"]:
    """The centre of a bundled photograph, uint8 [side, side, 3]."""
    image = cem.example_image(name)
    y, x = ((length - side) // 2 for length in image.shape[:2])
    return image[y : y + side, x : x + side]


def regions(image: UInt8[np.ndarray, "side side c"], count: int) -> tuple[cem.ROI, ...]:
    """Regions with much, middling and little structure, an eighth of the image's side each.

    Candidates lie on a grid of their own size, away from the border by half of it or more; they are
    ranked by the mean size of the grey levels' gradient.

    Args:
        image: uint8 [side, side, 3], the side a multiple of 64.
        count: 1 to 3; the first takes the region of most structure, the others follow in even
            steps of rank, the last at the 80th percentile.

    Returns:
        They, in output pixels.
    """
    side = len(image) // 8
    grey = image.astype(np.float64).mean(axis=2)
    slope = np.hypot(*np.gradient(grey))
    corners = [
        (y, x)
        for y in range(side, len(image) - side, side)
        for x in range(side, len(image) - side, side)
    ]
    busy = [-slope[y : y + side, x : x + side].mean() for y, x in corners]
    ranked = [corners[i] for i in np.argsort(busy, kind="stable")]
    ranks = np.linspace(0, 0.8 * len(ranked), 3).astype(int)[:count]
    chosen = (ranked[rank] for rank in ranks)
    return tuple(cem.ROI(y, x, side, side) for y, x in chosen)


def make(task: str, name: str, side: int, scale: int, channels: int = 3) -> cem.Scene:
    """A scene of a bundled photograph.

    Args:
        task: "SR" (by 4), "DN" (sigma 50), or another of `cem.task_names()` as it is made without
            arguments; noise and rain are seeded by the name.
        name: of the photograph.
        side: of the clean image, in output pixels.
        scale: output pixels per input pixel of the network; 1 receives SR's input enlarged.
        channels: that the network takes; 1 makes a scene of the photograph's luma.
    """
    clean, seed = photograph(name, side), zlib.crc32(name.encode()) % 1000
    if channels == 1:
        clean = cem.to_grey(clean)
    if task == "SR":
        if scale > 1:
            return cem.Scene.super_resolution(clean, scale, name=name)
        return cem.Scene.preupsampled(clean, 4, name=name)
    if task == "DN":
        return cem.Scene.denoising(clean, 50 / 255, seed, name=name)
    seeded = {} if task == "JPEG" else {"seed": seed}
    return cem.make_scene(task, clean, name=name, **seeded)
