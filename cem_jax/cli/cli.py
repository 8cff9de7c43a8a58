"""The command line: `cem-jax` and its commands."""

import _thread
import contextlib
import dataclasses
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import cem_jax as cem
from cem_jax.cli.options import (
    MODEL,
    PLAN_HELP,
    SET,
    Json,
    Task,
    parse_plan,
    parse_roi,
    parse_set,
)
from cem_jax.jobs.job import INDEX, MapResult
from cem_jax.jobs.reference_config import read_reference_config
from cem_jax.map.interchange import write_csv, write_netcdf, write_reference
from cem_jax.map.summary import as_json
from cem_jax.scene.image import open_image
from cem_jax.sweep.devices import join_processes

app = typer.Typer(
    name="cem-jax",
    help="Which parts of an image help a restoration network here, which harm it, by how many dB?",
    epilog="Exit status: 0 if all was done, 2 for bad input or a map that could not be made, "
    "130 if interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


INTERRUPTED = 130
"""The exit status that typer and shells give to Ctrl-C."""


def show(records: Sequence[Mapping[str, Any]], text: str, json: bool) -> None:
    """What a command has found: a text for readers, or its records as JSON for scripts."""
    typer.echo(as_json(records) if json else text)


def show_files(files: Sequence[Path], json: bool) -> None:
    """What a command has written."""
    records = [{"written": str(file)} for file in files]
    show(records, f"Written: {', '.join(map(str, files))}", json)


@app.callback()
def start(
    cache: Annotated[
        bool, typer.Option(help="Keep compiled programs in the user's cache folder.")
    ] = True,
) -> None:
    """Sets JAX up: all cores of a CPU, and compiled programs kept for the next run."""
    cem.use_all_cores()
    if cache:
        with contextlib.suppress(ValueError):  # without a home to write to, it compiles anew
            cem.use_compilation_cache()


@app.command(epilog="Example: cem-jax demo --out cem-demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for figure, maps and table.")] = Path(
        "cem-demo"
    ),
    json: Json = False,
) -> None:
    """Maps of a super-resolution, a denoising and a deraining network on a bundled photograph."""
    from cem_jax.experiments.demo import demo as run

    rows = run(out)
    written = f"Written to {out}: report.html, teaser.png, teaser.pdf, table.md, SR/, DN/, DR/"
    show(rows, f"{cem.markdown_table(rows)}\n\n{written}", json)


@app.command(
    "map",
    epilog="Example: cem-jax map --model DnCNN-compact --task DN --image photo.png "
    "--roi 96,112,32,32 --plan adaptive --out results/photo",
)
def map_command(
    out: Annotated[Path, typer.Option(help="Folder for the map; an unfinished one resumes.")],
    model: Annotated[str | None, MODEL] = None,
    task: Annotated[
        Task | None,
        typer.Option(
            help="What the network restores; for SR, networks of scale 1 receive the reduced "
            "photograph (by 4) enlarged again."
        ),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="The clean photograph.")] = None,
    roi: Annotated[
        str | None, typer.Option(help="Region of interest Y,X,H,W in output pixels.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint (.pth, .safetensors, orbax); else bundled. Without --model, its "
            "network is recognised."
        ),
    ] = None,
    told: Annotated[list[str] | None, SET] = None,
    plan: Annotated[str, typer.Option(help=f"{PLAN_HELP}.")] = "coarse-to-fine",
    pool: Annotated[
        Path | None, typer.Option(help="Patch pool: .npz, or a folder of photographs.")
    ] = None,
    block: Annotated[int, typer.Option(help="Side of a block, in output pixels.")] = 8,
    sigma: Annotated[float, typer.Option(help="DN: noise level, in grey levels of 255.")] = 50.0,
    seed: Annotated[int, typer.Option(help="Seed of the draws, the noise and the rain.")] = 0,
    rounded: Annotated[
        bool, typer.Option("--rounded", help="Score 8-bit outputs, as the paper's code does.")
    ] = False,
    reference_config: Annotated[
        Path | None,
        typer.Option(
            help="A .yml of the paper's code instead of all other options but --out and --weights, "
            "then the folder of its checkpoints."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """The Causal Effect Map of a region: OUT/map.npz, OUT/map.png and a table.

    --model or --weights, --task, --image and --roi are needed, or --reference-config alone.
    """
    if reference_config is not None:
        run_job(read_reference_config(reference_config, weights), out, json)
        return
    if (model is None and weights is None) or task is None or image is None or roi is None:
        raise ValueError(
            "--model or --weights, --task, --image and --roi are needed, or --reference-config"
        )
    region, draws, arguments = parse_roi(roi), parse_plan(plan), parse_set(told or ())
    if model is None:
        assert weights is not None
        network = cem.load(weights, **arguments)
    else:
        network = cem.load(model, weights, **arguments)
    clean = open_image(image)
    if task is Task.SR and network.scale == 1:
        scene = cem.Scene.preupsampled(clean, name=image.stem)
    elif task is Task.SR:
        scene = cem.Scene.super_resolution(clean, network.scale, name=image.stem)
    elif task is Task.DN:
        scene = cem.Scene.denoising(clean, sigma / 255, seed, name=image.stem)
    else:
        scene = cem.Scene.deraining(clean, seed, name=image.stem)
    patches = None
    if pool is not None:
        folder = pool.is_dir()
        patches = cem.PatchPool.from_images(pool, block) if folder else cem.PatchPool.load(pool)
    effect_map = cem.causal_effect_map(
        network, scene, region, pool=patches, block=block, plan=draws, seed=seed, directory=out,
        rounded=rounded,
    )  # fmt: skip
    effect_map.save(out / "map.npz")
    cem.plot_teaser([effect_map]).savefig(out / "map.png", dpi=200)
    numbers = cem.summarise(effect_map)
    place = {"directory": str(out), "scene": scene.name, "roi": dataclasses.astuple(region)}
    text = f"{cem.markdown_table([numbers])}\n\nWritten to {out}: map.npz, map.png"
    show([place | {"outcome": effect_map.outcome} | numbers], text, json)


@app.command(epilog="Example: cem-jax sweep job.toml --out results")
def sweep(
    file: Annotated[Path, typer.Argument(help="What is to be made: docs/sweeps.md.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the maps; by default FILE without .toml.")
    ] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="This is one of the processes of a TPU pod.")
    ] = False,
    json: Json = False,
) -> None:
    """Maps of many networks, scenes and regions: OUT/maps.json and a folder for each.

    Start it as often as you like, on all machines that share OUT: they share the work.
    """
    if distributed:
        join_processes()
    run_job(cem.read_job(file), file.with_suffix("") if out is None else out, json)


def run_job(job: cem.Job, folder: Path, json: bool) -> None:
    """Makes a job's maps, with a line for each; status 2 in the end if one could not be made."""
    done = 0

    def tell(result: MapResult) -> None:
        nonlocal done
        done += 1
        head = f"{done}/{len(job.maps)} {result.asked}: "
        if result.problem:
            typer.echo(f"cem-jax: {head}{result.problem}", err=True)
        else:
            spent = "found" if result.found else f"{result.rows[0]['seconds']} s"
            typer.echo(f"{head}{spent}", err=json)

    results = cem.run_job(job, folder, each=tell)
    failed = sum(bool(result.problem) for result in results)
    listed = folder / INDEX
    text = f"\n{len(results) - failed} maps in {folder}, listed in {listed}"
    typer.echo(listed.read_text() if json else text)
    if failed:
        raise typer.Exit(2)


def _by_numbers(path: Path) -> list[tuple[str, int]]:
    """An order in which y32 comes before y112."""
    return [(text, int(number or -1)) for text, number in re.findall(r"(\D*)(\d*)", str(path))]


@app.command(epilog="Example: cem-jax report results --out report.html")
def report(
    maps: Annotated[
        list[Path], typer.Argument(help="Folders with map.npz at any depth, or saved maps.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    json: Json = False,
) -> None:
    """Maps as one interactive HTML file, which opens from disk without a network."""
    files = []
    for place in maps:
        found = sorted(place.rglob("map.npz"), key=_by_numbers) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place}: no map.npz in this folder")
        files += found
    cem.report([cem.EffectMap.load(file) for file in files], out)
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


@app.command(epilog="Example: cem-jax convert dncnn_color_blind.pth --model DnCNN --out converted")
def convert(
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
    show_files(cem.models.export(model, file, out, part, **parse_set(told or ())), json)


@app.command(epilog="Example: cem-jax models --json")
def models(
    details: Annotated[
        bool,
        typer.Option("--details", help="Also parameters, paddings, global operations, licences."),
    ] = False,
    json: Json = False,
) -> None:
    """The networks by name: task, scale, receptive radius, weights."""
    names = cem.models.names()
    if json:
        typer.echo(as_json([dataclasses.asdict(cem.models.describe(name)) for name in names]))
        return
    rows = []
    for name in names:
        entry = cem.models.find(name)  # to count the parameters takes half a minute
        row = {"name": name, "task": "/".join(entry.tasks), "scale": entry.scale}
        if details:
            row["parameters"] = cem.models.describe(name).parameters
        radius = entry.architecture.receptive_radius(**entry.config)
        row["radius"] = "global" if radius is None else str(radius)
        row["weights"] = "bundled" if entry.bundled else ", ".join(entry.official_files)
        if details:
            row |= {
                "sides padded to": entry.size_multiple,
                "global operations": ", ".join(entry.global_operations) or "-",
                "licence of the weights": entry.licence or "none stated",
            }
        rows.append(row)
    typer.echo(cem.markdown_table(rows))


class PresetName(StrEnum):
    """How much a figure computes."""

    quick = "quick"
    compact = "compact"
    full = "full"


@app.command("figures", epilog="Example: cem-jax figures teaser --out figures")
def figures_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Figures of the paper; none lists them.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    preset: Annotated[
        PresetName, typer.Option(help="A look, the bundled networks, or the official ones.")
    ] = PresetName.quick,
    weights: Annotated[
        Path | None, typer.Option(help="Folder with official checkpoints as published.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and pictures.")] = Path("figures"),
    colour_map: Annotated[
        str, typer.Option(help="Diverging colours of matplotlib; PuOr_r for the colour-blind.")
    ] = "seismic",
    redraw: Annotated[
        bool, typer.Option("--redraw", help="Draw what was computed again; compute nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Figures of the paper: OUT/PRESET/NAME.png, .pdf and .json. What is there is not redone."""
    from cem_jax.experiments import figures

    wanted = list(figures.NAMES) if all else names or []
    if not wanted:
        claims = {name: figures.claim(name) for name in figures.NAMES}
        records = [{"name": name, "claim": claim} for name, claim in claims.items()]
        show(records, "\n".join(f"{name:18} {claim}" for name, claim in claims.items()), json)
        return
    if redraw:
        made = figures.redraw(wanted, out, preset, colour_map=colour_map)
    else:
        made = figures.make(
            wanted, out, preset, weights, colour_map=colour_map,
            tell=lambda line: typer.echo(f"cem-jax: {line}", err=True),
        )  # fmt: skip
    records = []
    for one in made:
        records.append(dataclasses.asdict(one) | {"files": [str(file) for file in one.files]})
        if one.problem:
            typer.echo(f"cem-jax: {one.name}: {one.problem}", err=True)
        else:
            text = f"{one.name} ({one.seconds:.0f} s): {one.files[0]}\n  {one.expected}"
            typer.echo(text, err=json)
    if json:
        typer.echo(as_json(records))
    if any(record["problem"] for record in records):
        raise typer.Exit(2)


def _interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C inside a callback, as JAX has one for garbage collection, is lost: it comes again."""
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        threading.Timer(0.1, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(ignored)


def main() -> None:
    """Entry point: status 0 if all was done, 2 and one line for bad input, 130 if interrupted."""
    import matplotlib

    matplotlib.use("Agg")
    sys.unraisablehook = _interrupt_again
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="cem-jax", standalone_mode=False)
    except TyperException as error:
        print(f"cem-jax: {' '.join(error.format_message().split())}", file=sys.stderr)
        status = 2
    except (ValueError, OSError) as error:
        print(f"cem-jax: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    if status == INTERRUPTED:
        print("cem-jax: interrupted; the same command continues", file=sys.stderr)
    sys.exit(status)
