"""A function of the user together with what it computed when it was looked at."""

import dataclasses
import inspect
from typing import Any

import jax


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
