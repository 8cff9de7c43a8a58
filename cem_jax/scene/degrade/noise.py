"""Noise of a camera: Gaussian, clipped and truncated to 8 bits, and growing with the light."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32, Key, Shaped, UInt8

from cem_jax.arguments import number_in
from cem_jax.arrays import AnyArray
from cem_jax.scene.degrade.step import ONE, Degradation, to_levels

_MOST = 1.0
"""Largest standard deviation, in units of [0, 1]: larger numbers are meant as grey levels."""


def noise_level(sigma: object) -> float:
    """A standard deviation, checked.

    Raises:
        ValueError: no number in 0 .. 1.
    """
    unit = "in units of [0, 1]: 50 grey levels are 50/255"
    return number_in("sigma", sigma, 0, _MOST, unit)


def add_noise(
    image: UInt8[np.ndarray, "h w c"], sigma: float, seed: int
) -> UInt8[np.ndarray, "h w c"]:
    """The noisy input of a scene, equal to the paper's code for the same seed.

    numpy's legacy generator is used because its stream is frozen for good.

    Args:
        image: uint8 [h, w, c].
        sigma: standard deviation, in units of [0, 1].
        seed: seed of the noise.

    Returns:
        uint8 [h, w, c].
    """
    noise = np.random.RandomState(seed).normal(0.0, sigma, image.shape)
    return (np.clip(noise + image / 255, 0.0, 1.0) * 255).astype(np.uint8)


def add_fresh_noise(
    key: Key[jax.Array, ""], image: Shaped[AnyArray, "*n c"], sigma: float
) -> Int32[jax.Array, "*n c"]:
    """The same degradation with noise drawn from a key, for patches on the device.

    Args:
        key: random key.
        image: integers 0 .. 255, [..., c].
        sigma: standard deviation, in units of [0, 1].

    Returns:
        int32 0 .. 255, of the image's shape.
    """
    noise = 255 * sigma * jax.random.normal(key, image.shape)
    return jnp.floor(jnp.clip(jnp.asarray(image, jnp.float32) + noise, 0, 255)).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Noise(Degradation):
    """Additive Gaussian noise, clipped and truncated to 8 bits.

    do() draws it anew inside the block, as for denoising in the paper.

    Args:
        sigma: standard deviation, in units of [0, 1]: 50/255.
        grey: whether all channels of a pixel receive the same noise.

    Raises:
        ValueError: a sigma outside 0 .. 1.
    """

    sigma: float
    grey: bool = False
    renewed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", noise_level(self.sigma))

    def _scaled(self, normal: Any) -> Any:
        """Standard normal numbers as noise, in fixed point."""
        scaled = np.float32(255 * self.sigma * ONE) * normal
        return scaled.round().clip(-(2**30), 2**30)

    def _shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        return (*shape[:2], 1) if self.grey else shape

    def drawn(self, random: np.random.RandomState, shape: tuple[int, int, int]) -> Any:
        normal = random.standard_normal(self._shape(shape)).astype(np.float32)
        return jnp.asarray(self._scaled(normal), jnp.int32)

    def redrawn(self, key: Key[jax.Array, ""], shape: tuple[int, int, int]) -> Any:
        return self._scaled(jax.random.normal(key, self._shape(shape))).astype(jnp.int32)

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        return ((image * ONE + drawn) >> 16).clip(0, 255)


@dataclasses.dataclass(frozen=True)
class PoissonGaussian(Degradation):
    """Noise that grows with the light: of the photons, and of reading them out.

    Of a value v in [0, 1] the variance is v / photons + sigma^2, normally distributed (Foi et al.,
    "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE TIP
    2008). Rounded to 8 bits. do() draws it anew inside the block.

    Args:
        photons: how many white stands for, a number without unit.
        sigma: standard deviation of the reading, in units of [0, 1].

    Raises:
        ValueError: photons not above 0, or a sigma outside 0 .. 1.
    """

    photons: float = 100.0
    sigma: float = 0.01
    renewed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "photons", number_in("photons", self.photons, 0.01))
        object.__setattr__(self, "sigma", noise_level(self.sigma))

    def drawn(self, random: np.random.RandomState, shape: tuple[int, int, int]) -> Any:
        return jnp.asarray(random.standard_normal(shape), jnp.float32)

    def redrawn(self, key: Key[jax.Array, ""], shape: tuple[int, int, int]) -> Any:
        return jax.random.normal(key, shape)

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        deviation = np.sqrt(np.arange(256) / 255 / self.photons + self.sigma**2)
        table = jnp.asarray(255 * ONE * deviation, jnp.float32)
        noise = (table[image] * drawn).round().clip(-(2**30), 2**30).astype(jnp.int32)
        return to_levels(image * ONE + noise)
