"""The command `compare`: two maps, the maps of a job, or how far its networks see."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.look import COLOURS, LIMIT, LOOK, ZOOM, Look, Zoom, load_maps
from cem_jax.cli.options import PICTURE
from cem_jax.cli.output import Json, kept_for_results, show, written
from cem_jax.cli.places import check_places

app = typer.Typer()


@app.command(epilog="Example: cem-jax compare first/map.npz second/map.npz --out difference.png")
def compare(
    places: Annotated[
        list[str],
        typer.Argument(
            help="Two saved maps that share their draws, or two folders with one map each; or the "
            "folder or table (.csv, .parquet) of a job's results; or a job file (.toml) and the "
            "folder of its results."
        ),
    ],
    by: Annotated[
        str, typer.Option(help="For a job: what the groups differ in: network, task or outcome.")
    ] = "network",
    out: Annotated[Path, PICTURE] = Path("difference.png"),
    colour_map: Annotated[str | None, COLOURS] = None,
    look: Annotated[Look, LOOK] = Look.clear,
    limit: Annotated[float | None, LIMIT] = None,
    zoom: Annotated[Zoom, ZOOM] = Zoom.auto,
    json: Json = False,
) -> None:
    """Compare two maps, or the maps of a job.

    Two maps: how much more each block helps in the first one, as a picture and a table. A job's
    results: means over scenes and paired differences, with 95 % intervals over scenes. A job file:
    how far its networks see, by their operations, gradients and effects.
    """
    check_places("", places)
    if places[0].endswith(".toml") and len(places) <= 2:
        _compare_reach(places[0], places[1] if len(places) == 2 else None, json)
        return
    if len(places) == 1:
        _compare_job(places[0], by, json)
        return
    if len(places) != 2:
        raise ValueError(
            f"{len(places)} places: expected two maps, one folder or table of a job, or its file"
        )
    found = cem.difference(*(_only_map(place) for place in places))
    from cem_jax.view.figure_file import write_figure

    drawn = cem.plot(found, None, limit, colour_map, look=look.value, zoom=zoom.value)
    figure = drawn.get_figure(root=True)
    assert figure is not None
    write_figure(figure, out, dpi=200)
    numbers = found.summary
    text = f"{cem.markdown_table([numbers])}\n\n{written(out)}"
    show([numbers | {"written": str(out)}], text, json)


def _only_map(place: str) -> "cem.EffectMap":
    """The map of a file, or of a folder that holds one."""
    from cem_jax.store.objects import as_place

    found = load_maps([as_place(place)])
    if len(found) > 1:
        raise ValueError(f"{place}: {len(found)} maps in this folder; name one of its map.npz")
    return found[0]


def _compare_job(place: str, by: str, json: bool) -> None:
    """The maps of a job, group by group."""
    from cem_jax.jobs.compare import as_rows

    table = place if place.endswith((".csv", ".parquet")) else cem.job_table(place)
    found = cem.compare(table, by=by)
    show([dataclasses.asdict(one) for one in found], cem.markdown_table(as_rows(found)), json)


def _compare_reach(file: str, out: str | None, json: bool) -> None:
    """How far the networks of a job see."""
    with kept_for_results():
        rows = cem.job_reach(cem.read_job(file), out)
    show(rows, cem.markdown_table(rows), json)
