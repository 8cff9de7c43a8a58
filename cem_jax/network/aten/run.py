"""A program evaluated in JAX."""

import contextlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from .layout import Laid
from .program import ExportedModule, NotNative, Ref, Step
from .table import TABLE

_NARROWER = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}
"""JAX counts in 32 bits unless told otherwise."""


def run(program: ExportedModule, params: Mapping[str, Any], x: jax.Array) -> jax.Array:
    """A network's output.

    Args:
        program: of the image's size.
        params: the parameters by torch's keys.
        x: one image, floating [1, h, w, c]. Half precision is that of all operations.

    Returns:
        [1, h', w', c'], of the image's type.

    Raises:
        NotNative: an operation does not take its arguments.
    """
    own = _NARROWER.get(program.dtype, program.dtype)
    compute = str(x.dtype) if own == "float32" else own
    values: dict[int, Any] = {program.image: Laid.of(x.astype(compute), (0, 2, 3, 1))}

    def typed(dtype: str) -> str:
        return compute if dtype == program.dtype else _NARROWER.get(dtype, dtype)

    def stored(array: Any) -> Laid:
        return Laid.of(array.astype(typed(str(array.dtype))))

    values.update(
        {number: stored(jnp.asarray(params[key])) for number, key in program.params.items()}
    )
    values.update({number: stored(array) for number, array in program.constants.items()})
    for step in program.steps:
        args, options = _filled((step.args, step.options), values)
        if step.name == "getitem":
            found = args[0][args[1]]
            values[step.result] = found() if callable(found) else found
            continue
        try:
            with jax.named_scope(step.path) if step.path else contextlib.nullcontext():
                result = TABLE[step.name](*args, **options)
        except Exception as error:  # whatever an operation raises on arguments that it cannot take
            text = " ".join(str(error).split())[:200]
            raise NotNative(
                f"JAX does not compute aten.{step.name} ({type(error).__name__}: {text})"
            ) from error
        values[step.result] = _checked(step, result, typed)
    y = values[program.output]
    if not isinstance(y, Laid) or y.ndim != 4:
        raise NotNative("its result is no image")
    return y.arranged((0, 2, 3, 1)).astype(x.dtype)


def _checked(step: Step, result: Any, typed: Any) -> Any:
    if step.shape is None or step.dtype is None:
        return result  # of several values, or of as many as the image decides
    if not isinstance(result, Laid) or result.shape != step.shape:
        found = result.shape if isinstance(result, Laid) else type(result).__name__
        raise NotNative(f"JAX gives {found} for aten.{step.name} where torch gives {step.shape}")
    dtype = typed(step.dtype)
    return result if result.dtype == dtype else result.like(result.array.astype(dtype))


def _filled(value: Any, values: Mapping[int, Any]) -> Any:
    if isinstance(value, Ref):
        return values[value.number]
    if isinstance(value, Mapping):
        return {key: _filled(own, values) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(own, values) for own in value)
    return value
