"""What do() may mean where a clean and a degraded photograph are given as files.

The degradation is not known to the package then; each meaning says in other words what the patch
would have become, see `docs/scenes.md`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32

from cem_jax.arguments import whole_number
from cem_jax.arrays import AnyArray
from cem_jax.by_shape import by_shape
from cem_jax.callback import call_on_host
from cem_jax.own_file import beside, import_file
from cem_jax.plain_text import quoted, shortened, told
from cem_jax.scene.degrade.bicubic import downsample
from cem_jax.scene.image import as_unit
from cem_jax.scene.intervene import Corner, Intervene, Patch, Pixels, RandomKey

_ON_GRID = 1e-5
"""Levels of 255 by which pixels of 8 bits may be off."""
_TRIED = 8
"""Side of the blocks that are changed to find how far a function reaches, in output pixels."""


@runtime_checkable
class Meaning(Protocol):
    """What do() means, before it is known for which photographs."""

    def bound(
        self,
        clean: Float32[np.ndarray, "H W c"],
        degraded: Float32[np.ndarray, "h w c"],
        scale: int,
    ) -> tuple[Intervene, Mapping[str, Any]]:
        """The do() of a scene, and what its record says of it.

        Args:
            clean: float32 [H, W, c].
            degraded: float32 [H / scale, W / scale, c].
            scale: output pixels per input pixel.
        """
        ...


def again(function: Callable[[Any], Any], reach: int | None = None) -> Meaning:
    """do(): the clean image with the patch, degraded anew by a function.

    Right where the degradation is known as a function: of a simulator, another package, your own
    code. It runs for every draw. What the degraded photograph has beyond the function's result
    (rounding, noise of its own) stays as it is, so that a block's own patch changes nothing.

    Args:
        function: of the whole clean image, float32 [H, W, c] in [0, 1], to the degraded one,
            uint8 or floating in [0, 1], [H / scale, W / scale, c]; in JAX, or of numpy, which then
            runs on the host. The same image must give the same result.
        reach: pixels of the result by which a change exceeds the block; None: any pixel may change,
            and no causal cone is smaller than the image.

    Returns:
        What `Scene.custom` takes as `intervene`.

    Raises:
        ValueError: no function, or no whole number; the rest is found when the scene is made.

    Examples:
        >>> import cem_jax as cem
        >>> clean = cem.example_image("dog") / 255
        >>> darker = lambda image: 0.5 * image
        >>> scene = cem.Scene.custom(clean, darker(clean), cem.again(darker, reach=0))
        >>> scene.facts
        {'do': 'again', 'reach': 0}
    """
    if not callable(function):
        raise ValueError(f"function={quoted(function)}: expected a function of the clean image")
    return _Again(function, None if reach is None else whole_number("reach", reach, 0))


def residual() -> Meaning:
    """do(): the patch, plus what the degradation added at that place.

    Right where the degradation adds something that does not depend on the image: noise, rain,
    stripes, dust. The same realisation falls on the patch. In scenes of a larger scale the patch is
    first shrunk bicubically.

    Returns:
        What `Scene.custom` takes as `intervene`.
    """
    return _Residual()


def from_degraded_pool() -> Meaning:
    """do(): the patch as it is, from a pool that was cut from degraded photographs.

    Right where the degradation cannot be repeated at all, as of real photographs, and photographs
    degraded in the same way are at hand: `PatchPool.from_images(folder_of_degraded, size=block)`.
    In scenes of a larger scale a corner of block / scale pixels is taken of each patch.

    Returns:
        What `Scene.custom` takes as `intervene`.
    """
    return _FromDegradedPool()


def meaning_of(text: str, folder: Path = Path()) -> Meaning:
    """What do() means, as command line and job files say it.

    Args:
        text: "residual", "degraded-pool", or `FILE.py:NAME` for `again` of that function, which may
            have an attribute `reach`, and can import what lies beside the file.
        folder: to which FILE.py is relative.

    Raises:
        ValueError: another text, no such function, or the file fails.
    """
    named = {"residual": residual, "degraded-pool": from_degraded_pool}
    if text in named:
        return named[text]()
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise ValueError(f"do={quoted(text)}: expected {', '.join(named)}, or FILE.py:FUNCTION")
    path = folder / file
    if not path.is_file():
        raise ValueError(f"do={quoted(text)}: there is no file {quoted(str(path))}")
    try:
        with beside(path.parent):
            function = getattr(import_file(path), name, None)
    except (Exception, SystemExit) as error:  # the user's code may fail in any way
        raise ValueError(f"do={quoted(text)}: {shortened(told(error), 300)}") from error
    if not callable(function):
        raise ValueError(f"do={quoted(text)}: {quoted(str(path))} has no function {quoted(name)}")
    return again(function, getattr(function, "reach", None))


@dataclasses.dataclass(frozen=True)
class _Again:
    function: Callable[[Any], Any]
    reach: int | None

    def bound(
        self,
        clean: Float32[np.ndarray, "H W c"],
        degraded: Float32[np.ndarray, "h w c"],
        scale: int,
    ) -> tuple[Intervene, Mapping[str, Any]]:
        function, host = _in_jax(self.function, clean, degraded)
        base = np.asarray(_call(function, clean))
        if self.reach is not None:
            _check_reach(function, clean, base, scale, self.reach)
        reach = max(degraded.shape[:2]) if self.reach is None else self.reach
        rest = jnp.asarray(degraded - base)
        off = np.abs(255 * degraded - np.round(255 * degraded)).max()
        facts = {"do": "again", "reach": self.reach} | ({"on": "host"} if host else {})
        levels = bool(off <= _ON_GRID)
        return _DegradedAnew(jnp.asarray(clean), rest, function, scale, reach, levels), facts


@dataclasses.dataclass(frozen=True)
class _Residual:
    def bound(
        self,
        clean: Float32[np.ndarray, "H W c"],
        degraded: Float32[np.ndarray, "h w c"],
        scale: int,
    ) -> tuple[Intervene, Mapping[str, Any]]:
        rest = degraded - _shrunk(clean, scale)
        return _SameResidual(jnp.asarray(rest), scale), {"do": "residual"}


@dataclasses.dataclass(frozen=True)
class _FromDegradedPool:
    def bound(
        self,
        clean: Float32[np.ndarray, "H W c"],
        degraded: Float32[np.ndarray, "h w c"],
        scale: int,
    ) -> tuple[Intervene, Mapping[str, Any]]:
        return _AsItIs(scale), {"do": "from_degraded_pool"}


def _shrunk(image: Float[AnyArray, "H W c"], scale: int) -> Float[jax.Array, "h w c"]:
    image = jnp.asarray(image)
    return image if scale == 1 else downsample(jnp.round(255 * image), scale) / 255


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class _DegradedAnew:
    """A user's degradation of the clean image with the patch."""

    clean: Float[jax.Array, "H W c"]
    rest: Float[jax.Array, "h w c"]
    function: Callable[[jax.Array], jax.Array] = dataclasses.field(metadata={"static": True})
    scale: int = dataclasses.field(metadata={"static": True})
    reach: int = dataclasses.field(metadata={"static": True})
    levels: bool = dataclasses.field(metadata={"static": True})

    __repr__ = by_shape

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        block, (h, w, _) = patch.shape[0], self.clean.shape
        canvas = jnp.pad(self.clean, ((0, block), (0, block), (0, 0)))
        corner = (y * self.scale, x * self.scale, 0)
        changed = jax.lax.dynamic_update_slice(canvas, patch, corner)[:h, :w]
        result = self.function(changed) + self.rest
        result = jnp.round(255 * result) / 255 if self.levels else result
        side = block // self.scale + 2 * self.reach
        room = (self.reach, side)
        padded = jnp.pad(jnp.clip(result, 0, 1), (room, room, (0, 0)))
        return jax.lax.dynamic_slice(padded, (y, x, 0), (side, side, result.shape[2]))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class _SameResidual:
    """The patch plus what was added to the image at its place."""

    rest: Float[jax.Array, "h w c"]
    scale: int = dataclasses.field(metadata={"static": True})

    __repr__ = by_shape

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        small = _shrunk(patch, self.scale)
        side = small.shape[0]
        rest = jnp.pad(self.rest, ((0, side), (0, side), (0, 0)))
        return jnp.clip(small + jax.lax.dynamic_slice(rest, (y, x, 0), small.shape), 0, 1)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _AsItIs:
    """The patch, or a corner of it."""

    scale: int

    def __call__(self, patch: Patch, y: Corner, x: Corner, key: RandomKey) -> Pixels:
        side = patch.shape[0] // self.scale
        return jnp.asarray(patch)[:side, :side]


@dataclasses.dataclass(frozen=True)
class _OnHost:
    """A function of numpy as one of JAX."""

    function: Callable[[Any], Any]
    shape: tuple[int, ...]

    def __call__(self, image: Float[jax.Array, "H W c"]) -> Float[jax.Array, "h w c"]:
        out = jax.ShapeDtypeStruct(self.shape, jnp.float32)
        return call_on_host(self._run, out, image, vmap_method="sequential")

    def _run(self, image: Any) -> Float32[np.ndarray, "h w c"]:
        return _checked(self.function(np.array(np.asarray(image))), self.shape)


def _checked(result: Any, shape: tuple[int, ...]) -> Float32[np.ndarray, "h w c"]:
    """What a user's function returned, float32 in [0, 1]."""
    array = np.asarray(result)
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape != shape:
        raise ValueError(f"function: it made {array.shape} of the clean image; expected {shape}")
    if np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all():
        array = np.clip(array, 0, 1)
    return as_unit("function: its result", array)


def _in_jax(
    function: Callable[[Any], Any], clean: np.ndarray, degraded: np.ndarray
) -> tuple[Callable[[jax.Array], jax.Array], bool]:
    """The function as one of JAX, and whether it runs on the host."""
    host = _OnHost(function, degraded.shape)
    # Called as it is, so that an error is the user's own; noise of numpy's would be traced away.
    if not np.array_equal(host._run(clean), host._run(clean)):
        raise ValueError(
            "function: it gives another result each time; draw its noise once, beforehand"
        )
    try:
        traced = jax.eval_shape(function, jax.ShapeDtypeStruct(clean.shape, jnp.float32))
    except Exception:  # numpy and others refuse JAX's tracers each in their own way
        return host, True
    if getattr(traced, "shape", None) != degraded.shape:
        return host, True
    return _Traced(function), False


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A function of JAX, its result brought to float32 in [0, 1]."""

    function: Callable[[Any], Any]

    def __call__(self, image: Float[jax.Array, "H W c"]) -> Float[jax.Array, "h w c"]:
        result = self.function(image)
        if jnp.issubdtype(result.dtype, jnp.integer):
            result = result.astype(jnp.float32) / 255
        return jnp.clip(result.astype(jnp.float32), 0, 1)


def _call(
    function: Callable[[jax.Array], jax.Array], image: Float32[np.ndarray, "H W c"]
) -> Float[jax.Array, "h w c"]:
    """The function as a compiled program, as sweeps run it."""
    return jax.jit(function)(jnp.asarray(image))


def _check_reach(
    function: Callable[[jax.Array], jax.Array], clean: Float32[np.ndarray, "H W c"],
    base: Float32[np.ndarray, "h w c"], scale: int, reach: int,
) -> None:  # fmt: skip
    """Refuses a reach beyond which a few changed blocks change pixels."""
    side = -(-_TRIED // scale)
    for down, across in ((0.0, 0.0), (0.5, 0.5), (0.3, 0.7), (1.0, 1.0)):
        y, x = (
            int(share * max(length - side, 0))
            for share, length in zip((down, across), base.shape, strict=False)
        )
        changed = clean.copy()
        rows, columns = slice(y * scale, (y + side) * scale), slice(x * scale, (x + side) * scale)
        changed[rows, columns] = 1 - changed[rows, columns]
        moved = np.argwhere(np.abs(np.asarray(_call(function, changed)) - base).max(axis=2) > 1e-6)
        if not len(moved):
            continue
        corner = np.array([y, x])
        farthest = int(max((corner - moved).max(), (moved - corner - side + 1).max()))
        if farthest > reach:
            raise ValueError(
                f"reach={reach}: changing a block changed a pixel {farthest} pixels from it"
            )
