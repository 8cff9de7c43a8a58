"""The command `compare`: the maps of a job, network by network."""

import dataclasses
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.output import Json, show

app = typer.Typer()


@app.command(epilog="Example: cem-jax compare results --by network")
def compare(
    out: Annotated[
        str, typer.Argument(help="Folder of a job's results, or its table (.csv, .parquet).")
    ],
    by: Annotated[str, typer.Option(help="What tells groups apart: network, task, outcome.")] = (
        "network"
    ),
    json: Json = False,
) -> None:
    """Means over scenes and paired differences, with 95 % intervals that take the scene as unit."""
    from cem_jax.jobs.compare import as_rows

    table = out if out.endswith((".csv", ".parquet")) else cem.job_table(out)
    found = cem.compare(table, by=by)
    show([dataclasses.asdict(one) for one in found], cem.markdown_table(as_rows(found)), json)
