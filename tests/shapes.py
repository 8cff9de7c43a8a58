"""What the import hook of `conftest.py` checks at every call: arrays, their dtypes and shapes.

Other arguments are left alone: refusing them is the code's own matter, and types are pyright's.
"""

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_origin

import beartype
import jax
import numpy as np

CHECKED = (
    "cem_jax.outcome", "cem_jax.grid", "cem_jax.plans", "cem_jax.map", "cem_jax.pool",
    "cem_jax.scene", "cem_jax.sweep", "cem_jax.effects", "cem_jax.attribution", "cem_jax.held",
    "cem_jax.inside", "cem_jax.view", "cem_jax.jobs", "cem_jax.experiments", "cem_jax.models",
    *(f"cem_jax.cone.{name}" for name in ("analyse", "baseline", "classes", "counts", "execute",
                                          "reach", "regions", "transform", "windows")),
)  # fmt: skip
"""Modules and folders whose functions are checked."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that compares the arrays that it takes and returns with its annotations.

    Constructors of records of JAX's arrays are left as they are: JAX calls them with whatever
    stands for an array where only the structure matters.
    """
    own = inspect.get_annotations(function)
    hints = {name: hint for name, hint in own.items() if _kinds(hint)}
    kinds = {kind for hint in hints.values() for kind in _kinds(hint)}
    if not hints or (function.__name__ == "__init__" and jax.Array in kinds):
        return function
    function.__annotations__ = hints
    return beartype.beartype(function)


def _kinds(hint: Any) -> set[type]:
    """Kinds of arrays that an annotation names; what a function would take cannot be seen."""
    if get_origin(hint) is Callable:
        return set()
    if (kind := getattr(hint, "array_type", hint)) in (np.ndarray, jax.Array):
        return {kind}
    return {kind for part in get_args(hint) for kind in _kinds(part)}
