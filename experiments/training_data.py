"""Training batches and validation pairs, each a pure function of (seed, step)."""

import dataclasses

import numpy as np

from cem_jax.degrade.bicubic import downsample
from cem_jax.degrade.noise import add_noise
from cem_jax.degrade.rain import add_rain, draw_rain

SIGMA = 50 / 255
_RAIN_LAYERS = 200
_RAIN_SIDE = 384


def degrade(clean: np.ndarray, task: str, seed: int) -> np.ndarray:
    """The task's input for a whole photograph, as a scene makes it.

    Args:
        clean: uint8 [h, w, 3]; for SR multiples of 4.
        task: "SR" (x4), "DN" (sigma 50) or "DR".
        seed: seed of noise and rain.

    Returns:
        uint8 [h', w', 3].
    """
    if task == "SR":
        return np.asarray(downsample(clean, 4), np.uint8)
    if task == "DN":
        return add_noise(clean, SIGMA, seed)
    rain, layer = draw_rain(clean.shape[:2], seed)
    return np.asarray(add_rain(clean, layer, rain.beta), np.uint8)


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Random patches of photographs, degraded on the fly.

    Args:
        clean: uint8 photographs [h, w, 3], sides cut to multiples of 4.
        small: the same photographs shrunk for SR, else empty.
        layers: rain layers for DR, else empty.
        task: "SR", "DN" or "DR".
        patch: side of a patch in input pixels.
        batch: patches in a batch.
        seed: seed of all draws.
    """

    clean: tuple[np.ndarray, ...]
    small: tuple[np.ndarray, ...]
    layers: np.ndarray
    task: str
    patch: int
    batch: int
    seed: int

    @classmethod
    def make(
        cls, photographs: list[np.ndarray], task: str, patch: int, batch: int, seed: int
    ) -> "TrainingData":
        """Prepares what does not change from step to step."""
        clean = tuple(cut(image, 4) for image in photographs)
        small = tuple(degrade(image, "SR", 0) for image in clean) if task == "SR" else ()
        count = _RAIN_LAYERS if task == "DR" else 0
        layers = [draw_rain((_RAIN_SIDE, _RAIN_SIDE), 1_000_000 + k)[1] for k in range(count)]
        return cls(clean, small, np.array(layers), task, patch, batch, seed)

    def __call__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Degraded and clean patches of one step, float32 in [0, 1] (see `_degrade_patch`)."""
        random = np.random.default_rng((self.seed, step))
        # By the square root of the area: large photographs are smoother than small ones.
        weight = np.sqrt([image.shape[0] * image.shape[1] for image in self.clean])
        chosen = random.choice(len(self.clean), self.batch, p=weight / weight.sum())
        pairs = [self._pair(random, index) for index in chosen]
        degraded, clean = (np.stack(images) for images in zip(*pairs, strict=True))
        return degraded.astype(np.float32), clean.astype(np.float32)

    def _pair(self, random: np.random.Generator, index: int) -> tuple[np.ndarray, np.ndarray]:
        image = self.clean[index]
        scale = 4 if self.task == "SR" else 1
        y = random.integers(image.shape[0] // scale - self.patch + 1)
        x = random.integers(image.shape[1] // scale - self.patch + 1)
        side = self.patch * scale
        clean = image[y * scale : y * scale + side, x * scale : x * scale + side]
        clean = clean.astype(np.float64) / 255
        if self.task == "SR":
            degraded = self.small[index][y : y + self.patch, x : x + self.patch] / 255
        else:
            degraded = self._degrade_patch(random, clean)
        turns, mirror = int(random.integers(4)), int(random.integers(2))
        return _turn(degraded, turns, mirror), _turn(clean, turns, mirror)

    def _degrade_patch(self, random: np.random.Generator, clean: np.ndarray) -> np.ndarray:
        """Noise (every other time left unclipped, as other code bases feed it) or rain."""
        if self.task == "DN":
            noisy = clean + random.normal(0, SIGMA, clean.shape)
            clipped = np.floor(np.clip(noisy, 0, 1) * 255) / 255
            return clipped if random.integers(2) else noisy
        layer = self.layers[random.integers(len(self.layers))]
        y, x = random.integers(_RAIN_SIDE - self.patch + 1, size=2)
        streaks = layer[y : y + self.patch, x : x + self.patch, None] / 255
        return np.clip(clean + random.uniform(0.6, 1.0) * streaks, 0, 1)


def cut(image: np.ndarray, multiple: int) -> np.ndarray:
    """The image without the rows and columns beyond a multiple."""
    h, w = (side // multiple * multiple for side in image.shape[:2])
    return image[:h, :w]


def _turn(image: np.ndarray, turns: int, mirror: int) -> np.ndarray:
    image = np.rot90(image, turns)
    return image[:, ::-1] if mirror else image
