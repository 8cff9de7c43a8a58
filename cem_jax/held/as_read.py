"""Functions as they are now: what they read from outside may change between two maps.

Compiled programs are found again by the function that they were compiled from. A function that
reads a global, or what it closes over, stays the same object when that changes, and the program
would go on with what it read at first.
"""

from collections.abc import Callable
from typing import Any

from cem_jax.cone.digest import digest_function
from cem_jax.network.as_read import AsRead


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
    except Exception:  # no fingerprint, or whatever a user's function raises
        return function
