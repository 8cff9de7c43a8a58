"""The command that shows a photograph before any map: `look`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

import cem_jax as cem
from cem_jax.cli.options import PICTURE
from cem_jax.cli.output import Json, show, written
from cem_jax.cli.places import check_file
from cem_jax.cli.start import start_jax

app = typer.Typer()


@app.command(epilog="Example: cem-jax look photo.png --out look.png")
def look(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(help="The clean photograph.")],
    out: Annotated[Path, PICTURE] = Path("look.png"),
    degraded: Annotated[
        Path | None,
        typer.Option(help="Its degraded version, to find the region that lost most."),
    ] = None,
    json: Json = False,
) -> None:
    """Draw a photograph with a grid of its pixels and the regions that --roi can name."""
    check_file("", image)
    check_file("--degraded", degraded)
    clean = cem.open_image(image)
    start_jax(context)
    from cem_jax.scene.regions import suggestions
    from cem_jax.view.figure_file import write_figure
    from cem_jax.view.look import plot_regions

    scene = cem.Scene.custom(clean, clean if degraded is None else cem.open_image(degraded))
    found = suggestions(scene)
    if degraded is None:
        found.pop("lost")  # nothing is
    write_figure(plot_regions(scene.clean, {name: one.roi for name, one in found.items()}), out)
    rows: list[dict[str, float | int | str]] = [
        {"--roi": name, "Y,X,H,W": ",".join(map(str, dataclasses.astuple(roi))), "it is": note}
        for name, (roi, note) in found.items()
    ]
    height, width = scene.clean.shape[:2]
    text = f"{height} x {width} pixels\n\n{cem.markdown_table(rows)}\n\n{written(out)}"
    show(rows, text, json)
