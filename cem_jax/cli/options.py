"""What options of the command line mean: regions, plans, tasks, names of networks."""

from enum import StrEnum
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.plans.names import PLAN_HELP as PLAN_HELP
from cem_jax.plans.names import as_plan

Json = Annotated[bool, typer.Option("--json", help="Print a JSON list instead, for scripts.")]


class Task(StrEnum):
    """What the network restores."""

    SR = "SR"
    DN = "DN"
    DR = "DR"


def names_like(incomplete: str) -> list[str]:
    """The networks whose names begin so, for the shell's completion."""
    return [name for name in cem.models.names() if name.startswith(incomplete)]


MODEL = typer.Option(help="Name of the network; see `cem-jax models`.", autocompletion=names_like)


def parse_roi(text: str) -> cem.ROI:
    """A region from `Y,X,H,W` in output pixels.

    Raises:
        ValueError: not four whole numbers, or no region.
    """
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--roi {text!r}: expected Y,X,H,W in output pixels") from None
    return cem.ROI(y, x, height, width)


def parse_plan(text: str) -> cem.Plan:
    """A plan from its name and its numbers of draws; see `docs/plans.md`.

    Raises:
        ValueError: another name, or numbers that do not fit it.
    """
    try:
        return as_plan(text)
    except ValueError as error:
        raise ValueError(f"--{str(error).replace('plan=', 'plan ', 1)}") from None
