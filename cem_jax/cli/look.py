"""Commands that show maps that were made: `report`, `plot`, `export`. None of them needs JAX."""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import cem_jax as cem
from cem_jax.cli.output import Json, show_files

if TYPE_CHECKING:
    from cem_jax.store.objects import AnyPath

app = typer.Typer()

Maps = Annotated[
    list[Path], typer.Argument(help="Folders with map.npz at any depth, or saved maps.")
]
COLOURS = typer.Option(help="Diverging colours of matplotlib; PuOr_r for the colour-blind.")


def _by_numbers(path: "AnyPath") -> list[tuple[str, int]]:
    """An order in which y32 comes before y112."""
    return [(text, int(number or -1)) for text, number in re.findall(r"(\D*)(\d*)", str(path))]


def load_maps(places: "Sequence[AnyPath]") -> "list[cem.EffectMap]":
    """The maps of files and of folders at any depth.

    Raises:
        ValueError: a folder without maps, or a file that is none.
    """
    from cem_jax.store.objects import as_place

    files = []
    for place in map(as_place, places):
        found = sorted(place.rglob("map.npz"), key=_by_numbers) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place}: no map.npz in this folder")
        files += found
    return [cem.EffectMap.load(file) for file in files]


@app.command(epilog="Example: cem-jax report results --out report.html")
def report(
    maps: Maps,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    json: Json = False,
) -> None:
    """Maps as one interactive HTML file, which opens from disk without a network."""
    cem.report(load_maps(maps), out)
    show_files([out], json)


@app.command(epilog="Example: cem-jax plot results --out maps.png")
def plot(
    maps: Maps,
    out: Annotated[Path, typer.Option(help="The file to write: .png, .pdf, .svg.")] = Path(
        "maps.png"
    ),
    colour_map: Annotated[str, COLOURS] = "seismic",
    json: Json = False,
) -> None:
    """Maps as one picture, a column for each: input, map, shares and range, as in the paper."""
    from cem_jax.view.figure_file import write_figure

    write_figure(cem.plot_teaser(load_maps(maps), colour_map), out, dpi=200)
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
        Format, typer.Option(help="A table, the files of the paper's code, NetCDF, or our own.")
    ],
    out: Annotated[
        Path, typer.Option(help="File to write; mat: the folder where the paper's code is started.")
    ],
    image: Annotated[
        str, typer.Option(help="mat: the photograph's file name there.")
    ] = "image.png",
    prefix: Annotated[str, typer.Option(help="mat: `prefix` of the configuration there.")] = "DEMO",
    json: Json = False,
) -> None:
    """A saved map in another format: docs/map-format.md."""
    from cem_jax.map.interchange import write_csv, write_netcdf, write_reference

    effect_map = cem.EffectMap.load(file)
    written = [out]
    if format is Format.mat:
        written = write_reference(effect_map, out, image, prefix)
    else:
        writers = {
            Format.csv: write_csv, Format.netcdf: write_netcdf, Format.npz: cem.EffectMap.save
        }  # fmt: skip
        writers[format](effect_map, out)
    show_files(written, json)
