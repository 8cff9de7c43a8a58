"""JAX as commands that compute set it up."""

import contextlib
import os

import typer

import cem_jax as cem
from cem_jax.cli.output import kept_for_results


def start_jax(context: typer.Context) -> None:
    """Makes devices of all cores of a CPU, and keeps compiled programs for the next run.

    A command calls it once it knows that its arguments are right, before it computes. From then on
    standard output has its results alone.

    Args:
        context: of the command; its `obj` says whether programs are kept.
    """
    context.with_resource(kept_for_results())
    cem.use_all_cores()
    if context.obj:
        with contextlib.suppress(ValueError):  # without a home to write to, it compiles anew
            cem.use_compilation_cache()


def start_workers(context: typer.Context) -> None:
    """Keeps this process off its workers' devices, and tells these where programs are kept.

    Args:
        context: of the command; its `obj` says whether programs are kept.
    """
    import jax

    from cem_jax.sweep.compilation_cache import cache_variables

    context.with_resource(kept_for_results())
    jax.config.update("jax_platforms", "cpu")
    if context.obj:
        for name, value in cache_variables().items():
            os.environ.setdefault(name, value)
