"""Commands about the results of a job: `table`, `gather`. None of them needs JAX."""

import importlib.util
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.output import Json, show, written
from cem_jax.cli.places import check_folder, check_new_file, check_place

app = typer.Typer()

Results = Annotated[str, typer.Argument(help="Folder of a job's results, or s3://..., gs://...")]


@app.command(epilog="Example: cem-jax table results --out table.parquet")
def table(
    out: Results,
    file: Annotated[
        str | None,
        typer.Option(
            "--out",
            help="The file, .csv or .parquet; by default OUT/table.csv, and OUT/table.parquet if "
            "pyarrow is installed.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the maps of a job as a table with a row for each map and outcome."""
    check_place("", out)
    check_new_file("--out", file)
    from cem_jax.store.objects import as_place

    rows = cem.job_table(out)
    folder = as_place(out)
    files = [as_place(file)] if file else [folder / "table.csv"]
    if not file and importlib.util.find_spec("pyarrow") is not None:
        files.append(folder / "table.parquet")
    for one in files:
        cem.write_table(rows, one)
    show(rows, f"{len(rows)} rows. {written(*files)}", json)


@app.command(epilog="Example: cem-jax gather results maps.zarr")
def gather(
    out: Results,
    store: Annotated[str, typer.Argument(help="The Zarr store to write: a new folder.")],
    outcome: Annotated[
        str | None, typer.Option(help="Which of several outcomes; by default the first.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the maps of a job as one Zarr store: network, scene, region, row, column."""
    check_place("", out)
    check_folder("", store)
    number = cem.gather(out, store, outcome)
    show([{"written": store, "maps": number}], f"{number} maps. {written(store)}", json)
