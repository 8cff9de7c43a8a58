"""The command `figures`: the paper's figures, made anew."""

import dataclasses
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cem_jax.cli.look import COLOURS
from cem_jax.cli.output import Json, say, show
from cem_jax.cli.places import check_folder, check_place
from cem_jax.cli.start import start_jax
from cem_jax.plain_text import visible

app = typer.Typer()


class PresetName(StrEnum):
    """How much a figure computes."""

    quick = "quick"
    compact = "compact"
    full = "full"


@app.command("figures", epilog="Example: cem-jax figures teaser --out figures")
def figures_command(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of figures; without any, they are listed.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Make all figures.")] = False,
    preset: Annotated[
        PresetName,
        typer.Option(
            help="quick gives a first look, compact takes the bundled networks, and full the "
            "official ones."
        ),
    ] = PresetName.quick,
    weights: Annotated[
        Path | None, typer.Option(help="Folder with official checkpoints as published.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and pictures.")] = Path("figures"),
    colour_map: Annotated[str, COLOURS] = "RdBu_r",
    redraw: Annotated[
        bool,
        typer.Option("--redraw", help="Draw the computed results again, and compute nothing."),
    ] = False,
    add_to: Annotated[
        Path | None,
        typer.Option(
            help="Folder of earlier results, whose networks are not computed again: official and "
            "texture take a few networks at a time."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Repeat a random part of the published numbers.")
    ] = False,
    published: Annotated[
        Path | None,
        typer.Option(
            help="Folder of published results, docs/results if --check is given alone. With "
            "--redraw they are drawn, and only the maps that are shown are made again."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="For --check: seed of the random part.", min=0)] = 0,
    minutes: Annotated[
        float, typer.Option(help="For --check: minutes after which no map is begun.", min=0)
    ] = 10.0,
    json: Json = False,
) -> None:
    """Make figures of the paper: OUT/PRESET/NAME.png, .pdf and .json. Finished ones are kept."""
    check_place("--weights", weights)
    check_place("--add-to", add_to)
    check_folder("--out", out)
    if published is not None and not (check or redraw):
        raise ValueError(f"--published {visible(str(published))}: only with --check or --redraw")
    if check and published is None:
        published = Path("docs/results")
    check_place("--published", published)
    if not math.isfinite(minutes):
        raise ValueError(f"--minutes {minutes}: expected a number, at least 0")
    from cem_jax.experiments import figures
    from cem_jax.experiments.figures.names import check_name

    wanted = list(figures.NAMES) if all else [check_name(name) for name in names or ()]
    if check and published is not None:
        start_jax(context)
        _check(wanted or list(figures.NAMES), published, weights, seed, minutes, json)
        return
    if not wanted:
        claims = {name: figures.claim(name) for name in figures.NAMES}
        records = [{"name": name, "claim": claim} for name, claim in claims.items()]
        show(records, "\n".join(f"{name:18} {claim}" for name, claim in claims.items()), json)
        return
    if redraw and published is not None:
        start_jax(context)
        made = figures.draw_anew(wanted, published, out, weights, colour_map=colour_map, tell=_tell)
    elif redraw:
        made = figures.redraw(wanted, out, preset, colour_map=colour_map)
    else:
        start_jax(context)
        made = figures.make(
            wanted, out, preset, weights, colour_map=colour_map, add_to=add_to, tell=_tell
        )
    records = []
    for one in made:
        records.append(dataclasses.asdict(one) | {"files": [str(file) for file in one.files]})
        if one.problem:
            typer.echo(f"cem-jax: {one.name}: {one.problem}", err=True)
        else:
            place = visible(str(one.files[0]))
            text = f"{one.name} ({one.seconds:.0f} s): {place}\n  {one.expected}"
            typer.echo(text, err=True) if json else say(text)
    if json:
        show(records, "", json)
    if any(record["problem"] for record in records):
        raise typer.Exit(2)


def _tell(line: str) -> None:
    """A line of its own on the terminal's other stream."""
    typer.echo(f"cem-jax: {line}", err=True)


def _check(
    names: Sequence[str],
    published: Path,
    weights: Path | None,
    seed: int,
    minutes: float,
    json: bool,
) -> None:
    """Repeats published numbers, and says within what they agree; fails where some do not."""
    from cem_jax.experiments import figures

    found = []
    for one in figures.check(
        published, weights, names=names, seed=seed, seconds=60 * minutes,
        tell=_tell,
    ):  # fmt: skip
        found.append(one)
        if not one.agrees or one.problem:
            told = one.problem or f"differs by {one.differences}"
            typer.echo(f"cem-jax: {one.figure}: {one.key}: {told}", err=True)
    records = [dataclasses.asdict(one) | {"agrees": one.agrees} for one in found]
    show(records, figures.summary(found), json)
    if not found or any(one.problem or not one.agrees for one in found):
        raise typer.Exit(2)
