"""What options of the command line mean: regions, plans, tasks, names of networks."""

from collections.abc import Sequence
from enum import StrEnum

import typer

import cem_jax as cem
from cem_jax.plain_text import shortened, visible


class Task(StrEnum):
    """What the network restores."""

    SR = "SR"
    DN = "DN"
    DR = "DR"


def names_like(incomplete: str) -> list[str]:
    """The networks whose names begin so, for the shell's completion."""
    return [name for name in cem.models.names() if name.startswith(incomplete)]


MODEL = typer.Option(help="Name of the network; see `cem-jax models`.", autocompletion=names_like)


def check_name(name: str) -> str:
    """A network's name, before anything slow is imported.

    Raises:
        ValueError: there is no such network; the nearest names are given.
    """
    cem.models.describe(name)
    return name


SET = typer.Option(
    "--set", help="What the weights do not tell, KEY=VALUE; see `cem-jax models --json`."
)
_OWN = ("name", "weights", "part", "label")
"""What `cem.load` itself calls its arguments."""


def parse_set(texts: Sequence[str]) -> dict[str, int | float | str]:
    """What a network is told, from texts KEY=VALUE.

    Raises:
        ValueError: another form, or one key twice.
    """
    found: dict[str, int | float | str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value) or key in (*found, *_OWN):
            raise ValueError(f"--set {_given(text)}: expected KEY=VALUE, every key once")
        found[key] = _number(value)
    return found


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _given(text: str) -> str:
    return repr(shortened(visible(text), 60))


def parse_roi(text: str) -> "cem.ROI":
    """A region from `Y,X,H,W` in output pixels.

    Raises:
        ValueError: not four whole numbers, or no region.
    """
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--roi {_given(text)}: expected Y,X,H,W in output pixels") from None
    return cem.ROI(y, x, height, width)


PLAN_HELP = "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], fixed:N, quadrature:N or stratified:N"


def parse_plan(text: str) -> "cem.Plan":
    """A plan from its name and its numbers of draws; see `docs/plans.md`.

    Raises:
        ValueError: another name, or numbers that do not fit it.
    """
    from cem_jax.plans.names import as_plan

    try:
        return as_plan(text)
    except ValueError as error:
        raise ValueError(str(error).replace("plan=", "--plan ", 1)) from error
