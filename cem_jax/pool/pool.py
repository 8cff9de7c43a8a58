"""The pool: patches that may stand in for a block of the image."""

import dataclasses
import functools
import hashlib
import io
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from cem_jax.arguments import as_text, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.plain_text import path_text, quoted, reason
from cem_jax.read_only import keep_read_only
from cem_jax.scene.examples import example_image, example_names
from cem_jax.scene.image import as_image, luma_of, open_image, to_bytes
from cem_jax.store.atomic import write_file
from cem_jax.store.npz import read_npz, text_of
from cem_jax.store.objects import AnyPath, as_place

_COUNT = 10_000
_BUNDLED = 8
"""Side of the patches of the pool that is bundled."""
_BYTES = 2**26
"""Room for a pool that is cut anew."""
_TOGETHER = 2**24
"""Bytes of patches whose sharpness is found at once."""
_BINS = 20
_FLAT = 32.0
"""Sharpness below which a patch of 8-bit pixels counts as flat; all such share one bin."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def sharpness(patches: UInt8[np.ndarray, "n side side c"]) -> Float[np.ndarray, " n"]:
    """How much a patch varies: the norm of its summed absolute differences along both axes.

    Args:
        patches: uint8 [n, side, side, c], in colour or grey.

    Returns:
        float [n], in grey levels.
    """
    luma = np.array([0.299, 0.587, 0.114] if patches.shape[3] == 3 else [1], np.float32)
    grey = patches.astype(np.float32) @ luma
    across = np.abs(np.diff(grey, axis=2)).sum((1, 2))
    down = np.abs(np.diff(grey, axis=1)).sum((1, 2))
    return np.hypot(across, down)


def _even(
    values: Float[np.ndarray, " n"], count: int, random: np.random.Generator
) -> Int[np.ndarray, " chosen"]:
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


def _taken(
    view: UInt8[np.ndarray, "rows columns c side side"],
    y: Int[np.ndarray, " n"],
    x: Int[np.ndarray, " n"],
) -> UInt8[np.ndarray, "n side side c"]:
    """Patches [n, side, side, c] out of all that an image has."""
    return np.moveaxis(view[y, x], 1, 3)


_MOST = 10**6
"""Patches of a pool: choosing among more takes the memory of a machine."""


@dataclasses.dataclass(frozen=True, eq=False)
class PatchPool:
    """Patches in the clean image's space from which interventions draw with equal chance.

    Args:
        patches: uint8 [n, side, side, 3], or grey [n, side, side, 1].
        name: what the pool is called in a map's record.

    Raises:
        ValueError: an empty pool, or patches of another shape or type.

    Examples:
        >>> import cem_jax as cem
        >>> cem.PatchPool.from_images([cem.example_image("pagoda")], size=8, count=100)
        PatchPool(patches=uint8[100, 8, 8, 3], name='images')
    """

    patches: UInt8[np.ndarray, "n side side c"]
    name: str = "pool"

    __repr__ = by_shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text("name", self.name))
        array = np.asarray(self.patches)
        if array.ndim != 4 or array.shape[3] not in (1, 3) or array.shape[1] != array.shape[2]:
            raise ValueError(f"patches has shape {array.shape}; expected [n, side, side, 3 or 1]")
        if array.dtype != np.uint8:
            raise ValueError(f"patches has dtype {array.dtype}; expected uint8")
        if 0 in array.shape:
            raise ValueError(f"patches has shape {array.shape}: an empty pool")
        object.__setattr__(self, "patches", array)
        keep_read_only(self)

    @property
    def size(self) -> int:
        """Side of a patch, in pixels of the clean image."""
        return self.patches.shape[1]

    def __len__(self) -> int:
        return len(self.patches)

    @property
    def channels(self) -> int:
        """3 in colour, 1 in grey."""
        return self.patches.shape[3]

    @property
    def digest(self) -> str:
        """A fingerprint of the patches."""
        return hashlib.sha256(np.ascontiguousarray(self.patches).tobytes()).hexdigest()[:16]

    def grey(self) -> "PatchPool":
        """The same patches in grey, see `to_grey`."""
        if self.channels == 1:
            return self
        patches = luma_of(self.patches)
        return dataclasses.replace(self, patches=patches, name=f"{self.name} in grey")

    @classmethod
    def default(cls, size: int = _BUNDLED) -> "PatchPool":
        """Patches of free photographs (see `data/ATTRIBUTION.md`), the same ones at every call.

        Args:
            size: side of a patch, in pixels. 8: 10,000 patches, bundled as they are. Others are cut
                from the bundled test images: 10,000, or what 64 MiB hold.

        Raises:
            ValueError: the photographs are smaller than the patches.

        Examples:
            >>> import cem_jax as cem
            >>> cem.PatchPool.default(9)
            PatchPool(patches=uint8[10000, 9, 9, 3], name='bundled-9')
        """
        size = _side(size)
        if size == _BUNDLED:
            return cls.load(Path(str(resources.files("cem_jax"))) / "data" / "pool_8.npz")
        return _cut_anew(size)

    @classmethod
    def from_images(
        cls,
        images: str | AnyPath | Iterable[object],
        size: int = 8,
        count: int = _COUNT,
        seed: int = 0,
    ) -> "PatchPool":
        """Draws patches from photographs, evenly over the range of their sharpness.

        Args:
            images: a folder of photographs, or images as arrays, all in colour or all in grey.
            size: side of a patch, in pixels.
            count: number of patches.
            seed: seed of the choice.

        Raises:
            ValueError: no images, images smaller than a patch, or some in colour and some in grey.
        """
        size, count = _side(size), whole_number("count", count, 1, _MOST)
        if isinstance(images, str | AnyPath):
            folder = as_place(images, "images")
            name = folder.name
            files = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIXES)
            arrays = [open_image(path) for path in files]
        else:
            if not isinstance(images, Iterable) or getattr(images, "ndim", 1) == 0:
                raise ValueError(f"images={quoted(images)}: expected a folder or images")
            name, arrays = "images", list(images)
        if not arrays:
            raise ValueError(
                f"images={quoted(images)} holds no image; expected {', '.join(_SUFFIXES)}"
            )
        random = np.random.default_rng(whole_number("seed", seed, 0))
        each = -(-20 * count // len(arrays))
        views, places, levels = [], [], []
        for index, array in enumerate(arrays):
            image = to_bytes(as_image(f"images[{index}]", array))
            if min(image.shape[:2]) < size:
                raise ValueError(
                    f"images[{index}] has {image.shape[0]} x {image.shape[1]} pixels, less than a "
                    f"patch of size={size}; expected larger images, or smaller blocks"
                )
            if views and image.shape[2] != views[0].shape[2]:
                raise ValueError(f"images[{index}] has {image.shape[2]} channels, others differ")
            view = np.lib.stride_tricks.sliding_window_view(image, (size, size), (0, 1))
            y = random.integers(view.shape[0], size=each)
            x = random.integers(view.shape[1], size=each)
            parts = np.array_split(np.arange(each), -(-each * view[0, 0].nbytes // _TOGETHER))
            levels += [sharpness(_taken(view, y[part], x[part])) for part in parts]
            views.append(view)
            places += [(index, *place) for place in zip(y.tolist(), x.tolist(), strict=True)]
        chosen = _even(np.concatenate(levels), count, random)
        patches = np.empty((len(chosen), size, size, views[0].shape[2]), np.uint8)
        for number, which in enumerate(chosen):
            index, y, x = places[which]
            patches[number] = np.moveaxis(views[index][y, x], 0, 2)
        return cls(patches, name)

    def save(self, path: str | AnyPath) -> None:
        """Writes the pool to a `.npz` file.

        Args:
            path: the file; `.npz` is appended where it is missing.

        Raises:
            ValueError: the file cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, patches=self.patches, name=self.name)
        path = as_place(path)
        named = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
        write_file(named, buffer.getvalue())

    @classmethod
    def load(cls, path: str | AnyPath) -> "PatchPool":
        """Reads what `save` wrote, or any `.npz` with `patches` uint8 [n, side, side, c].

        Args:
            path: the file.

        Raises:
            ValueError: the file is missing or is no pool; the message names it.
        """
        try:
            found = read_npz(as_place(path), ("patches", "name"))
            if "patches" not in found:
                raise ValueError("it holds no patches")
            name = text_of(found, "name") if "name" in found else as_place(path).stem
            return cls(found["patches"], name)
        except ValueError as error:
            raise ValueError(f"path={path_text(path)} holds no pool: {reason(error)}") from error


def _side(size: object) -> int:
    return whole_number("size", size, 1, 10**6)


@functools.lru_cache(maxsize=4)
def _cut_anew(size: int) -> PatchPool:
    """Patches of another size than the bundled ones'."""
    images = [example_image(name) for name in example_names()]
    if size > min(min(image.shape[:2]) for image in images):
        raise ValueError(
            f"size={size}: the bundled photographs are smaller; cut patches from your own: "
            f"PatchPool.from_images(folder, size={size})"
        )
    count = min(_COUNT, max(_BYTES // (3 * size**2), 1))
    cut = PatchPool.from_images(images, size, count)
    return PatchPool(cut.patches, f"bundled-{size}")
