"""Claims that were written down, with bound and unit, before the results they are judged by.

    python -m cem_jax.experiments.registered [--write docs/claims.md]

They stand in `registered.toml` beside this file, whose history shows when each was added.
"""

import argparse
import dataclasses
import functools
import re
import textwrap
import tomllib
from importlib import resources
from pathlib import Path

import cem_jax as cem

FILE = "registered.toml"
_PLACE = re.compile(r"(?<=<!-- claims -->\n).*?(?=<!-- end of claims -->)", re.DOTALL)
_WIDTH = 108
_ROLES = ("claim", "exploratory")


@dataclasses.dataclass(frozen=True)
class Registered:
    """One line: that the mean of a number exceeds a bound.

    Args:
        number: that it is about, by its name in a figure's results.
        claim: in words.
        bound: the smallest mean that supports the claim.
        unit: of bound and number, with a "+" before it where signs are to be written.
        role: "claim", on which a verdict rests, or "exploratory".
        why: the bound is this one.
    """

    number: str
    claim: str
    bound: float
    unit: str
    role: str
    why: str

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise ValueError(f"role={self.role!r}: expected one of {', '.join(_ROLES)}")


@dataclasses.dataclass(frozen=True)
class Family:
    """Lines that are judged together.

    Args:
        name: of the family.
        question: that they answer.
        design: how the numbers are made.
        units: over what a mean and its interval are taken.
        figure: that computes them; "" where there is none.
        known: of the answer when the lines were written down.
        lines: they.
    """

    name: str
    question: str
    design: str
    units: str
    figure: str
    known: str
    lines: tuple[Registered, ...]


@functools.cache
def families() -> dict[str, Family]:
    """All families of claims, by name."""
    text = resources.files(__spec__.parent).joinpath(FILE).read_text("utf-8")
    return {
        name: Family(name, lines=tuple(Registered(**line) for line in found.pop("lines")), **found)
        for name, found in tomllib.loads(text).items()
    }


def section(family: Family) -> str:
    """A family's part of the page, in Markdown."""
    rows = [
        {
            "claim": f"**{line.claim}**" if line.role == "claim" else line.claim,
            "supported if above": f"{line.bound:g} {line.unit.removeprefix('+')}".strip(),
            "role": line.role,
            "why this bound": line.why,
        }
        for line in family.lines
    ]
    facts = {
        "How": family.design,
        "Unit": f"{family.units}.",
        "Figure": f"`cem-jax figures {family.figure}`." if family.figure else "",
        "Known when it was written down": family.known,
    }
    listed = "\n".join(
        textwrap.fill(f"- **{name}**: {told}", _WIDTH, subsequent_indent="  ")
        for name, told in facts.items()
        if told
    )
    return f"## {family.question}\n\n{listed}\n\n{cem.markdown_table(rows)}"


def with_claims(page: str) -> str:
    """The page with all claims between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    if not _PLACE.search(page):
        raise ValueError("page: needs the lines <!-- claims --> and <!-- end of claims -->")
    text = "\n\n".join(map(section, families().values()))
    return _PLACE.sub(lambda _: f"\n{text}\n\n", page)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="PAGE")
    args = parser.parse_args()
    if args.write:
        args.write.write_text(with_claims(args.write.read_text("utf-8")), "utf-8")
    else:
        print("\n\n".join(map(section, families().values())))


if __name__ == "__main__":
    main()
