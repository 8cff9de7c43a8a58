"""JAX as commands that compute set it up."""

import contextlib

import typer

import cem_jax as cem


def start_jax(context: typer.Context) -> None:
    """Makes devices of all cores of a CPU, and keeps compiled programs for the next run.

    A command calls it once it knows that its arguments are right, before it computes.

    Args:
        context: of the command; its `obj` says whether programs are kept.
    """
    cem.use_all_cores()
    if context.obj:
        with contextlib.suppress(ValueError):  # without a home to write to, it compiles anew
            cem.use_compilation_cache()
