"""Verdicts on the claims that were written down beforehand, from the results of their figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures import Store, find
from cem_jax.experiments.figures.correction import verdicts
from cem_jax.experiments.figures.statistics import verdict, written
from cem_jax.experiments.registered import Family, Registered, families

LEAST = 10
"""Networks that the claims on official networks are about at least."""

Judged = tuple[Registered, Mapping[str, Any]]
"""A line, and the mean and interval of its number."""


def paired(family: Family, found: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """A family's lines with what was found of them.

    Args:
        family: of claims.
        found: mean and interval of each number by its name.
    """
    return [(line, found[line.number]) for line in family.lines]


def judge(judged: Sequence[Judged]) -> list[str]:
    """Verdicts of lines, in their order.

    Returns:
        "supported", "refuted" or "undecided" for each; claims are corrected together, exploratory
        lines are not.
    """
    claims = [(found, line.bound) for line, found in judged if line.role == "claim"]
    told = iter(verdicts(claims))
    return [
        next(told) if line.role == "claim" else verdict(found, line.bound) for line, found in judged
    ]


def rows(judged: Sequence[Judged]) -> list[dict[str, str]]:
    """Lines with their numbers and verdicts, for `cem.markdown_table`."""
    return [
        {
            "claim": f"**{line.claim}**" if line.role == "claim" else line.claim,
            "mean [95 % interval]": written(found, line.unit),
            "bound": f"{line.bound:g}",
            "scenes": str(found["scenes"]),
            "networks": str(found.get("networks", "-")),
            "role": line.role,
            "verdict": one,
        }
        for (line, found), one in zip(judged, judge(judged), strict=True)
    ]


def _over_networks(family: Family, results: Mapping[str, Any]) -> str:
    """Subjects and table of claims on official networks; "" of stand-ins, or of too few."""
    if not results["official"] or len(results["networks"]) < LEAST:
        return ""
    table = cem.markdown_table(rows(paired(family, find(family.figure).numbers(results))))
    return f"{len(results['networks'])} official networks, {results['scenes']} scenes.\n\n{table}"


def _over_series(family: Family, results: Mapping[str, Any]) -> str:
    """Subjects and table of claims on each series of networks, which are corrected together."""
    by_series = find(family.figure).numbers(results)
    judged = [(name, one) for name, found in by_series.items() for one in paired(family, found)]
    lines = [
        {"series": name, **row}
        for (name, _), row in zip(judged, rows([one for _, one in judged]), strict=True)
    ]
    for line in lines:
        del line["networks"]
    counts = [f"{len(networks)} of {name}" for name, networks in results["series"].items()]
    about = f"{' and '.join(counts)}, {results['scenes']} scenes."
    return f"{about}\n\n{cem.markdown_table(lines)}"


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
        text = (_over_series if "series" in results else _over_networks)(family, results)
        if text:
            told[name] = (
                f"## {family.question}\n\nClaims and bounds were [written down "
                f"beforehand](claims.md). {text}"
            )
    return told
