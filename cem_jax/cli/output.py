"""What commands print: a text for readers, or records as JSON for scripts."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cem_jax.plain_text import visible

Json = Annotated[bool, typer.Option("--json", help="Print a JSON list instead, for scripts.")]


_own: list[Any] = []
"""Standard output, while what others print goes elsewhere."""


@contextlib.contextmanager
def kept_for_results() -> Iterator[None]:
    """Within it, standard output has what `say` writes alone; other prints go to standard error.

    A user's own network may print as it is made and called, and scripts read what we write.
    """
    _own.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _own.pop()


def say(text: str) -> None:
    """A result, on standard output."""
    typer.echo(text, file=_own[0] if _own else None)


def show(records: Sequence[Mapping[str, Any]], text: str, json: bool) -> None:
    """What a command has found: a text for readers, or its records as JSON for scripts."""
    from cem_jax.rows import as_json

    say(as_json(records) if json else text)


def show_files(files: Sequence[Path], json: bool) -> None:
    """What a command has written."""
    records = [{"written": str(file)} for file in files]
    show(records, written(*files), json)


def written(*files: object) -> str:
    """Which files were written, in words; their names may hold anything."""
    return f"Written: {', '.join(visible(str(file)) for file in files)}"
