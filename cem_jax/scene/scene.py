"""A scene: the clean image, the degraded input, and what do(patch) means for the task.

An intervention happens before the degradation, so that the input stays in the task's distribution
(Hu et al., arXiv 2407.19789, section 3).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.arguments import as_text, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.read_only import keep_read_only
from cem_jax.scene.degrade.bicubic import downsample, upsample
from cem_jax.scene.degrade.noise import add_fresh_noise, add_noise
from cem_jax.scene.degrade.rain import Rain, add_rain, draw_rain
from cem_jax.scene.image import as_image, to_bytes

Intervene = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
"""`intervene(patch, y, x, key)`: the input pixels that a pool patch becomes.

patch: float32 [block, block, c] in [0, 1]; y, x: the block's corner in input pixels; key: for fresh
noise. Returns float32 [block / scale, block / scale, c] in [0, 1]. It runs under vmap and jit.
"""


# Those without arrays are static as a whole: structures of `register_dataclass` with equal fields
# count as equal in JAX 0.10 whatever their class, and jit then takes one for the other at times.
@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Shrink:
    """Super-resolution: the patch is shrunk on its own, bicubically with antialiasing."""

    scale: int

    def __call__(self, patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        return downsample(jnp.round(255 * patch), self.scale) / 255


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class ShrinkAndEnlarge:
    """Super-resolution at full size: the patch is shrunk and enlarged again, both on its own."""

    factor: int

    def __call__(self, patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        if patch.shape[0] % self.factor:
            raise ValueError(
                f"block={patch.shape[0]}: in a scene reduced by {self.factor} it must be a "
                f"multiple of {self.factor}"
            )
        small = downsample(jnp.round(255 * patch), self.factor)
        return upsample(small, self.factor) / 255


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class FreshNoise:
    """Denoising: the patch receives noise of the image's sigma, drawn anew."""

    sigma: float

    def __call__(self, patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        return add_fresh_noise(key, jnp.round(255 * patch), self.sigma) / 255


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SameRain:
    """Deraining: the image's own rain falls on the patch."""

    layer: jax.Array
    beta: float = dataclasses.field(metadata={"static": True})

    __repr__ = by_shape

    def __call__(self, patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        side = patch.shape[0]
        # Room behind the border, where the last blocks may be cut off.
        layer = jnp.pad(self.layer, ((0, side), (0, side)))
        streaks = jax.lax.dynamic_slice(layer, (y, x), (side, side))
        return add_rain(jnp.round(255 * patch), streaks, self.beta) / 255


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Custom:
    """A user's function, as a static part of the program."""

    function: Intervene

    def __call__(self, patch: jax.Array, y: jax.Array, x: jax.Array, key: jax.Array) -> jax.Array:
        return self.function(patch, y, x, key)


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A clean image, its degraded version, and the task's do().

    Use the constructors `super_resolution`, `preupsampled`, `denoising`, `deraining` and `custom`.
    Degraded images lie on the 8-bit grid, as the files do that the paper's code feeds to its
    networks.

    Args:
        clean: float32 [H, W, c] in [0, 1].
        degraded: float32 [H / scale, W / scale, c] in [0, 1].
        scale: output pixels per input pixel.
        task: "SR", "DN", "DR" or "custom".
        intervene: how a pool patch enters; None: only `outcomes` is possible.
        facts: parameters of the degradation, for the record.
        name: what it is called in records and reports; no outcome depends on it.
    """

    clean: np.ndarray
    degraded: np.ndarray
    scale: int
    task: str
    intervene: Intervene | None
    facts: Mapping[str, Any]
    name: str = ""

    __repr__ = by_shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text("name", self.name))
        keep_read_only(self)

    @classmethod
    def super_resolution(cls, clean: object, scale: int = 4, *, name: str = "") -> "Scene":
        """A scene of super-resolution: bicubic reduction, equal to Pillow's.

        Rows and columns beyond a multiple of the scale are cut off, as in the paper's code.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            scale: 2, 3, 4, ...
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, or a scale that leaves none.

        Examples:
            >>> import cem_jax as cem
            >>> cem.Scene.super_resolution(cem.example_image("pagoda"), scale=4).degraded.shape
            (64, 64, 3)
        """
        image, scale = _cut("scale", clean, scale)
        degraded = np.asarray(downsample(to_bytes(image), scale), np.float32) / np.float32(255)
        return cls(image, degraded, scale, "SR", Shrink(scale), {"scale": scale}, name)

    @classmethod
    def preupsampled(cls, clean: object, factor: int = 4, *, name: str = "") -> "Scene":
        """A scene of super-resolution whose input is enlarged to the output's size beforehand.

        Networks of several tasks take it so, since their input and output have one size. Bicubic
        reduction, then bicubic enlargement, each to 8 bits and equal to Pillow's; do() treats a
        patch in the same way, on its own. Rows and columns beyond a multiple of the factor are cut
        off.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            factor: of the reduction: 2, 3, 4, ...; sides of blocks must be multiples of it.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, or a factor that leaves none.
        """
        image, factor = _cut("factor", clean, factor)
        small = downsample(to_bytes(image), factor)
        degraded = np.asarray(upsample(small, factor), np.float32) / np.float32(255)
        return cls(image, degraded, 1, "SR", ShrinkAndEnlarge(factor), {"factor": factor}, name)

    @classmethod
    def denoising(
        cls, clean: object, sigma: float = 50 / 255, seed: int = 0, *, name: str = ""
    ) -> "Scene":
        """A scene of denoising: Gaussian noise, clipped and truncated to 8 bits.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            sigma: standard deviation, in units of [0, 1].
            seed: seed of the noise; the paper's code uses 0.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, or a sigma that is negative or not finite.
        """
        image = as_image("clean", clean)
        if not (np.isfinite(sigma) and 0 <= sigma <= 10):
            raise ValueError(f"sigma={sigma!r}: expected 0 .. 10, in units of [0, 1] (50/255)")
        seed = whole_number("seed", seed, 0)
        noisy = add_noise(to_bytes(image), float(sigma), seed).astype(np.float32)
        facts = {"sigma": float(sigma), "seed": seed}
        return cls(image, noisy / np.float32(255), 1, "DN", FreshNoise(float(sigma)), facts, name)

    @classmethod
    def deraining(
        cls,
        clean: object,
        seed: int = 0,
        rain: tuple[Rain, np.ndarray] | None = None,
        *,
        name: str = "",
    ) -> "Scene":
        """A scene of deraining: synthetic rain, of which do() adds the same layer again.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            seed: seed of the rain; the paper's code takes the number in the file's name.
            rain: parameters and uint8 layer [H, W] instead of drawn ones.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, or a layer of another size.
        """
        image = as_image("clean", clean)
        seed = whole_number("seed", seed, 0)
        drawn, layer = draw_rain(image.shape[:2], seed) if rain is None else rain
        if layer.shape != image.shape[:2] or layer.dtype != np.uint8:
            raise ValueError(
                f"rain: the layer is {layer.dtype} {layer.shape}; expected uint8 {image.shape[:2]}"
            )
        degraded = np.asarray(add_rain(to_bytes(image), layer, drawn.beta), np.float32)
        mechanism = SameRain(jnp.asarray(layer, jnp.float32), drawn.beta)
        facts = dataclasses.asdict(drawn) | ({"seed": seed} if rain is None else {})
        return cls(image, degraded / np.float32(255), 1, "DR", mechanism, facts, name)

    @classmethod
    def custom(
        cls,
        clean: object,
        degraded: object,
        intervene: Intervene | None = None,
        *,
        name: str = "",
    ) -> "Scene":
        """A scene of another task.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            degraded: uint8 or floating in [0, 1], [H / scale, W / scale, 3].
            intervene: the task's do(), see `Intervene`; None: only `outcomes` is possible.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not images, or sizes without a whole ratio.
        """
        target, source = as_image("clean", clean), as_image("degraded", degraded)
        scale = target.shape[0] // source.shape[0]
        if scale < 1 or target.shape[:2] != tuple(scale * side for side in source.shape[:2]):
            raise ValueError(
                f"degraded has {source.shape[:2]} pixels; the clean image's {target.shape[:2]} "
                "must be a whole multiple"
            )
        mechanism = None if intervene is None else Custom(intervene)
        return cls(target, source, scale, "custom", mechanism, {}, name)


def _cut(name: str, clean: object, factor: object) -> tuple[np.ndarray, int]:
    """The clean image without what lies beyond a multiple of the factor, and the factor."""
    image, factor = as_image("clean", clean), whole_number(name, factor, 2)
    h, w = (side // factor * factor for side in image.shape[:2])
    if min(h, w) == 0:
        raise ValueError(f"{name}={factor}: larger than the image of {image.shape[:2]} pixels")
    return image[:h, :w], factor
