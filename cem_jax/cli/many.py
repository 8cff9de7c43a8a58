"""Commands about many maps: `sweep`, `status`."""

import contextlib
import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import cem_jax as cem
from cem_jax.cli.options import parse_time
from cem_jax.cli.output import Json, say, show
from cem_jax.cli.places import check_file, check_folder, check_place
from cem_jax.cli.start import start_jax, start_workers
from cem_jax.plain_text import visible

if TYPE_CHECKING:
    from cem_jax.jobs.asked import MapResult
    from cem_jax.jobs.pilot import JobCost
    from cem_jax.store.objects import AnyPath

app = typer.Typer()

LATE = 75
"""The exit status of what should be tried again later (EX_TEMPFAIL of sysexits.h)."""
_REPORTED = 400
"""Maps of the largest report that is made unasked."""
_EACH = 2.0
"""Seconds between two looks of `--watch`."""


@app.command(epilog="Example: cem-jax sweep job.toml --out results --on processes:4")
def sweep(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="The job file; docs/sweeps.md describes it.")],
    out: Annotated[
        str | None,
        typer.Option(
            help="Folder for the maps, or s3://... or gs://...; by default FILE without .toml."
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Who makes the maps: processes:4, dask://host:port, slurm:8 or mpi; by default "
            "this process."
        ),
    ] = None,
    time_left: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Stop after this time, such as 3h50m; the exit status is 75 if maps are left.",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Make only the maps that have failed.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Name photographs that cannot be used, and make the other maps."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Make no map; print what the job would cost, from a few calls."
        ),
    ] = False,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed", help="Connect this process to the others of a TPU pod, as JAX needs."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Make the maps of many networks, scenes and regions: OUT/maps.json, table.csv, a folder each.

    You can start this command several times, on all machines that share OUT. The processes then
    share the work.
    """
    seconds = None if time_left is None else parse_time(time_left)
    folder = out or file.removesuffix(".toml")
    if on is not None:
        if dry_run:
            raise ValueError("--dry-run looks at this machine: expected no --on")
        from cem_jax.jobs.engines import check_engine

        check_engine(on)
        if distributed:
            raise ValueError("--on and --distributed: expected one of them")
    check_file("", file)
    if folder == file and not dry_run:
        raise ValueError(f"--out is needed: {visible(file)} does not end in .toml")
    if not dry_run:
        check_folder("--out", folder)
    from cem_jax.jobs.engines import engine
    from cem_jax.store.objects import as_place

    if on is None or on == "mpi":
        start_jax(context)
    else:
        start_workers(context)
    if distributed:
        from cem_jax.sweep.devices import join_processes

        join_processes()
    running: Any = contextlib.nullcontext((None, 0)) if on is None else engine(on, as_place(folder))
    with running as (executor, tasks):
        if on is not None and executor is None:
            return
        job = cem.read_job(file, skipped=_tell_skipped if skip_bad else None)
        if dry_run:
            _estimate(job, json)
            return
        only = cem.job_status(folder).failed if retry else None
        make_job(job, folder, json, only=only, executor=executor, seconds=seconds,
                 maps_per_task=-(-len(job.maps) // tasks) if tasks else None)  # fmt: skip


def make_job(job: "cem.Job", folder: str | Path, json: bool, **how: Any) -> None:
    """Makes a job's maps, with a line for each; status 2 in the end if one could not be made.

    Args:
        job: what is to be made.
        folder: of the results.
        json: print the list of maps instead of lines.
        **how: as of `run_job`.
    """
    from cem_jax.jobs.asked import INDEX
    from cem_jax.store.objects import as_place

    done = 0
    asked = job.maps if how.get("only") is None else how["only"]

    def tell(result: "MapResult") -> None:
        nonlocal done
        done += 1
        head = f"{done}/{len(asked)} {result.asked}: "
        if result.problem:
            typer.echo(f"cem-jax: {head}{result.problem}", err=True)
        else:
            spent = "made before" if result.found else f"{result.rows[0]['seconds']} s"
            typer.echo(f"{head}{spent}", err=True) if json else say(f"{head}{spent}")

    results = cem.run_job(job, folder, each=tell, **how)
    late = sum(result.late for result in results)
    failed = sum(bool(result.problem) for result in results) - late
    listed = as_place(folder) / INDEX
    made = len(results) - failed - late
    text = f"\n{made} maps in {visible(str(folder))}, listed in {visible(str(listed))}"
    if made and not late:
        text += _write_results(as_place(folder), made)
    say(listed.read_text() if json else text)
    if late or failed:
        raise typer.Exit(LATE if late else 2)


def _tell_skipped(line: str) -> None:
    typer.echo(f"cem-jax: {line}", err=True)


def _write_results(folder: "AnyPath", made: int) -> str:
    """Writes the table of a job that has ended and, of not too many maps, the report."""
    from cem_jax.cli.look import load_split
    from cem_jax.jobs.asked import REPORT, TABLE
    from cem_jax.jobs.table import write_table

    rows = cem.job_table(str(folder))
    write_table(rows, folder / TABLE)
    if made > _REPORTED:
        return (
            f"; {TABLE}. These are too many maps for a report; `cem-jax report` makes one of the "
            "folders that you name"
        )
    there = [folder / row["directory"] / "map.npz" for row in rows if not row["problem"]]
    cem.report(load_split(list(dict.fromkeys(there))), folder / REPORT)
    return f"; {TABLE}, {REPORT}"


def _estimate(job: "cem.Job", json: bool) -> None:
    """Tells what a job would cost here."""
    from cem_jax.jobs.pilot import estimate_job

    found = list(estimate_job(job))
    rows = [_estimated(one) for one in found if not one.problem]
    lines = [cem.markdown_table(rows)] if rows else []
    lines += [f"{one.network}, {one.maps} maps: {one.problem}" for one in found if one.problem]
    least, most = (sum(one.seconds[n] for one in found) / 3600 for n in (0, 1))
    disk = sum(one.disk for one in found) / 2**20
    lines.append(f"{len(job.maps)} maps: {least:.3g} to {most:.3g} hours on this machine, "
                 f"at most {disk:.0f} MiB on disk")  # fmt: skip
    show([dataclasses.asdict(one) for one in found], "\n\n".join(lines), json)


def _estimated(one: "JobCost") -> dict[str, float | int | str]:
    return {
        "network": one.network, "maps": one.maps,
        "evaluations": f"{one.evaluations[0]} .. {one.evaluations[1]}",
        "per second": f"{one.evaluations_per_second:.3g}",
        "hours": f"{one.seconds[0] / 3600:.2g} .. {one.seconds[1] / 3600:.2g}",
        "compilation": f"{one.compilation:.1f} s",
        "memory": f"{one.memory / 2**20:.0f} MiB",
    }  # fmt: skip


@app.command(epilog="Example: cem-jax status results --watch")
def status(
    out: Annotated[str, typer.Argument(help="Folder of a job's results, or s3://..., gs://...")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every 2 s until nothing is at work.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how far a job is: what is done, running and failed, and the time left."""
    check_place("", out)
    from cem_jax.jobs.status import as_text

    while True:
        found = cem.job_status(out)
        if watch and sys.stdout.isatty():
            typer.echo("\x1b[2J\x1b[H", nl=False)  # an empty screen, from its first line on
        show([found.record()] if json else [], as_text(found), json)
        if not watch or not found.open:
            return
        time.sleep(_EACH)
