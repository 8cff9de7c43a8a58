"""The command line: `cem-jax demo`, `map`, `sweep`, `report`, `export`, `convert`, `models`."""

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

import cem_jax as cem
from cem_jax.devices import join_processes
from cem_jax.image import read_image
from cem_jax.interchange import write_csv, write_netcdf, write_reference
from cem_jax.job import INDEX, MapResult
from cem_jax.reference_config import read_reference_config

app = typer.Typer(
    name="cem-jax",
    help="Which parts of an image help a restoration network here, which harm it, by how many dB?",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Task(StrEnum):
    """What the network restores."""

    SR = "SR"
    DN = "DN"
    DR = "DR"


def parse_roi(text: str) -> cem.ROI:
    """A region from `Y,X,H,W` in output pixels.

    Raises:
        ValueError: not four whole numbers, or no region.
    """
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--roi {text!r}: expected Y,X,H,W in output pixels") from None
    return cem.ROI(y, x, height, width)


_PLANS = {
    "coarse-to-fine": (cem.CoarseToFine, ("coarse", "fine")),
    "adaptive": (cem.Adaptive, ("most",)),
    "fixed": (cem.Fixed, ("n",)),
    "quadrature": (cem.Quadrature, ("n",)),
    "stratified": (cem.Stratified, ("n",)),
}
_PLAN_HELP = "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], fixed:N, quadrature:N or stratified:N"


def parse_plan(text: str) -> cem.Plan:
    """A plan from its name and its numbers of draws; see `docs/plans.md`.

    Raises:
        ValueError: another name, or numbers that do not fit it.
    """
    name, _, rest = text.partition(":")
    try:
        plan, fields = _PLANS[name]
        numbers = [int(part) for part in rest.split(",")] if rest else []
        optional = name in ("coarse-to-fine", "adaptive") and not numbers
        if not optional and len(numbers) != len(fields):
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(f"--plan {text!r}: expected {_PLAN_HELP}") from None
    return plan(**dict(zip(fields, numbers, strict=False)))


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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for figure, maps and table.")] = Path(
        "cem-demo"
    ),
) -> None:
    """Maps of a super-resolution, a denoising and a deraining network on a bundled photograph."""
    from cem_jax.experiments.demo import demo as run

    typer.echo(run(out))
    typer.echo(f"\nWritten to {out}: report.html, teaser.png, teaser.pdf, table.md, SR/, DN/, DR/")


@app.command("map")
def map_command(
    out: Annotated[Path, typer.Option(help="Folder for the map; an unfinished one resumes.")],
    model: Annotated[
        str | None, typer.Option(help="Name of the network; see `cem-jax models`.")
    ] = None,
    task: Annotated[Task | None, typer.Option(help="What the network restores.")] = None,
    image: Annotated[Path | None, typer.Option(help="The clean photograph.")] = None,
    roi: Annotated[
        str | None, typer.Option(help="Region of interest Y,X,H,W in output pixels.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Checkpoint (.pth, .safetensors, orbax); else bundled.")
    ] = None,
    plan: Annotated[str, typer.Option(help=f"{_PLAN_HELP}.")] = "coarse-to-fine",
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
) -> None:
    """The Causal Effect Map of a region: OUT/map.npz, OUT/map.png and a table.

    --model, --task, --image and --roi are needed, or --reference-config alone.
    """
    if reference_config is not None:
        run_job(read_reference_config(reference_config, weights), out)
        return
    if model is None or task is None or image is None or roi is None:
        raise ValueError("--model, --task, --image and --roi are needed, or --reference-config")
    region, draws = parse_roi(roi), parse_plan(plan)
    network = cem.load(model, weights)
    clean = read_image(image)
    if task is Task.SR:
        scene = cem.Scene.super_resolution(clean, scale=network.scale)
    elif task is Task.DN:
        scene = cem.Scene.denoising(clean, sigma=sigma / 255, seed=seed)
    else:
        scene = cem.Scene.deraining(clean, seed=seed)
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
    typer.echo(cem.markdown_table([cem.summarise(effect_map)]))
    typer.echo(f"\nWritten to {out}: map.npz, map.png")


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="What is to be made: docs/sweeps.md.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the maps; by default FILE without .toml.")
    ] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="This is one of the processes of a TPU pod.")
    ] = False,
) -> None:
    """Maps of many networks, scenes and regions: OUT/maps.json and a folder for each.

    Start it as often as you like, on all machines that share OUT: they share the work.
    """
    if distributed:
        join_processes()
    run_job(cem.read_job(file), file.with_suffix("") if out is None else out)


def run_job(job: cem.Job, folder: Path) -> None:
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
            typer.echo(f"{head}{spent}")

    results = cem.run_job(job, folder, each=tell)
    failed = sum(bool(result.problem) for result in results)
    typer.echo(f"\n{len(results) - failed} maps in {folder}, listed in {folder / INDEX}")
    if failed:
        raise typer.Exit(2)


@app.command()
def report(
    maps: Annotated[
        list[Path], typer.Argument(help="Folders with map.npz at any depth, or saved maps.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
) -> None:
    """Maps as one interactive HTML file, which opens from disk without a network."""
    files = []
    for place in maps:
        found = sorted(place.rglob("map.npz")) if place.is_dir() else [place]
        if not found:
            raise ValueError(f"{place}: no map.npz in this folder")
        files += found
    cem.report([cem.EffectMap.load(file) for file in files], out)
    typer.echo(f"Written: {out}, {len(files)} maps")


class Format(StrEnum):
    """What a map is exported as."""

    csv = "csv"
    mat = "mat"
    netcdf = "netcdf"
    npz = "npz"


@app.command()
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
    typer.echo(f"Written: {', '.join(map(str, written))}")


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="Checkpoint (.pth, .pt, .safetensors, orbax).")],
    model: Annotated[str, typer.Option(help="Name of the network; see `cem-jax models`.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.orbax.")],
    part: Annotated[
        str | None, typer.Option(help="Key of the state dict, where the file holds several.")
    ] = None,
) -> None:
    """A checkpoint in torch's layout as OUT/NAME.safetensors and the directory OUT/NAME.orbax."""
    tensors, directory = cem.models.export(model, file, out, part)
    typer.echo(f"Written: {tensors}, {directory}")


@app.command()
def models(
    details: Annotated[
        bool, typer.Option("--details", help="Also paddings, global operations, and licences.")
    ] = False,
) -> None:
    """The networks by name: task, scale, parameters, receptive radius, weights."""
    rows = []
    for name in cem.models.names():
        facts = cem.models.describe(name)
        radius = "global" if facts.receptive_radius is None else str(facts.receptive_radius)
        files = "bundled" if facts.bundled else ", ".join(facts.official_files)
        row = {"name": name, "task": "/".join(facts.tasks), "scale": facts.scale}
        row |= {"parameters": facts.parameters, "radius": radius, "weights": files}
        if details:
            row |= {
                "sides padded to": facts.size_multiple,
                "global operations": ", ".join(facts.global_operations) or "-",
                "licence of the weights": facts.licence or "none stated",
            }
        rows.append(row)
    typer.echo(cem.markdown_table(rows))


def main() -> None:
    """Entry point: status 0 if all was done, 2 and one line for bad input."""
    import matplotlib

    matplotlib.use("Agg")
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except TyperException as error:
        print(f"cem-jax: {' '.join(error.format_message().split())}", file=sys.stderr)
        status = 2
    except (ValueError, OSError) as error:
        print(f"cem-jax: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        print("cem-jax: interrupted; the same command continues", file=sys.stderr)
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
