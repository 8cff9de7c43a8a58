"""What do(patch) means for a task: the input's pixels that a pool patch becomes."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, Key

from cem_jax.arrays import AnyArray
from cem_jax.by_shape import by_shape
from cem_jax.plain_text import quoted
from cem_jax.scene.degrade.bicubic import downsample, upsample
from cem_jax.scene.degrade.noise import add_fresh_noise
from cem_jax.scene.degrade.rain import add_rain

Patch = Float[AnyArray, "block block c"]
Corner = Int[AnyArray, ""] | int
RandomKey = Key[jax.Array, ""]
Pixels = Float[jax.Array, "side side c"]

Intervene = Callable[[Patch, Corner, Corner, RandomKey], Pixels]
"""`intervene(patch, y, x, key)`: the input pixels that a pool patch becomes.

patch: float32 [block, block, c] in [0, 1]; y, x: the block's corner in input pixels; key: for fresh
noise. Returns float32 [side, side, c] in [0, 1], side = block / scale: what the block's pixels
become. Where a degradation spreads a change beyond the block, it returns more, by the same number
of pixels on every side; those outside of the image are ignored. It runs under vmap and jit.
"""


# Those without arrays are static as a whole: structures of `register_dataclass` with equal fields
# count as equal in JAX 0.10 whatever their class, and jit then takes one for the other at times.
@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Shrink:
    """Super-resolution: the patch is shrunk on its own, bicubically with antialiasing."""

    scale: int

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        return downsample(jnp.round(255 * patch), self.scale) / 255


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class ShrinkAndEnlarge:
    """Super-resolution at full size: the patch is shrunk and enlarged again, both on its own."""

    factor: int

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
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

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        return add_fresh_noise(key, jnp.round(255 * patch), self.sigma) / 255


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SameRain:
    """Deraining: the image's own rain falls on the patch."""

    layer: Float[jax.Array, "h w"]
    beta: float = dataclasses.field(metadata={"static": True})

    __repr__ = by_shape

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
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

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        return self.function(patch, y, x, key)


def check_function(function: Any) -> None:
    """Refuses what cannot be called as `Intervene` is.

    Raises:
        ValueError: the message says what it takes.
    """
    if not callable(function):
        raise ValueError(f"intervene={quoted(function)}: expected a function of (patch, y, x, key)")
    try:
        taken = inspect.signature(function)
    except (TypeError, ValueError):  # functions of other languages do not tell
        return
    try:
        taken.bind(*4 * [None])
    except TypeError as error:
        raise ValueError(
            f"intervene: it takes {taken}; expected a function of (patch, y, x, key)"
        ) from error
