"""Functions as they are now: what they read from outside may change between two maps.

Compiled programs are found again by the function that they were compiled from. A function that
reads a global, or what it closes over, stays the same object when that changes, and the program
would go on with what it read at first.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax

from cem_jax.cone.digest import NoFingerprintError, digest_function


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AsRead:
    """A function with a fingerprint of what it computed when it was looked at.

    Args:
        function: hashable, or a pytree.
        reads: the fingerprint; functions of another one are other functions.
    """

    function: Any
    reads: str = dataclasses.field(metadata={"static": True})

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def __repr__(self) -> str:
        return repr(self.function)

    def __call__(self, *args: Any) -> Any:
        """What the function returns."""
        return self.function(*args)


def as_read(function: Callable[..., Any], *shapes: Any) -> Callable[..., Any]:
    """A function that is equal to itself as long as it computes the same.

    Args:
        function: of JAX.
        *shapes: pytrees of `jax.ShapeDtypeStruct`, its arguments'.

    Returns:
        The function with its fingerprint; or itself where it has none, or fails: whoever calls it
        tells that better.
    """
    try:
        return AsRead(function, digest_function(function, *shapes, of_host="not read"))
    except NoFingerprintError:
        return function
    except Exception:  # a user's function may raise anything
        return function
