"""Loops of a function written out: XLA's CPU backend trains a looped convolution far slower."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

from cem_jax.experiments.phases import by_phases, is_over_zeros


def unrolled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with every `lax.scan` written out, and convolutions over zeros by phases.

    Networks loop over equal blocks, so that official sizes compile to small programs. Gradients of
    convolutions inside a loop are slow on CPU, and compact networks have few blocks.

    Args:
        function: arrays in, arrays out; traced anew at each call, so call it under `jax.jit`.
    """

    def call(*args: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        out = _evaluate(closed.jaxpr, closed.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), out)

    return call


def _evaluate(jaxpr: core.Jaxpr, consts: list[Any], args: list[Any]) -> list[Any]:
    """Values of a program's outputs; scans, also those inside inner calls, are written out."""
    values: dict[core.Var, Any] = dict(
        zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True)
    )

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs, params = [read(atom) for atom in equation.invars], equation.params
        match equation.primitive.name:
            case "scan":
                outputs = _steps(inputs, **params)
            case "jit":
                outputs = _evaluate(params["jaxpr"].jaxpr, params["jaxpr"].consts, inputs)
            case "conv_general_dilated" if is_over_zeros(params):
                outputs = by_phases(inputs[0], inputs[1], params)
            case _:
                bound = equation.primitive.get_bind_params(params)
                outputs = equation.primitive.bind(*inputs, **bound)
        several = outputs if equation.primitive.multiple_results else [outputs]
        values.update(zip(equation.outvars, several, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _steps(
    inputs: list[Any],
    *,
    jaxpr: core.ClosedJaxpr,
    length: int,
    num_consts: int,
    num_carry: int,
    reverse: bool,
    **_: Any,
) -> list[Any]:
    """A scan's outputs: the last carry, and what the steps gave, stacked."""
    first = num_consts + num_carry
    consts, carry, xs = inputs[:num_consts], inputs[num_consts:first], inputs[first:]
    given = []
    for step in reversed(range(length)) if reverse else range(length):
        out = _evaluate(jaxpr.jaxpr, jaxpr.consts, [*consts, *carry, *(x[step] for x in xs)])
        carry = out[:num_carry]
        given.append(out[num_carry:])
    ordered = given[::-1] if reverse else given
    return [*carry, *(jax.numpy.stack(values) for values in zip(*ordered, strict=True))]
