"""A function of the host, called by JAX in batches."""

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
    """

    forward: Callable[[np.ndarray], np.ndarray]
    name: str
    digest: str | Callable[[], str | None] | None = None
    sizes: dict[tuple[int, ...], tuple[int, ...]] = dataclasses.field(default_factory=dict)
    spent: list[tuple[int, float]] = dataclasses.field(default_factory=list)

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
            return self._run(np.zeros((1, *size), np.float32)).shape[1:]
        except Exception as error:  # every framework and module has its own
            text = " ".join(str(error).split())[:300]
            raise ValueError(
                f"network={self.name}: it cannot take an image [height, width, channels] = "
                f"{size}: {text}"
            ) from error

    def _run(self, x: Any) -> np.ndarray:
        """NHWC -> NHWC, with any axes of vmap before them; the input is never written to."""
        images = np.asarray(x)
        batch = images.reshape(-1, *images.shape[-3:]).transpose(0, 3, 1, 2)
        begun = time.perf_counter()
        y = np.asarray(self.forward(np.array(batch, np.float32, order="C")), np.float32)
        self.spent.append((len(batch), time.perf_counter() - begun))
        del self.spent[:-_TIMED]
        if y.ndim != 4 or len(y) != len(batch):
            raise ValueError(f"it turned {batch.shape} into {y.shape}; expected [n, c, h, w]")
        y = y.transpose(0, 2, 3, 1)
        return y.reshape(*images.shape[:-3], *y.shape[1:])
