"""Networks, a scene and a region for the benchmark of the sweep; nothing has to be downloaded.

DnCNN and EDSR of the official sizes carry the function of the bundled compact networks, so that
interventions reach as far and move as many decibels as in a trained network: further channels are
zero, and further layers pass on what they get. What they cost is what the official weights cost.
The other networks get random weights.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import cem_jax as cem
from cem_jax.models import registry
from cem_jax.models.convert import torch_shapes


def roi(size: int = 256) -> cem.ROI:
    """The region of the paper's demonstration; a smaller one in a smaller image."""
    return cem.ROI(*(part * size // 256 for part in (152, 96, 32, 32)))


def scene(scale: int, size: int = 256) -> cem.Scene:
    """A bundled photograph, repeated where it is too small, for a network of that scale.

    Args:
        scale: 4 for super-resolution, 1 for denoising (sigma 50 of 255).
        size: height and width of the clean image.
    """
    photo = cem.example_image("cabin")
    repeats = -(-size // photo.shape[0])
    clean = np.tile(photo, (repeats, repeats, 1))[:size, :size]
    return cem.Scene.super_resolution(clean, scale) if scale > 1 else cem.Scene.denoising(clean)


def network(name: str, weights: Path | None = None) -> cem.Network:
    """A network with weights.

    Args:
        name: of the zoo; compact ones keep their bundled weights.
        weights: a folder with official files; the network's own one is used if it is there.
    """
    facts = cem.models.describe(name)
    if facts.bundled:
        return cem.load(name)
    for file in facts.official_files:
        if weights is not None and (weights / file).exists():
            return cem.load(name, weights / file)
    return cem.from_torch(name, grown(name) if name in ("DnCNN", "EDSR") else random_weights(name))


def shapes(name: str, config: Mapping[str, Any] | None = None) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's weights, in torch's layout under torch's keys.

    Args:
        name: of the zoo.
        config: constructor arguments; None takes the name's own.
    """
    entry = registry.find(name)
    config = entry.config if config is None else config
    return torch_shapes(registry.abstract(entry.architecture, config)[1])


def random_weights(name: str, config: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
    """Normal kernels of half the size that keeps the variance; norms that change nothing.

    Args:
        name: of the zoo.
        config: constructor arguments; None takes the name's own.
    """
    rng, found = np.random.default_rng(0), {}
    for key, shape in shapes(name, config).items():
        if len(shape) > 1:
            value = rng.normal(size=shape) * 0.5 / np.sqrt(np.prod(shape[1:]))
        else:
            value = np.full(shape, float(key.endswith(("weight", "running_var"))))
        found[key] = value.astype(np.float32)
    return found


def grown(name: str) -> dict[str, np.ndarray]:
    """The bundled DnCNN-compact or EDSR-compact in the official size: the same function."""
    compact = cem.to_torch(cem.load(f"{name}-compact"))
    large = {key: np.zeros(shape, np.float32) for key, shape in shapes(name).items()}
    pattern = re.compile(r"^(?:model|body)\.(\d+)\.(?:weight|bias)$")

    def last(keys: Mapping[str, Any]) -> int:
        return max(int(match[1]) for match in map(pattern.match, keys) if match)

    own, other = last(compact), last(large)
    for key, value in compact.items():
        match = pattern.match(key)
        if match and int(match[1]) == own:  # the last layer stays the last one
            key = key.replace(match[1], str(other))
        if key in large:  # else a mean colour, which is no weight
            large[key][tuple(map(slice, value.shape))] = value
    if name == "DnCNN":  # what passes is not negative behind a rectifier
        for layer in range(own, other, 2):
            width = len(large[f"model.{layer}.weight"])
            large[f"model.{layer}.weight"][:, :, 1, 1] = np.eye(width)
    return large
