"""A network as the sweep sees it: a pure function, its parameters, and a few facts."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cem_jax.arguments import as_text, number_in, whole_number
from cem_jax.models.layers import Told
from cem_jax.network.compiler_options import jitted
from cem_jax.plain_text import quoted
from cem_jax.show import html

_FARTHEST = 0.01
"""Largest difference between a network and what it was made from; rounding stays below 1e-4."""

_LARGEST = 10**9
"""Of whole numbers of pixels: more than any image has on a side."""

_DIGITS = 16
"""Hexadecimal digits of a file's digest."""

Apply = Callable[[Any, jax.Array], jax.Array]
"""`apply(params, x)`: float32 [n, h, w, c] -> [n, h * scale, w * scale, c], pure."""


def file_source(path: Path, within: str = "") -> str:
    """A file by its name and the beginning of its SHA-256; a folder by its name alone.

    Args:
        path: of the file.
        within: what of it is meant, which is written behind its name.
    """
    name = f"{path.name}{within}"
    if not path.is_file():
        return name
    with path.open("rb") as file:
        return f"{name} sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:_DIGITS]}"


def _call(apply: Apply, params: Any, x: jax.Array) -> jax.Array:
    return apply(params, x)


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A restoration network: a pytree whose leaves are its parameters; equal to itself alone.

    Args:
        name: what it is called in tables and records.
        apply: the pure function `apply(params, x)`; it takes any height and width.
        params: its pytree.
        scale: output pixels per input pixel.
        receptive_radius: farthest input pixel that reaches an output pixel; None if any may.
        anchor: period of the network's grid (strides, windows) in input pixels: a crop that begins
            on it sees the same grid. None: only the whole image may be computed.
        channels: channels of the image that it takes; None if unknown.
        noise_level: deviation of the noise that it was told, for pixels in [0, 1]; None if it is
            told that of the scene, or none at all.
        reference: what `apply` was made from, in the same form, for `check`; it ignores `params`.
        source: the file of its weights or of its code, with a digest, as `file_source` writes it;
            records tell it beside the name. None if unknown.

    Raises:
        ValueError: a name that is no text, or a number out of range.
    """

    name: str
    apply: Apply = dataclasses.field(repr=False)
    params: Any = dataclasses.field(repr=False)
    scale: int = 1
    receptive_radius: int | None = None
    anchor: int | None = 1
    channels: int | None = dataclasses.field(default=None, repr=False)
    noise_level: float | None = dataclasses.field(default=None, repr=False)
    reference: Apply | None = dataclasses.field(default=None, repr=False)
    source: str | None = dataclasses.field(default=None, repr=False)

    _repr_html_ = html

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "name", as_text("name", self.name))
        if self.source is not None:
            put(self, "source", as_text("source", self.source))
        for name in ("apply", "reference"):
            function = getattr(self, name)
            if not callable(function) and (name == "apply" or function is not None):
                raise ValueError(f"{name}={quoted(function)}: expected a function of (params, x)")
        if self.noise_level is not None:
            put(self, "noise_level", number_in("noise_level", self.noise_level, 0))
        put(self, "scale", whole_number("scale", self.scale, 1, _LARGEST))
        for name, least in (("receptive_radius", 0), ("anchor", 1), ("channels", 1)):
            if (value := getattr(self, name)) is not None:
                put(self, name, whole_number(name, value, least, _LARGEST))

    def at_noise(self, sigma: float) -> "Network":
        """This network told a noise level, if it takes one and its user told none.

        Args:
            sigma: deviation of the noise, where pixels are in [0, 1].

        Returns:
            The network itself, or one with other parameters.
        """
        if not self.needs_noise_level:
            return self
        told = nnx.to_flat_state(nnx.filter_state(self.params, Told))
        level = nnx.from_flat_state([(path, one.replace(jnp.float32(sigma))) for path, one in told])
        return dataclasses.replace(self, params=nnx.merge_state(self.params, level))

    @property
    def needs_noise_level(self) -> bool:
        """Whether it takes the noise level as an input, and its user told none."""
        if self.noise_level is not None or not isinstance(self.params, nnx.State):
            return False
        return bool(nnx.to_flat_state(nnx.filter_state(self.params, Told)))

    @property
    def note(self) -> str:
        """How a network of another framework is evaluated, in words; "" for others."""
        return getattr(self._inner, "note", "")

    @property
    def on_host(self) -> bool:
        """Whether a network of another framework is called there, and no function of JAX."""
        return getattr(self._inner, "on_host", False)

    @property
    def _inner(self) -> Apply:
        """The function without what pads its images."""
        return self.apply.apply if isinstance(self.apply, Padded) else self.apply

    def original(self) -> "Network":
        """What a network of another framework was made from, as a network that is called there.

        It has neither parameters of JAX nor gradients and causal cones, and is slower; but it is
        what was wrapped, also where JAX does not compute the same (see `check`).

        Returns:
            A network of the same facts; a network of JAX, or one that is called on the host
            already, itself.
        """
        if self.reference is None or self.on_host:
            return self
        return dataclasses.replace(self, apply=self.reference, params={}, reference=None)

    def check(self, x: jax.Array | np.ndarray) -> float | None:
        """How far a network of another framework is from what it was made from.

        Args:
            x: float32 [n, h, w, c] in [0, 1].

        Returns:
            Largest absolute difference between pixels of the two outputs; None if there is nothing
            to compare with: a network of JAX, or one that is called on the host.

        Raises:
            ValueError: x has another rank, or the outputs differ by more than 0.01; `original` is
                the way out.
        """
        if self.reference is None or self.on_host:
            return None
        wanted = np.asarray(self.reference(None, jnp.asarray(x, jnp.float32)))
        found = np.asarray(self(x))
        difference = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else np.inf
        if not difference <= _FARTHEST:
            raise ValueError(
                f"network={self.name}: as a function of JAX it is off by {difference:.2g} at "
                f"images {np.shape(x)}; expected at most {_FARTHEST}. network.original() is what "
                "it was made from, called on the host"
            )
        return difference

    def __call__(self, x: jax.Array | np.ndarray) -> jax.Array:
        """Restores images.

        Args:
            x: float32 [n, h, w, c] in [0, 1], any height and width.

        Returns:
            The raw output, float32 [n, h * scale, w * scale, c]: neither clipped nor rounded.

        Raises:
            ValueError: x has another rank, or other channels than the network takes.
        """
        if np.ndim(x) != 4:
            raise ValueError(f"x has shape {np.shape(x)}; expected [n, height, width, channels]")
        if self.channels not in (None, np.shape(x)[3]):
            raise ValueError(
                f"x has shape {np.shape(x)}; network={self.name} takes {self.channels} channels"
            )
        x = jnp.asarray(x, jnp.float32)
        traced = any(isinstance(a, jax.core.Tracer) for a in (x, *jax.tree.leaves(self.params)))
        if traced:  # within a program that has options of its own
            return self.apply(self.params, x)
        return jitted(_call, (0,))(self.apply, self.params, x)


_FACTS = [field.name for field in dataclasses.fields(Network) if field.name != "params"]
jax.tree_util.register_dataclass(Network, data_fields=["params"], meta_fields=_FACTS)


@dataclasses.dataclass(frozen=True)
class Padded:
    """An `apply` on images of any size: reflected to the sides that it takes, and cut back."""

    apply: Apply
    scale: int
    multiple: int
    minimum: int

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """[n, h, w, c], any height and width -> [n, h * scale, w * scale, c]."""
        h, w = x.shape[1:3]
        below, right = (
            -(-max(side, self.minimum) // self.multiple) * self.multiple - side for side in (h, w)
        )
        if not below and not right:
            return self.apply(params, x)
        x = jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="reflect")
        return self.apply(params, x)[:, : h * self.scale, : w * self.scale]


def of_any_size(apply: Apply, scale: int, multiple: int, minimum: int = 1) -> Apply:
    """An `apply` that pads images by reflection to the sides that it takes, and cuts back."""
    return apply if multiple == minimum == 1 else Padded(apply, scale, multiple, minimum)
