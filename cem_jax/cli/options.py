"""What options of the command line mean: regions, plans, tasks, names of networks."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

import cem_jax as cem

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


SET = typer.Option(
    "--set", help="What the weights do not tell, KEY=VALUE; see `cem-jax models --json`."
)


def parse_set(texts: Sequence[str]) -> dict[str, int | float | str]:
    """What a network is told, from texts KEY=VALUE.

    Raises:
        ValueError: another form, or one key twice.
    """
    own = ("name", "weights", "part", "label")  # of `cem.load` itself
    found: dict[str, int | float | str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value) or key in (*found, *own):
            raise ValueError(f"--set {text!r}: expected KEY=VALUE, every key once")
        found[key] = _number(value)
    return found


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


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


_PLANS = {
    "coarse-to-fine": (cem.CoarseToFine, ("coarse", "fine")),
    "adaptive": (cem.Adaptive, ("most",)),
    "fixed": (cem.Fixed, ("n",)),
    "quadrature": (cem.Quadrature, ("n",)),
    "stratified": (cem.Stratified, ("n",)),
}
PLAN_HELP = "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], fixed:N, quadrature:N or stratified:N"


def parse_plan(text: str) -> cem.Plan:
    """A plan from its name and its numbers of draws; see `docs/plans.md`.

    Raises:
        ValueError: another name, or numbers that do not fit it.
    """
    name, _, rest = text.partition(":")
    try:
        plan, fields = _PLANS[name]
        numbers = [int(part) for part in rest.split(",")] if rest else []
        optional = name in ("coarse-to-fine", "adaptive") and not numbers
        if not optional and len(numbers) != len(fields):
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(f"--plan {text!r}: expected {PLAN_HELP}") from None
    return plan(**dict(zip(fields, numbers, strict=False)))
