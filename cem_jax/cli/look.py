"""Commands that show maps that were made: `report`, `plot`, `export`; maps alone need no JAX."""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import cem_jax as cem
from cem_jax.cli.options import PICTURE, end_of_colours
from cem_jax.cli.output import Json, show_files
from cem_jax.cli.places import check_file, check_folder, check_new_file, check_places

if TYPE_CHECKING:
    from cem_jax.store.objects import AnyPath

app = typer.Typer()

Maps = Annotated[
    list[Path], typer.Argument(help="Folders with map.npz at any depth, or saved maps.")
]
COLOURS = typer.Option(help="A diverging colour map of matplotlib instead of the usual colours.")


def _by_numbers(path: "AnyPath") -> list[tuple[str, int]]:
    """An order in which y32 comes before y112."""
    return [(text, int(number or -1)) for text, number in re.findall(r"(\D*)(\d*)", str(path))]


def load_maps(places: "Sequence[AnyPath]") -> "list[cem.EffectMap]":
    """The maps of files and of folders at any depth.

    Raises:
        ValueError: a folder without maps, or a file that is none.
    """
    return [cem.EffectMap.load(file) for file in _files(places)]


def load_split(places: "Sequence[AnyPath]") -> "list[cem.EffectMap | cem.MediatedMaps]":
    """The same, where those that a mediator splits come with their parts.

    Raises:
        ValueError: a folder without maps, or a file that is none.
    """
    from cem_jax.inside.mediated_maps import part_paths

    found: list[cem.EffectMap | cem.MediatedMaps] = []
    for file in _files(places):
        total, *parts = part_paths(file.parent).values()
        split = file.name == total.name and all(part.exists() for part in parts)
        found.append(cem.MediatedMaps.load(file.parent) if split else cem.EffectMap.load(file))
    return found


def _files(places: "Sequence[AnyPath]") -> "list[AnyPath]":
    from cem_jax.store.objects import as_place

    files = []
    for place in map(as_place, places):
        found = sorted(place.rglob("map.npz"), key=_by_numbers) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place}: no map.npz in this folder")
        files += found
    return files


@app.command(epilog="Example: cem-jax report results --out report.html")
def report(
    maps: Maps,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    layers: Annotated[
        list[Path] | None,
        typer.Option(help="A file of saved layers of a map's network; may be repeated."),
    ] = None,
    interactions: Annotated[
        list[Path] | None,
        typer.Option(help="A file of saved interactions of a map's blocks; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Write maps as one interactive HTML file, which opens from disk."""
    for option, paths in (("", maps), ("--layers", layers), ("--interactions", interactions)):
        check_places(option, paths or ())
    check_new_file("--out", out)
    inside = [
        *(cem.Layers.load(path) for path in layers or ()),
        *(cem.Interactions.load(path) for path in interactions or ()),
    ]  # fmt: skip
    cem.report(load_split(maps), out, inside)
    show_files([out], json)


class Look(StrEnum):
    """How maps are drawn."""

    clear = "clear"
    paper = "paper"


class Zoom(StrEnum):
    """Which part of the image maps are drawn of."""

    auto = "auto"
    whole = "whole"
    near = "near"


class Scale(StrEnum):
    """Whether maps of one scene have one scale."""

    shared = "shared"
    own = "own"


LOOK = typer.Option(help="clear is our look; paper has the paper's colours, region and pies.")
LIMIT = typer.Option(
    help="Effect at which the colours end, in the outcome's unit.", callback=end_of_colours
)
ZOOM = typer.Option(
    help="whole shows the image, near the part that matters; auto takes near if it is small."
)


@app.command(epilog="Example: cem-jax plot results --out maps.pdf --zoom near --look paper")
def plot(
    maps: Maps,
    out: Annotated[Path, PICTURE] = Path("maps.png"),
    colour_map: Annotated[str | None, COLOURS] = None,
    look: Annotated[Look, LOOK] = Look.clear,
    limit: Annotated[float | None, LIMIT] = None,
    zoom: Annotated[Zoom, ZOOM] = Zoom.auto,
    scale: Annotated[
        Scale, typer.Option(help="shared: maps of one scene have one scale; own: each has its own.")
    ] = Scale.shared,
    json: Json = False,
) -> None:
    """Draw maps as one picture: inputs, maps, scales, shares. Many maps become pages of a .pdf."""
    check_places("", maps)
    found = load_maps(maps)
    from cem_jax.view.figure_file import write_pages
    from cem_jax.view.plot import pages

    figures = pages(
        found, colour_map, look=look.value, limit=limit, zoom=zoom.value,
        scale=scale.value,
    )  # fmt: skip
    write_pages(figures, out, dpi=200)
    show_files([out], json)


class Format(StrEnum):
    """What a map is exported as."""

    csv = "csv"
    mat = "mat"
    netcdf = "netcdf"
    npz = "npz"


@app.command(epilog="Example: cem-jax export map.npz --format csv --out map.csv")
def export(
    file: Annotated[Path, typer.Argument(help="A saved map.")],
    format: Annotated[
        Format,
        typer.Option(
            help="csv is a table, mat is for the paper's code, npz is the format of this package."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The file to write; for mat, the folder in which the paper's code is started."
        ),
    ],
    image: Annotated[
        str, typer.Option(help="For mat: the photograph's file name in the paper's code.")
    ] = "image.png",
    prefix: Annotated[str, typer.Option(help="For mat: `prefix` in its configuration.")] = "DEMO",
    json: Json = False,
) -> None:
    """Write a saved map in another format, see docs/map-format.md."""
    check_file("", file)
    if format is not Format.mat:
        check_folder("--out", out.absolute().parent)
    effect_map = cem.EffectMap.load(file)
    from cem_jax.map.interchange import write_csv, write_netcdf, write_reference

    written = [out]
    if format is Format.mat:
        written = write_reference(effect_map, out, image, prefix)
    else:
        writers = {
            Format.csv: write_csv, Format.netcdf: write_netcdf, Format.npz: cem.EffectMap.save
        }  # fmt: skip
        writers[format](effect_map, out)
    show_files(written, json)
