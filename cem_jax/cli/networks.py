"""Commands about networks: `convert`, `models`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.options import MODEL, SET, check_name, parse_set
from cem_jax.cli.output import Json, show, show_files
from cem_jax.cli.start import start_jax

app = typer.Typer()


@app.command(epilog="Example: cem-jax convert dncnn_color_blind.pth --model DnCNN --out converted")
def convert(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Checkpoint (.pth, .pt, .safetensors, orbax).")],
    model: Annotated[str, MODEL],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.orbax.")],
    part: Annotated[
        str | None, typer.Option(help="Key of the state dict, where the file holds several.")
    ] = None,
    told: Annotated[list[str] | None, SET] = None,
    json: Json = False,
) -> None:
    """A checkpoint in torch's layout as OUT/NAME.safetensors and the directory OUT/NAME.orbax."""
    name, arguments = check_name(model), parse_set(told or ())
    start_jax(context)
    show_files(cem.models.export(name, file, out, part, **arguments), json)


@app.command(epilog="Example: cem-jax models --json")
def models(
    details: Annotated[
        bool,
        typer.Option("--details", help="Also parameters, paddings, global operations, licences."),
    ] = False,
    json: Json = False,
) -> None:
    """The networks by name: task, scale, receptive radius, weights."""
    found = [cem.models.describe(name) for name in cem.models.names()]
    rows = []
    for one in found:
        row: dict[str, float | int | str] = {
            "name": one.name, "task": "/".join(one.tasks), "scale": one.scale
        }  # fmt: skip
        if details:
            row["parameters"] = one.parameters
        row["radius"] = "global" if one.receptive_radius is None else str(one.receptive_radius)
        row["weights"] = "bundled" if one.bundled else ", ".join(one.official_files)
        if details:
            row |= {
                "sides padded to": one.size_multiple,
                "global operations": ", ".join(one.global_operations) or "-",
                "licence of the weights": one.licence or "none stated",
            }
        rows.append(row)
    show([dataclasses.asdict(one) for one in found], cem.markdown_table(rows), json)
