"""The degradations of all tasks: of a patch in training, and of a whole photograph.

Strengths are drawn here; what they do is the code of the scenes. SR, DN and DR are those of a
`Scene`. The others follow the seven tasks of Kong et al., "Towards
Effective Multiple-in-One Image Restoration" (arXiv 2401.03379), with ranges of our own: a small
network sees too little of an image to tell a dim or pale scene from low light or haze by brightness
alone. So these are milder, and noisy, as a camera's pictures are in such light.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

from cem_jax.scene.degrade.bicubic import downsample, upsample
from cem_jax.scene.degrade.haze import hazed, transmission
from cem_jax.scene.degrade.jpeg import compressed
from cem_jax.scene.degrade.kernel import correlate, gaussian
from cem_jax.scene.degrade.low_light import darkened
from cem_jax.scene.degrade.noise import add_noise
from cem_jax.scene.degrade.rain import add_rain, draw_rain

SIGMA = 50 / 255
"""Standard deviation of DN's noise, in units of [0, 1]."""
SCALE = 4
"""Factor of SR."""

DEGRADATIONS = {
    "SR": {"SR": 1},
    "DN": {"DN": 1},
    "DR": {"DR": 1},
    "mix": {"SR": 1, "DN": 1, "DR": 1},
    "MIO": {"SR": 3, "blur": 1, "DN": 1, "JPEG": 4, "DR": 1, "haze": 1, "low light": 1},
}
"""What a network of each kind removes, and how many parts of the patches have it.

A sequential MIO network learns them in this order. SR gains least from a patch; and a small network
takes what is sharp for rain unless sharp patches are mostly without it, hence the parts of JPEG.
"""


def blur(
    random: np.random.Generator, clean: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w c"]:
    """A Gaussian of 1 to 3 pixels, mirrored at the borders; float [h, w, 3] in and out."""
    kernel = gaussian(random.uniform(1, 3), 9)
    return np.stack([correlate(clean[..., c], kernel) for c in range(clean.shape[2])], axis=-1)


def compress(
    random: np.random.Generator, clean: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w c"]:
    """JPEG of quality 5 to 10; float [h, w, 3] in and out."""
    levels = np.round(255 * clean).astype(np.int32)
    return compressed(levels, int(random.integers(5, 11))) / 255


def _noisy(
    random: np.random.Generator, image: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w c"]:
    """With a camera's noise of 1.5 to 3 % of white, clipped."""
    return np.clip(image + random.normal(0, random.uniform(0.015, 0.03), image.shape), 0, 1)


def haze(
    random: np.random.Generator, clean: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w c"]:
    """Grey light scattered by air over a sloping depth, and noise; float [h, w, 3]."""
    light, middle, slope, angle = random.uniform([0.8, 0.1, 0, 0], [1, 0.4, 0.2, 2 * np.pi])
    through = transmission(clean.shape[:2], middle, slope, np.rad2deg(angle))
    return _noisy(random, hazed(clean, through, light))


def darken(
    random: np.random.Generator, clean: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w c"]:
    """Low light: a gamma of 1.1 to 1.6, 70 to 100 % of it left, and noise; float [h, w, 3]."""
    return _noisy(random, darkened(clean, *random.uniform([1.1, 0.7], [1.6, 1])))


Degradation = Callable[
    [np.random.Generator, Float[np.ndarray, "h w c"]], Float[np.ndarray, "h w c"]
]

_DRAWN: dict[str, Degradation] = {
    "blur": blur,
    "JPEG": compress,
    "haze": haze,
    "low light": darken,
}


def degrade_patch(
    random: np.random.Generator, clean: Float[np.ndarray, "h w c"], task: str
) -> Float[np.ndarray, "h w c"]:
    """A training input of one of the tasks that need the patch alone: all but SR and DR.

    Args:
        random: source of strength and noise.
        clean: float [h, w, 3] in [0, 1].
        task: "DN", "blur", "JPEG", "haze" or "low light".

    Returns:
        Float [h, w, 3] on the 8-bit grid; every other noisy patch is left unclipped and unrounded
        instead, as other code bases feed it.
    """
    if task == "DN":
        noisy = clean + random.normal(0, SIGMA, clean.shape)
        clipped = np.floor(np.clip(noisy, 0, 1) * 255) / 255
        return clipped if random.integers(2) else noisy
    return np.round(255 * _DRAWN[task](random, clean)) / 255


def degrade(
    clean: UInt8[np.ndarray, "h w c"], task: str, seed: int, scale: int
) -> UInt8[np.ndarray, "rows columns c"]:
    """The task's input for a whole photograph; for SR, DN and DR as a scene makes it.

    Args:
        clean: uint8 [h, w, 3]; for SR multiples of 4.
        task: one of the tasks in `DEGRADATIONS`.
        seed: seed of noise, rain and strengths.
        scale: output pixels per input pixel of the network; 1 receives SR's input at full size, so
            that one network can serve tasks of both kinds.

    Returns:
        uint8 [h', w', 3].
    """
    if task == "SR":
        small = downsample(clean, SCALE)
        return np.asarray(small if scale == SCALE else upsample(small, SCALE), np.uint8)
    if task == "DN":
        return add_noise(clean, SIGMA, seed)
    if task == "DR":
        rain, layer = draw_rain(clean.shape[:2], seed)
        return np.asarray(add_rain(clean, layer, rain.beta), np.uint8)
    degraded = _DRAWN[task](np.random.default_rng(seed), clean / 255)
    return np.round(255 * degraded).astype(np.uint8)
