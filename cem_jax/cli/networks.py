"""Commands about networks: `convert`, `models`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.options import MODEL, SET, check_name, parse_set
from cem_jax.cli.output import Json, show, show_files
from cem_jax.cli.places import check_folder, check_place
from cem_jax.cli.start import start_jax

app = typer.Typer()


@app.command(epilog="Example: cem-jax convert dncnn_color_blind.pth --model DnCNN --out converted")
def convert(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Checkpoint (.pth, .pt, .safetensors, orbax).")],
    model: Annotated[str, MODEL],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.orbax.")],
    part: Annotated[
        str | None, typer.Option(help="Key of the state dict, if the file holds several.")
    ] = None,
    told: Annotated[list[str] | None, SET] = None,
    json: Json = False,
) -> None:
    """Convert a checkpoint of torch: OUT/NAME.safetensors and the directory OUT/NAME.orbax."""
    name, arguments = check_name(model), parse_set(told or ())
    if "part" in arguments:
        raise ValueError("--set part: expected --part")
    check_place("", file)
    check_folder("--out", out)
    start_jax(context)
    show_files(cem.models.export(name, file, out, part, **arguments), json)


@app.command(epilog="Example: cem-jax models --json")
def models(
    details: Annotated[
        bool,
        typer.Option(
            "--details", help="Also list parameters, paddings, global operations and licences."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """List the networks by name, with task, scale, receptive radius and weights."""
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
    text = cem.markdown_table(rows)
    if details:
        text += f"\n\n{cem.markdown_table(_told(found))}"
    show([dataclasses.asdict(one) for one in found], text, json)


def _told(found: "Sequence[cem.models.Description]") -> list[dict[str, float | int | str]]:
    """What networks can be told, each argument once for all to which it means the same.

    Bundled networks are told what those are that they are small forms of.
    """
    rows: dict[tuple[str, ...], list[cem.models.Description]] = {}
    for one in found:
        for argument in one.arguments:
            default = "" if argument.name == "noise_level" else str(argument.default)
            row = (argument.name, argument.accepted, default, argument.meaning)
            rows.setdefault(row, []).append(one)
    table: list[dict[str, float | int | str]] = []
    for (name, accepted, default, meaning), networks in sorted(rows.items()):
        full = [one.name for one in networks if not one.bundled] or [one.name for one in networks]
        table.append(
            {"argument": name, "networks": ", ".join(full), "accepted": accepted,
             "default": default, "what it is": meaning}
        )  # fmt: skip
    return table
