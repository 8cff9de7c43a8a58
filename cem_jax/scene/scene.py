"""A scene: the clean image, the degraded input, and what do(patch) means for the task.

An intervention happens before the degradation, so that the input stays in the task's distribution
(Hu et al., arXiv 2407.19789, section 3).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from cem_jax.arguments import as_text, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.plain_text import quoted
from cem_jax.read_only import keep_read_only
from cem_jax.scene.degrade.bicubic import downsample, upsample
from cem_jax.scene.degrade.noise import Noise, PoissonGaussian, add_noise, noise_level
from cem_jax.scene.degrade.rain import Rain, add_rain, draw_rain
from cem_jax.scene.degrade.sequence import DegradedAgain, degrade, draw, multiple_of, ratio_of
from cem_jax.scene.degrade.step import Degradation
from cem_jax.scene.image import as_image, to_bytes
from cem_jax.scene.intervene import (
    Custom,
    FreshNoise,
    Intervene,
    SameRain,
    Shrink,
    ShrinkAndEnlarge,
    check_function,
)
from cem_jax.scene.pairs import Meaning
from cem_jax.show import html


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A clean image, its degraded version, and the task's do().

    Use the constructors `super_resolution`, `preupsampled`, `denoising`, `deraining`, `degraded_by`
    and `custom`, or `make_scene` by a task's name.
    Degraded images lie on the 8-bit grid, as the files do that the paper's code feeds to its
    networks.

    Args:
        clean: float32 [H, W, c] in [0, 1].
        degraded: float32 [H / scale, W / scale, c] in [0, 1].
        scale: output pixels per input pixel.
        task: "SR", "DN", "DR", or what else the scene's network restores.
        intervene: how a pool patch enters; None: only `outcomes` is possible.
        facts: parameters of the degradation, for the record.
        name: what it is called in records and reports; no outcome depends on it.

    Raises:
        ValueError: the name is no text.
    """

    clean: Float32[np.ndarray, "H W c"]
    degraded: Float32[np.ndarray, "h w c"]
    scale: int
    task: str
    intervene: Intervene | None
    facts: Mapping[str, Any]
    name: str = ""

    __repr__ = by_shape
    _repr_html_ = html

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text("name", self.name))
        keep_read_only(self)

    @property
    def noise_level(self) -> float | None:
        """Deviation of the noise on the input, in units of [0, 1]; None where nothing tells it."""
        if self.task == "DN" and "sigma" in self.facts:
            return self.facts["sigma"]
        steps = list(self.intervene.steps) if isinstance(self.intervene, DegradedAgain) else []
        noises = [step for step in steps if isinstance(step, Noise | PoissonGaussian)]
        last = noises[0] if len(noises) == 1 and noises[0] is steps[-1] else None
        return last.sigma if isinstance(last, Noise) else None

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
        image, scale = _cut("scale", clean, whole_number("scale", scale, 2))
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
        image, factor = _cut("factor", clean, whole_number("factor", factor, 2))
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
            ValueError: not an image, or a sigma outside 0 .. 1.
        """
        image = as_image("clean", clean)
        sigma = noise_level(sigma)
        seed = whole_number("seed", seed, 0, 2**32 - 1)
        noisy = add_noise(to_bytes(image), sigma, seed).astype(np.float32)
        facts = {"sigma": sigma, "seed": seed}
        return cls(image, noisy / np.float32(255), 1, "DN", FreshNoise(sigma), facts, name)

    @classmethod
    def deraining(
        cls,
        clean: object,
        seed: int = 0,
        rain: tuple[Rain, UInt8[np.ndarray, "H W"]] | None = None,
        *,
        kind: str = "medium",
        angle: float | None = None,
        name: str = "",
    ) -> "Scene":
        """A scene of deraining: synthetic rain, of which do() adds the same layer again.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            seed: seed of the rain; the paper's code takes the number in the file's name.
            rain: parameters and uint8 layer [H, W] instead of drawn ones.
            kind: "small", "medium" (the paper's), "large" or "random" rain.
            angle: of the streaks, in degrees from the vertical; None draws it.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, another kind, or a layer of another size.
        """
        image = as_image("clean", clean)
        seed = whole_number("seed", seed, 0, 2**32 - 1)
        drawn, layer = _rain(rain) or draw_rain(image.shape[:2], seed, kind, angle)
        if layer.shape != image.shape[:2] or layer.dtype != np.uint8:
            raise ValueError(
                f"rain: the layer is {layer.dtype} {layer.shape}; expected uint8 {image.shape[:2]}"
            )
        degraded = np.asarray(add_rain(to_bytes(image), layer, drawn.beta), np.float32)
        mechanism = SameRain(jnp.asarray(layer, jnp.float32), drawn.beta)
        facts = dataclasses.asdict(drawn) | ({"seed": seed} if rain is None else {})
        return cls(image, degraded / np.float32(255), 1, "DR", mechanism, facts, name)

    @classmethod
    def degraded_by(
        cls,
        clean: object,
        steps: Sequence[Degradation],
        seed: int = 0,
        *,
        task: str = "custom",
        name: str = "",
    ) -> "Scene":
        """A scene of any degradations in sequence, each to 8 bits.

        do() lays the patch into the clean image and degrades what it changes again, exactly: also
        the pixels around the block that blur, reduction or JPEG spread it to. Streaks, haze and
        depth stay; noise is drawn anew inside the block. Rows and columns beyond a multiple of the
        reduction are cut off.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            steps: degradations such as `[Blur.gaussian(2), Reduce(4), Noise(5 / 255), Jpeg(60)]`;
                none leaves the image as it is.
            seed: of all that is random.
            task: what a network for it restores, for the record.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not an image, no degradations, or a result that is larger than the image.

        Examples:
            >>> import cem_jax as cem
            >>> steps = [cem.Blur.gaussian(1.5), cem.Reduce(2), cem.Jpeg(40)]
            >>> cem.Scene.degraded_by(cem.example_image("dog"), steps).degraded.shape
            (128, 128, 3)
        """
        if not isinstance(steps, Sequence):
            raise ValueError(f"steps={quoted(steps)}: expected a sequence of degradations")
        steps = tuple(steps)
        for step in steps:
            if not isinstance(step, Degradation):
                raise ValueError(
                    f"steps holds {quoted(step)}: expected degradations such as Noise(0.1)"
                )
        seed = whole_number("seed", seed, 0, 2**64 - 1)
        ratio, multiple = ratio_of(steps), multiple_of(steps)
        if ratio.numerator != 1:
            raise ValueError(
                f"steps={quoted(steps)}: their result has {ratio} times the image's sides"
            )
        image, _ = _cut("the reduction of steps", clean, multiple)
        levels, drawn = to_bytes(image), draw(steps, image.shape, seed)  # type: ignore[arg-type]
        degraded = np.asarray(degrade(levels, steps, drawn), np.float32) / np.float32(255)
        mechanism = DegradedAgain(jnp.asarray(levels), drawn, steps)
        facts = {"steps": [repr(step) for step in steps], "seed": seed}
        return cls(image, degraded, ratio.denominator, task, mechanism, facts, name)

    @classmethod
    def custom(
        cls,
        clean: object,
        degraded: object,
        intervene: Intervene | Meaning | None = None,
        *,
        name: str = "",
    ) -> "Scene":
        """A scene of a clean and a degraded photograph that are given.

        Args:
            clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
            degraded: the same in [H / scale, W / scale].
            intervene: the task's do(): `again(function)`, `residual()`, `from_degraded_pool()`, or
                a function of your own, see `Intervene`; None: only `outcomes` is possible.
            name: what the scene is called in records and reports.

        Raises:
            ValueError: not images, sizes without a whole ratio, or a do() that cannot be called.
        """
        target, source = as_image("clean", clean), as_image("degraded", degraded)
        scale = target.shape[0] // source.shape[0]
        if scale < 1 or target.shape[:2] != tuple(scale * side for side in source.shape[:2]):
            raise ValueError(
                f"degraded has {source.shape[:2]} pixels; the clean image's {target.shape[:2]} "
                "must be a whole multiple"
            )
        if target.shape[2] != source.shape[2]:
            raise ValueError(
                f"degraded has {source.shape[2]} channels, clean {target.shape[2]}; cem.to_grey "
                "makes one of three"
            )
        facts, mechanism = {}, None
        if isinstance(intervene, Meaning):
            mechanism, facts = intervene.bound(target, source, scale)
        elif intervene is not None:
            check_function(intervene)
            mechanism = Custom(intervene)
        return cls(target, source, scale, "custom", mechanism, facts, name)


def _cut(name: str, clean: object, factor: object) -> tuple[Float32[np.ndarray, "H W c"], int]:
    """The clean image without what lies beyond a multiple of the factor, and the factor."""
    image, factor = as_image("clean", clean), whole_number(name, factor, 1)
    h, w = (side // factor * factor for side in image.shape[:2])
    if min(h, w) == 0:
        raise ValueError(f"{name}={factor}: larger than the image of {image.shape[:2]} pixels")
    return image[:h, :w], factor


def _rain(given: object) -> tuple[Rain, np.ndarray] | None:
    """Rain and its layer as `draw_rain` makes them, from what a user gives."""
    if given is None:
        return None
    parts = given if isinstance(given, tuple) else ()
    if len(parts) != 2 or not isinstance(parts[0], Rain) or not isinstance(parts[1], np.ndarray):
        raise ValueError(f"rain={quoted(given)}: expected a Rain and its layer")
    return parts[0], parts[1]
