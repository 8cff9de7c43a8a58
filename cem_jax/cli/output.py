"""What commands print: a text for readers, or records as JSON for scripts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cem_jax.plain_text import visible

Json = Annotated[bool, typer.Option("--json", help="Print a JSON list instead, for scripts.")]


def show(records: Sequence[Mapping[str, Any]], text: str, json: bool) -> None:
    """What a command has found: a text for readers, or its records as JSON for scripts."""
    from cem_jax.rows import as_json

    typer.echo(as_json(records) if json else text)


def show_files(files: Sequence[Path], json: bool) -> None:
    """What a command has written."""
    records = [{"written": str(file)} for file in files]
    show(records, written(*files), json)


def written(*files: object) -> str:
    """Which files were written, in words; their names may hold anything."""
    return f"Written: {', '.join(visible(str(file)) for file in files)}"
