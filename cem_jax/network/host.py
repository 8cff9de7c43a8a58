"""A function of the host, called by JAX in batches."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.callback import call_on_host

_TIMED = 1000
"""Calls whose times are kept."""

_MULTIPLES = (2, 4, 8, 16, 32, 64)
"""That sides are tried with where an image is not taken."""

_COLOUR = 3
"""Channels of a photograph, of which grey ones are made."""

_ALIKE = 1e-3
"""How far an output may move with what else is in its batch, or from call to call: rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class OnHost:
    """A function of the host as a function of JAX; the size of its output is found by trying.

    Args:
        forward: float32 [n, c, h, w] -> [n, c', h', w'].
        name: for messages.
        digest: a text that changes whenever its results do, or what makes it; None if there is none
            that is sure to, and then a sweep is never resumed.
        sizes: what is known: input [h, w, c] -> output [h', w', c'].
        spent: number of images and their seconds of the latest calls.
        also: what else the note of a network on the host says of it.
        apart: whether every image is given by itself; empty before that was tried.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    name: str
    digest: str | Callable[[], str | None] | None = None
    sizes: dict[tuple[int, ...], tuple[int, ...]] = dataclasses.field(default_factory=dict)
    spent: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    also: Callable[[], str] = str
    apart: list[bool] = dataclasses.field(default_factory=list)

    @property
    def __cem_digest__(self) -> str | Callable[[], str | None] | None:
        """By which a sweep's record knows it again."""
        return self.digest

    @property
    def pace(self) -> str:
        """What an intervention costs, in words, as measured so far; the first call is left out.

        The first one begins with what a framework does once.
        """
        measured = self.spent[1:] or self.spent
        if not measured:
            return "every intervention restores a whole image, but none was timed yet"
        images, seconds = (sum(column) for column in zip(*measured, strict=True))
        return (
            f"every intervention restores a whole image, which took {seconds / images:.2g} s on "
            f"average over {images} image{'s' * (images != 1)}"
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', c']."""
        size = tuple(x.shape[1:])
        if size not in self.sizes:
            self.sizes[size] = self._try(size)
        out = jax.ShapeDtypeStruct((x.shape[0], *self.sizes[size]), jnp.float32)
        return call_on_host(self._run, out, x.astype(jnp.float32), vmap_method="expand_dims")

    def _try(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The size of the output, from an image of zeros."""
        try:
            shape = self._run(np.zeros((1, *size), np.float32)).shape[1:]
        except Exception as error:  # every framework and module has its own
            text = " ".join(str(error).split())[:300]
            raise ValueError(
                f"network={self.name}: it cannot take an image [height, width, channels] = "
                f"{size}: {text}{self._advice(size)}"
            ) from error
        if not self.apart:
            self.apart.append(self._depends_on_batch(size))
        return shape

    def _advice(self, size: tuple[int, ...]) -> str:
        """The channels or the multiple of sides that an image needs, if there are some."""
        height, width, channels = size
        if channels == _COLOUR:
            with contextlib.suppress(Exception):
                self._run(np.zeros((1, height, width, 1), np.float32))
                return "; it takes images of one channel: cem.to_grey(clean), or --grey"
        for multiple in _MULTIPLES:
            below, right = -height % multiple, -width % multiple
            sides = [(height + below + k, width + right + k) for k in (0, multiple)]
            if not below and not right:
                continue
            with contextlib.suppress(Exception):
                for own in sides:
                    self._run(np.zeros((1, *own, channels), np.float32))
                return f"; state size_multiple={multiple}, with which it takes larger ones"
        return ""

    def _depends_on_batch(self, size: tuple[int, ...]) -> bool:
        """Whether an image comes out otherwise beside another one, which is dark.

        Raises:
            ValueError: it comes out otherwise at every call.
        """
        height, width, channels = size
        shape = (1, channels, height, width)
        image = np.random.default_rng(0).uniform(0.25, 0.75, shape).astype(np.float32)
        alone, again = self.forward(image.copy()), self.forward(image.copy())
        if not _are_alike(alone, again):
            raise ValueError(
                f"network={self.name}: what it makes of an image changes from call to call, as "
                "with noise or dropout; expected a function of the image alone"
            )
        try:
            both = self.forward(np.concatenate([np.zeros_like(image), image]))
        except Exception:  # it may take one image at a time
            return True
        return len(both) != 2 or not _are_alike(alone, both[1:])

    def _run(self, x: Any) -> np.ndarray:
        """NHWC -> NHWC, with any axes of vmap before them; the input is never written to."""
        images = np.asarray(x)
        batch = images.reshape(-1, *images.shape[-3:]).transpose(0, 3, 1, 2)
        batch = np.array(batch, np.float32, order="C")
        begun = time.perf_counter()
        parts = np.split(batch, len(batch)) if any(self.apart) else [batch]
        found = [np.asarray(self.forward(part), np.float32) for part in parts]
        y = found[0] if len(found) == 1 else np.concatenate(found)
        self.spent.append((len(batch), time.perf_counter() - begun))
        del self.spent[:-_TIMED]
        if y.ndim != 4 or len(y) != len(batch):
            raise ValueError(f"it turned {batch.shape} into {y.shape}; expected [n, c, h, w]")
        y = y.transpose(0, 2, 3, 1)
        return y.reshape(*images.shape[:-3], *y.shape[1:])


@dataclasses.dataclass(frozen=True, eq=False)
class Original:
    """What a network was made from, as an `apply` that is called on the host.

    Args:
        host: the function.
        framework: whose it is, for the note.
    """

    host: OnHost
    framework: str
    on_host: bool = dataclasses.field(default=True, init=False)

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', c']; without parameters of JAX."""
        return self.host(x)

    @property
    def note(self) -> str:
        """How it is evaluated, in words."""
        return self.because("the original was asked for")

    def because(self, reason: str) -> str:
        """How it is evaluated, in words, with a reason, which is a clause."""
        return (
            f"{self.framework} runs on the host, without gradients, causal cones and JAX's "
            f"devices, because {reason}; {self.host.pace}{self.host.also()}"
        )


def _are_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outputs for one image are the same but for rounding."""
    return one.shape == other.shape and np.allclose(
        one, other, rtol=_ALIKE, atol=_ALIKE, equal_nan=True
    )
