"""A network of torch as a list of operations, without torch."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SEED = 0
"""Of the noise that some networks draw: it is drawn once, so that they are functions."""


class NotNative(Exception):
    """A network cannot become a function of JAX; the message is a clause that says why."""


def without_counterpart(names: Sequence[str]) -> NotNative:
    """The error for operations that are not in a table.

    Args:
        names: of the operations, at least one.
    """
    verb = "has" if len(names) == 1 else "have"
    return NotNative(f"{', '.join(names)} {verb} no counterpart in JAX")


@dataclasses.dataclass(frozen=True)
class Ref:
    """Stands for a value in the arguments of an operation.

    Args:
        number: of the value.
    """

    number: int


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One operation.

    Args:
        name: torch's, without namespace and overload.
        args: its arguments; a `Ref` for every tensor.
        options: its keyword arguments.
        result: number of its value.
        shape: of its value; None where it has several.
        dtype: of its value; None where it has several.
        path: of the module that does it, "" for the network itself.
    """

    name: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    result: int
    shape: tuple[int, ...] | None
    dtype: str | None
    path: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedModule:
    """A network for images of one size.

    Args:
        steps: the operations, in order.
        image: number of the image [1, c, h, w].
        params: keys of the parameters by number.
        constants: what depends on neither, by number.
        output: number of the result.
        dtype: the type in which the network computes.
        autocast: types to which `torch.autocast` would cast parts of it; these are left out.
    """

    steps: tuple[Step, ...]
    image: int
    params: Mapping[int, str]
    constants: Mapping[int, np.ndarray]
    output: int
    dtype: str
    autocast: tuple[str, ...] = ()

    @property
    def has_open_order(self) -> bool:
        """Whether elements are sorted where torch leaves the order of equal ones open."""
        return any(step.name == "sort" and not step.options.get("stable") for step in self.steps)
