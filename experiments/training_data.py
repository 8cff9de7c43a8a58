"""Training batches, each a pure function of (seed, step), and a thread that prepares them."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from cem_jax.experiments.degradations import DEGRADATIONS, degrade, degrade_patch
from cem_jax.scene.degrade.rain import draw_rain

_RAIN_LAYERS = 200
_RAIN_SIDE = 384
_AHEAD = 4

Batch = TypeVar("Batch")


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Random patches of photographs, degraded on the fly.

    Args:
        clean: uint8 photographs [h, w, 3], sides cut to multiples of 4.
        reduced: the same photographs as inputs of SR, where it is among the tasks, else empty.
        layers: rain layers for DR, else empty.
        tasks: the degradations, one of which every patch receives, and in how many parts of them.
        introduce: a further one of the tasks joins after this many steps; 0: all from the start.
        scale: output pixels per input pixel.
        patch: side of a patch in input pixels.
        batch: patches in a batch.
        seed: seed of all draws.
    """

    clean: tuple[UInt8[np.ndarray, "..."], ...]
    reduced: tuple[UInt8[np.ndarray, "..."], ...]
    layers: UInt8[np.ndarray, "layers side side"]
    tasks: Mapping[str, int]
    introduce: int
    scale: int
    patch: int
    batch: int
    seed: int

    @classmethod
    def make(
        cls,
        photographs: list[UInt8[np.ndarray, "..."]],
        task: str,
        *,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        introduce: int = 0,
    ) -> "TrainingData":
        """Prepares what does not change from step to step.

        Args:
            photographs: uint8 [h, w, 3].
            task: "SR", "DN", "DR", "mix" or "MIO".
            scale: output pixels per input pixel.
            patch: side of a patch in input pixels.
            batch: patches in a batch.
            seed: seed of all draws.
            introduce: steps after which a further degradation joins; 0: all from the start.

        Raises:
            ValueError: a photograph is smaller than a patch.
        """
        clean = tuple(cut(image, 4) for image in photographs)
        side = min(min(image.shape[:2]) for image in clean)
        if side < scale * patch:
            raise ValueError(f"patch={patch}: the smallest photograph has a side of {side} pixels")
        tasks = DEGRADATIONS[task]
        reduced = tuple(degrade(image, "SR", 0, scale) for image in clean) if "SR" in tasks else ()
        count = _RAIN_LAYERS if "DR" in tasks else 0
        layers = [draw_rain((_RAIN_SIDE, _RAIN_SIDE), 1_000_000 + k)[1] for k in range(count)]
        rain = np.array(layers, np.uint8).reshape(count, _RAIN_SIDE, _RAIN_SIDE)
        return cls(clean, reduced, rain, tasks, introduce, scale, patch, batch, seed)

    def __call__(
        self, step: int
    ) -> tuple[Float32[np.ndarray, "n h w c"], Float32[np.ndarray, "n H W c"]]:
        """Degraded and clean patches of one step, float32 [batch, side, side, 3] in [0, 1]."""
        random = np.random.default_rng((self.seed, step))
        learnt = 1 + step // self.introduce if self.introduce else len(self.tasks)
        # By the square root of the area: large photographs are smoother than small ones.
        weight = np.sqrt([image.shape[0] * image.shape[1] for image in self.clean])
        chosen = random.choice(len(self.clean), self.batch, p=weight / weight.sum())
        among = [task for task, parts in islice(self.tasks.items(), learnt) for _ in range(parts)]
        pairs = [self._pair(random, index, among) for index in chosen]
        degraded, clean = (np.stack(images) for images in zip(*pairs, strict=True))
        return degraded.astype(np.float32), clean.astype(np.float32)

    def _pair(
        self, random: np.random.Generator, index: int, tasks: list[str]
    ) -> tuple[Float[np.ndarray, "h w c"], Float[np.ndarray, "H W c"]]:
        task = tasks[int(random.integers(len(tasks))) if len(tasks) > 1 else 0]
        image, scale = self.clean[index], self.scale
        y = random.integers(image.shape[0] // scale - self.patch + 1)
        x = random.integers(image.shape[1] // scale - self.patch + 1)
        side = self.patch * scale
        clean = image[y * scale : y * scale + side, x * scale : x * scale + side]
        clean = clean.astype(np.float64) / 255
        if task == "SR":
            degraded = self.reduced[index][y : y + self.patch, x : x + self.patch] / 255
        elif task == "DR":
            degraded = self._rain(random, clean)
        else:
            degraded = degrade_patch(random, clean, task)
        turns, mirror = int(random.integers(4)), int(random.integers(2))
        return _turn(degraded, turns, mirror), _turn(clean, turns, mirror)

    def _rain(
        self, random: np.random.Generator, clean: Float[np.ndarray, "h w c"]
    ) -> Float[np.ndarray, "h w c"]:
        layer = self.layers[random.integers(len(self.layers))]
        y, x = random.integers(_RAIN_SIDE - self.patch + 1, size=2)
        streaks = layer[y : y + self.patch, x : x + self.patch, None] / 255
        return np.clip(clean + random.uniform(0.6, 1.0) * streaks, 0, 1)


def ahead(make: Callable[[int], Batch], steps: Iterable[int]) -> Iterator[Batch]:
    """`make(step)` of every step in order, prepared by a thread while earlier ones are used."""
    remaining = iter(steps)
    with ThreadPoolExecutor(1) as worker:
        pending = deque(worker.submit(make, step) for step in islice(remaining, _AHEAD))
        while pending:
            batch = pending.popleft().result()
            pending.extend(worker.submit(make, step) for step in islice(remaining, 1))
            yield batch


def cut(image: Shaped[np.ndarray, "H W c"], multiple: int) -> Shaped[np.ndarray, "h w c"]:
    """The image without the rows and columns beyond a multiple."""
    h, w = (side // multiple * multiple for side in image.shape[:2])
    return image[:h, :w]


def _turn(
    image: Shaped[np.ndarray, "h w c"], turns: int, mirror: int
) -> Shaped[np.ndarray, "rows columns c"]:
    image = np.rot90(image, turns)
    return image[:, ::-1] if mirror else image
