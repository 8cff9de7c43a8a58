"""Bundled test images with strong structure (see `data/ATTRIBUTION.md`)."""

from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cem_jax.arguments import one_of
from cem_jax.scene.image import open_image


def _folder() -> Path:
    return Path(str(resources.files("cem_jax"))) / "data" / "scenes"


def example_names() -> tuple[str, ...]:
    """The names of the bundled images.

    Returns:
        They, sorted.
    """
    return tuple(sorted(path.stem for path in _folder().glob("*.png")))


def example_image(name: str) -> UInt8[np.ndarray, "256 256 3"]:
    """A bundled clean image.

    Args:
        name: one of `example_names()`.

    Returns:
        uint8 [256, 256, 3].

    Raises:
        ValueError: the name is unknown.
    """
    return open_image(example_path(one_of("name", name, example_names())))


def example_path(name: str) -> Path:
    """The file of a bundled image.

    Args:
        name: one of `example_names()`.
    """
    return _folder() / f"{name}.png"
