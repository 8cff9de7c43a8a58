"""Verdicts on the claims that were written down beforehand, from the results of their figures."""

from collections.abc import Mapping
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import Store, find
from cem_jax.experiments.figures.correction import verdicts
from cem_jax.experiments.figures.statistics import verdict, written
from cem_jax.experiments.registered import Family, families

LEAST = 10
"""Networks that the claims on official networks are about at least."""


def judge(family: Family, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Verdicts of a family's lines, in their order.

    Args:
        family: of claims.
        found: mean and interval of each number by its name.

    Returns:
        "supported", "refuted" or "undecided" for each; claims are corrected together, exploratory
        lines are not.
    """
    claims = [line for line in family.lines if line.role == "claim"]
    told = iter(verdicts([(found[line.number], line.bound) for line in claims]))
    return [
        next(told) if line.role == "claim" else verdict(found[line.number], line.bound)
        for line in family.lines
    ]


def rows(family: Family, found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """A family's lines with their numbers and verdicts, for `cem.markdown_table`."""
    return [
        {
            "claim": f"**{line.claim}**" if line.role == "claim" else line.claim,
            "mean [95 % interval]": written(found[line.number], line.unit),
            "bound": f"{line.bound:g}",
            "scenes": str(found[line.number]["scenes"]),
            "networks": str(found[line.number].get("networks", "-")),
            "role": line.role,
            "verdict": one,
        }
        for line, one in zip(family.lines, judge(family, found), strict=True)
    ]


def sections(store: Store) -> dict[str, str]:
    """A part of the page for each family whose figure the folder holds, by the family's name.

    Results of the quick preset, of stand-ins, or of too few networks carry no verdict.
    """
    told = {}
    for name, family in families().items():
        record = store.read(family.figure) if family.figure else None
        if record is None or record["preset"] == "quick":
            continue
        results = record["results"]
        if not results["official"] or len(results["networks"]) < LEAST:
            continue
        found = find(family.figure).numbers(results)
        told[name] = (
            f"## {family.question}\n\nClaims and bounds were [written down "
            f"beforehand](claims.md). {len(results['networks'])} official networks, "
            f"{results['scenes']} scenes.\n\n{cem.markdown_table(rows(family, found))}"
        )
    return told
