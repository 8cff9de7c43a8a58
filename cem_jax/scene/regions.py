"""Regions of interest without counting pixels: by rules, in percent, and snapped to the scale."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cem_jax.arguments import one_of
from cem_jax.arrays import AnyArray
from cem_jax.grid import ROI
from cem_jax.plain_text import quoted
from cem_jax.scene.degrade.bicubic import upsample
from cem_jax.scene.image import as_numbers, to_bytes
from cem_jax.scene.roi_text import AUTO, RULES, split_roi
from cem_jax.scene.scene import Scene

SIDE = 32
"""Side of the regions that rules give, in output pixels, as in the paper."""


class Found(NamedTuple):
    """A region, and how it was found, in words; empty where it stands as it was asked for."""

    roi: ROI
    note: str


def parse_roi(text: str, scene: Scene, restored: Float[AnyArray, "H W c"] | None = None) -> Found:
    """A region from a text.

    Args:
        text: `Y,X,H,W` in output pixels, each of which may be a share such as `40%` of the image's
            height or width; `structure`, `centre` or `lost`; or `auto`, which is `lost` where a
            restored image is given and `structure` where none is.
        scene: whose image it is.
        restored: [H, W, c] in [0, 1]: what a network made of the scene, for `lost`; None takes the
            input, enlarged.

    Returns:
        The region, its sides whole input pixels, and what was done to the text in words.

    Raises:
        ValueError: another text, or a region that leaves the image.

    Examples:
        >>> import cem_jax as cem
        >>> scene = cem.Scene.super_resolution(cem.example_image("dog"))
        >>> roi, note = cem.parse_roi("40%,30%,32,32", scene)
        >>> roi, note
        (ROI(y=104, x=76, height=32, width=32), 'moved from y 102, x 77 to whole input pixels (4)')
    """
    if not isinstance(scene, Scene):
        raise ValueError(f"scene={quoted(scene)}: expected a cem_jax.Scene")
    height, width = scene.clean.shape[:2]
    parts = split_roi(text)
    if parts == AUTO:
        parts = "structure" if restored is None else "lost"
    if isinstance(parts, str):
        return by_rule(scene, parts, restored)
    lengths = (height, width, height, width)
    asked = [
        round(part * length) if isinstance(part, float) else part
        for part, length in zip(parts, lengths, strict=True)
    ]
    ROI(*asked)  # says what is no rectangle
    scale = scene.scale
    snapped = [scale * round(value / scale) for value in asked]
    snapped[2:] = (max(side, scale) for side in snapped[2:])
    if asked[0] + asked[2] <= height and asked[1] + asked[3] <= width:
        # Rounding may not push a region out of the image.
        snapped[0] = min(snapped[0], (height - snapped[2]) // scale * scale)
        snapped[1] = min(snapped[1], (width - snapped[3]) // scale * scale)
    roi = ROI(*snapped)
    roi.check(height, width, scale)
    names = ("y", "x", "height", "width")
    moved = [f"{n} {a}" for n, a, s in zip(names, asked, snapped, strict=True) if a != s]
    note = f"moved from {', '.join(moved)} to whole input pixels ({scale})" if moved else ""
    return Found(roi, note)


def by_rule(scene: Scene, rule: str, restored: Float[AnyArray, "H W c"] | None = None) -> Found:
    """A region of up to 32 x 32 pixels by one of `RULES`.

    Args:
        scene: whose image it is.
        rule: "structure": where the clean image varies most; "centre"; "lost": where the PSNR of
            what is restored is lowest.
        restored: [H, W, c] in [0, 1], for "lost"; None takes the input, enlarged bicubically.

    Raises:
        ValueError: another rule, or a restored image of another size.
    """
    rule = one_of("rule", rule, RULES)
    clean, scale = scene.clean, scene.scale
    sides = _sides(scene)
    if rule == "centre":
        y, x = (
            (length - side) // 2 // scale * scale
            for length, side in zip(clean.shape[:2], sides, strict=True)
        )
        return Found(ROI(y, x, *sides), "the centre")
    if rule == "structure":
        amount, why = _variation(clean), "where the clean image has most structure"
    else:
        shown = np.asarray(upsample(to_bytes(scene.degraded), scale)) / 255
        if restored is not None:
            shown = np.clip(as_numbers("restored", restored), 0, 1)
        if shown.shape != clean.shape:
            raise ValueError(f"restored has shape {shown.shape}; expected {clean.shape}")
        amount = np.square(shown - clean).mean(axis=2)
        what = "input" if restored is None else "restored image"
        why = f"where the PSNR of the {what} is lowest"
    return Found(_largest(amount, sides, scale), why)


def suggestions(scene: Scene, restored: Float[AnyArray, "H W c"] | None = None) -> dict[str, Found]:
    """A region by every rule.

    Args:
        scene: whose image it is.
        restored: [H, W, c] in [0, 1]; None takes the input for "lost".
    """
    return {rule: by_rule(scene, rule, restored) for rule in RULES}


def _sides(scene: Scene) -> tuple[int, int]:
    """Height and width: 32, or half of a small image, in whole input pixels."""
    found = [
        max(min(SIDE, length // 2) // scene.scale, 1) * scene.scale
        for length in scene.clean.shape[:2]
    ]
    return found[0], found[1]


def _variation(image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w"]:
    """How much each pixel differs from those to the right and below, [h, w]."""
    grey = image.mean(axis=2)
    found = np.zeros(grey.shape)
    found[:, :-1] += np.abs(np.diff(grey, axis=1))
    found[:-1] += np.abs(np.diff(grey, axis=0))
    return found


def _largest(amount: Float[np.ndarray, "h w"], sides: Sequence[int], scale: int) -> ROI:
    """The rectangle, its corner on the scale, whose sum is largest; the first of equal ones."""
    height, width = sides
    total = np.zeros((amount.shape[0] + 1, amount.shape[1] + 1))
    total[1:, 1:] = amount.cumsum(axis=0).cumsum(axis=1)
    inside = total[height:, width:] - total[:-height, width:]
    inside -= total[height:, :-width] - total[:-height, :-width]
    inside = inside[::scale, ::scale]
    y, x = np.unravel_index(np.argmax(inside), inside.shape)
    return ROI(int(y) * scale, int(x) * scale, height, width)
