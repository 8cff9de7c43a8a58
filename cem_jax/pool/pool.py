"""The pool: patches that may stand in for a block of the image."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.by_shape import by_shape
from cem_jax.scene.image import as_image, read_image, to_bytes

_BINS = 20
_FLAT = 32.0
"""Sharpness below which a patch of 8-bit pixels counts as flat; all such share one bin."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def sharpness(patches: np.ndarray) -> np.ndarray:
    """How much a patch varies: the norm of its summed absolute differences along both axes.

    Args:
        patches: uint8 [n, side, side, 3].

    Returns:
        float [n], in grey levels.
    """
    grey = patches.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    across = np.abs(np.diff(grey, axis=2)).sum((1, 2))
    down = np.abs(np.diff(grey, axis=1)).sum((1, 2))
    return np.hypot(across, down)


def _even(values: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Indices of `count` values, spread as evenly over their logarithmic range as they allow."""
    level = np.log1p(values)
    top = max(np.quantile(level, 0.999), np.log1p(2 * _FLAT))
    edges = np.linspace(np.log1p(_FLAT), top, _BINS)[:-1]
    bins = np.digitize(level, edges)
    # A random order within each bin, then bins in turn: the r-th of every bin before the next.
    order = random.permutation(len(values))
    rank = np.empty(len(values), int)
    for one in range(_BINS):
        members = order[bins[order] == one]
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank[order], kind="stable")[:count]])


@dataclasses.dataclass(frozen=True)
class PatchPool:
    """Patches in the clean image's space from which interventions draw with equal chance.

    Args:
        patches: uint8 [n, side, side, 3].
        name: what the pool is called in a map's record.

    Raises:
        ValueError: an empty pool, or patches of another shape or type.

    Examples:
        >>> import cem_jax as cem
        >>> cem.PatchPool.from_images([cem.example_image("pagoda")], size=8, count=100)
        PatchPool(patches=uint8[100, 8, 8, 3], name='images')
    """

    patches: np.ndarray
    name: str = "pool"

    __repr__ = by_shape

    def __post_init__(self) -> None:
        array = np.asarray(self.patches)
        if array.ndim != 4 or array.shape[3] != 3 or array.shape[1] != array.shape[2]:
            raise ValueError(f"patches has shape {array.shape}; expected [n, side, side, 3]")
        if array.dtype != np.uint8:
            raise ValueError(f"patches has dtype {array.dtype}; expected uint8")
        if 0 in array.shape:
            raise ValueError(f"patches has shape {array.shape}: an empty pool")

    @property
    def size(self) -> int:
        """Side of a patch, in pixels of the clean image."""
        return self.patches.shape[1]

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def digest(self) -> str:
        """A fingerprint of the patches."""
        return hashlib.sha256(np.ascontiguousarray(self.patches).tobytes()).hexdigest()[:16]

    @classmethod
    def default(cls) -> "PatchPool":
        """10,000 patches of 8x8 from free photographs (see `data/ATTRIBUTION.md`)."""
        return cls.load(Path(str(resources.files("cem_jax"))) / "data" / "pool_8.npz")

    @classmethod
    def from_images(
        cls,
        images: str | Path | Iterable[object],
        size: int = 8,
        count: int = 10_000,
        seed: int = 0,
    ) -> "PatchPool":
        """Draws patches from photographs, evenly over the range of their sharpness.

        Args:
            images: a folder of photographs, or images as arrays.
            size: side of a patch, in pixels.
            count: number of patches.
            seed: seed of the choice.

        Raises:
            ValueError: no images, or images smaller than a patch.
        """
        size, count = whole_number("size", size, 1), whole_number("count", count, 1)
        if isinstance(images, str | Path):
            folder, name = Path(images), str(Path(images).name)
            files = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIXES)
            arrays = [read_image(path) for path in files]
        else:
            name, arrays = "images", list(images)
        if not arrays:
            raise ValueError(f"images={images!r} holds no image; expected {', '.join(_SUFFIXES)}")
        random = np.random.default_rng(whole_number("seed", seed, 0))
        each = -(-20 * count // len(arrays))
        candidates = []
        for index, array in enumerate(arrays):
            image = to_bytes(as_image(f"images[{index}]", array))
            if min(image.shape[:2]) < size:
                raise ValueError(f"images[{index}] has {image.shape[:2]} pixels; size={size}")
            view = np.lib.stride_tricks.sliding_window_view(image, (size, size), (0, 1))
            y = random.integers(view.shape[0], size=each)
            x = random.integers(view.shape[1], size=each)
            candidates.append(np.moveaxis(view[y, x], 1, 3))
        patches = np.concatenate(candidates)
        chosen = _even(sharpness(patches), count, random)
        return cls(np.ascontiguousarray(patches[chosen]), name)

    def save(self, path: str | Path) -> None:
        """Writes the pool to a `.npz` file.

        Args:
            path: the file.
        """
        np.savez_compressed(path, patches=self.patches, name=self.name)

    @classmethod
    def load(cls, path: str | Path) -> "PatchPool":
        """Reads what `save` wrote, or any `.npz` with `patches` uint8 [n, side, side, 3].

        Args:
            path: the file.

        Raises:
            ValueError: the file is missing or is no pool.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                name = str(file["name"]) if "name" in file else Path(path).stem
                return cls(file["patches"], name)
        except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"path={str(path)!r} holds no pool: {error}") from error
