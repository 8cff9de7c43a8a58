"""A function as a flat list of equations: the records that rules, analysis and programs share."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .regions import Interval

AnyArray = jax.Array | np.ndarray

Start = int | jax.Array
"""First index of a window on one axis: known, or a scalar of the running program."""


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """A scalar whose value is known.

    Args:
        value: the scalar.
    """

    value: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Band:
    """Which indices of an operand's axis each output along an axis takes.

    Args:
        axis: of the operand.
        out: axis of the output.
        length: of the operand's axis.
        lo: first index that an output or one behind it takes, int64 [outputs], ascending.
        hi: index behind the last that it or one before it takes, int64 [outputs], ascending.
    """

    axis: int
    out: int
    length: int
    lo: np.ndarray
    hi: np.ndarray

    @property
    def width(self) -> int:
        """Indices that one output takes, at most."""
        return int((self.hi - self.lo).max())

    def forward(self, interval: Interval) -> Interval:
        """The outputs between the first and the last that take an index of the interval."""
        first, end = interval
        return np.searchsorted(self.hi, first, "right"), np.searchsorted(self.lo, end, "left")

    def need(self, interval: Interval) -> Interval:
        """The indices that the outputs in an interval take, at least one."""
        last = len(self.lo) - 1
        lo = np.minimum(self.lo[np.clip(interval[0], 0, last)], self.length - 1)
        return lo, np.maximum(self.hi[np.clip(interval[1] - 1, 0, last)], lo + 1)

    def first(self, start: Start, size: int) -> jax.Array:
        """The first of `size` indices that a window beginning at `start` is given."""
        return jnp.asarray(np.minimum(self.lo, self.length - size), jnp.int32)[start]


@dataclasses.dataclass(frozen=True, eq=False)
class Equation:
    """One operation.

    Args:
        name: the primitive's name, for which there may be a rule.
        params: the primitive's parameters.
        inputs: numbers of values, or known scalars.
        outputs: numbers of values.
        bind: applies the operation; keywords replace parameters. One array for each output.
        in_shapes: shapes of the inputs.
        out_shapes: shapes of the outputs.
        dtype: of the first input.
        depends: whether an input depends on the image.
        band: which indices of an axis the outputs take, where the operation is a resizing.
        misread: parameters that are not understood; then the operation is global.
        scope: where in the function it stands, by `jax.named_scope`: "body.3.attn".
    """

    name: str
    params: Mapping[str, Any]
    inputs: tuple[int | Known, ...]
    outputs: tuple[int, ...]
    bind: Callable[..., Sequence[jax.Array]]
    in_shapes: tuple[tuple[int, ...], ...]
    out_shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype
    depends: bool
    band: Band | None = None
    misread: tuple[str, ...] = ()
    scope: str = ""


@dataclasses.dataclass(eq=False)
class Graph:
    """A function of parameters and an image.

    Args:
        equations: in the order of evaluation.
        shapes: shape of every value.
        dtypes: dtype of every value.
        depends: whether the value depends on the image.
        params: numbers of the parameters' leaves.
        constants: numbers and arrays that the function closes over.
        raw: number of the image as it is passed in.
        image: number of the image after the intervention.
        output: number of the result, or a known scalar.
    """

    equations: list[Equation]
    shapes: list[tuple[int, ...]]
    dtypes: list[np.dtype]
    depends: list[bool]
    params: tuple[int, ...]
    constants: dict[int, Any]
    raw: int
    image: int
    output: int
