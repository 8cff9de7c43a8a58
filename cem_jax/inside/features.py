"""What a patch is, and how it differs from what it replaced, in numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

Patches = Float[np.ndarray, "*draws side side c"]
Measured = Float[np.ndarray, "*draws"] | np.float64

_LUMA = np.array([0.299, 0.587, 0.114])
_COHERENT = 0.2
"""Coherence below which a patch has no orientation (0 none, 1 straight lines)."""


def _grey(patches: Patches) -> Float[np.ndarray, "*draws side side"]:
    return patches @ (_LUMA if patches.shape[-1] == 3 else np.ones(1))


def brightness(pasted: Patches, replaced: Float[np.ndarray, "..."]) -> Measured:
    """Mean luma of what was pasted, in [0, 1]."""
    return _grey(pasted).mean((-2, -1))


def contrast(pasted: Patches, replaced: Float[np.ndarray, "..."]) -> Measured:
    """Standard deviation of the luma of what was pasted."""
    return _grey(pasted).std((-2, -1))


def sharpness(pasted: Patches, replaced: Float[np.ndarray, "..."]) -> Measured:
    """Mean length of the gradient of the luma of what was pasted, by differences of neighbours."""
    down, right = _slopes(_grey(pasted))
    return np.hypot(down, right).mean((-2, -1))


def colour_distance(pasted: Patches, replaced: Patches) -> Measured:
    """Distance between the mean colours of what was pasted and what it replaced."""
    return np.linalg.norm(pasted.mean((-3, -2)) - replaced.mean((-3, -2)), axis=-1)


def similarity(pasted: Patches, replaced: Patches) -> Measured:
    """Correlation between the luma of what was pasted and of what it replaced; 0 of flat ones."""
    a, b = (one - one.mean((-2, -1), keepdims=True) for one in map(_grey, (pasted, replaced)))
    size = np.sqrt(np.square(a).sum((-2, -1)) * np.square(b).sum((-2, -1)))
    return np.where(size > 1e-9, (a * b).sum((-2, -1)) / np.maximum(size, 1e-9), 0.0)


def turn(pasted: Patches, replaced: Patches) -> Measured:
    """Angle between the main orientations of both, 0 to 90 degrees; NaN where either has none.

    The main orientation is that of the structure tensor's larger eigenvector.
    """
    (a, sure), (b, too) = _orientation(pasted), _orientation(replaced)
    apart = np.abs(a - b) % 180
    return np.where(sure & too, np.minimum(apart, 180 - apart), np.nan)


def _slopes(
    grey: Float[np.ndarray, "*draws side side"],
) -> tuple[Float[np.ndarray, "*draws side-1 side-1"], Float[np.ndarray, "*draws side-1 side-1"]]:
    """Differences of neighbours, downwards and to the right."""
    down = grey[..., 1:, :-1] - grey[..., :-1, :-1]
    return down, grey[..., :-1, 1:] - grey[..., :-1, :-1]


def _orientation(patches: Patches) -> tuple[Measured, Bool[np.ndarray, "*draws"] | np.bool_]:
    """Degrees of the main gradient, and whether there is one."""
    down, right = _slopes(_grey(patches))
    yy, xx, xy = (np.mean(p, axis=(-2, -1)) for p in (down * down, right * right, down * right))
    angle = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2
    total = xx + yy
    coherence = np.hypot(xx - yy, 2 * xy) / np.maximum(total, 1e-12)
    return angle, (coherence >= _COHERENT) & (total > 1e-9)


FEATURES: Mapping[str, Callable[[Patches, Any], Measured]] = {
    "brightness": brightness,
    "contrast": contrast,
    "sharpness": sharpness,
    "colour distance": colour_distance,
    "similarity": similarity,
    "turn": turn,
}
"""Of what was pasted and what it replaced, float [..., side, side, c] each."""
