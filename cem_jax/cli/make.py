"""Commands that make maps: `demo`, `map`, `sweep`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import cem_jax as cem
from cem_jax.cli.options import (
    MODEL,
    PLAN_HELP,
    SET,
    Task,
    check_name,
    parse_plan,
    parse_roi,
    parse_set,
)
from cem_jax.cli.output import Json, show
from cem_jax.cli.start import start_jax

if TYPE_CHECKING:
    from cem_jax.jobs.job import MapResult

app = typer.Typer()


@app.command(epilog="Example: cem-jax demo --out cem-demo")
def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for figure, maps and table.")] = Path(
        "cem-demo"
    ),
    json: Json = False,
) -> None:
    """Maps of a super-resolution, a denoising and a deraining network on a bundled photograph."""
    from cem_jax.experiments.demo import demo as run

    start_jax(context)
    rows = run(out)
    written = f"Written to {out}: report.html, teaser.png, teaser.pdf, table.md, SR/, DN/, DR/"
    show(rows, f"{cem.markdown_table(rows)}\n\n{written}", json)


@app.command(
    "map",
    epilog="Example: cem-jax map --model DnCNN-compact --task DN --image photo.png "
    "--roi 96,112,32,32 --plan adaptive --out results/photo",
)
def map_command(
    context: typer.Context,
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
    label: Annotated[
        str | None, typer.Option(help="What the network is called in the map; else its name.")
    ] = None,
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
        from cem_jax.jobs.reference_config import read_reference_config

        start_jax(context)
        run_job(read_reference_config(reference_config, weights), out, json)
        return
    known = model or weights
    if known is None or task is None or image is None or roi is None:
        raise ValueError(
            "--model or --weights, --task, --image and --roi are needed, or --reference-config"
        )
    region, draws, arguments = parse_roi(roi), parse_plan(plan), parse_set(told or ())
    if model is not None:
        check_name(model)
    patches = _pool(pool, block)
    from cem_jax.scene.image import open_image

    clean = open_image(image)
    start_jax(context)
    network = cem.load(known, weights if model else None, label=label, **arguments)
    scene = _scene(task, clean, network.scale, sigma / 255, seed, image.stem)
    effect_map = cem.causal_effect_map(
        network, scene, region, pool=patches, block=block, plan=draws, seed=seed, directory=out,
        rounded=rounded,
    )  # fmt: skip
    _write_map(effect_map, out)
    numbers = cem.summarise(effect_map)
    place = {"directory": str(out), "scene": scene.name, "roi": dataclasses.astuple(region)}
    text = f"{cem.markdown_table([numbers])}\n\nWritten to {out}: map.npz, map.png"
    show([place | {"outcome": effect_map.outcome} | numbers], text, json)


def _pool(path: Path | None, block: int) -> "cem.PatchPool | None":
    """The patches of a file, or of a folder of photographs."""
    if path is None:
        return None
    return cem.PatchPool.from_images(path, block) if path.is_dir() else cem.PatchPool.load(path)


def _scene(task: Task, clean: Any, scale: int, sigma: float, seed: int, name: str) -> "cem.Scene":
    """The scene of a task on a photograph, for a network of a scale."""
    if task is Task.SR and scale == 1:
        return cem.Scene.preupsampled(clean, name=name)
    if task is Task.SR:
        return cem.Scene.super_resolution(clean, scale, name=name)
    if task is Task.DN:
        return cem.Scene.denoising(clean, sigma, seed, name=name)
    return cem.Scene.deraining(clean, seed, name=name)


def _write_map(effect_map: "cem.EffectMap", out: Path) -> None:
    from cem_jax.view.figure_file import write_figure

    effect_map.save(out / "map.npz")
    write_figure(cem.plot_teaser([effect_map]), out / "map.png", dpi=200)


@app.command(epilog="Example: cem-jax sweep job.toml --out results")
def sweep(
    context: typer.Context,
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
    start_jax(context)
    if distributed:
        from cem_jax.sweep.devices import join_processes

        join_processes()
    run_job(cem.read_job(file), file.with_suffix("") if out is None else out, json)


def run_job(job: "cem.Job", folder: Path, json: bool) -> None:
    """Makes a job's maps, with a line for each; status 2 in the end if one could not be made."""
    from cem_jax.jobs.job import INDEX

    done = 0

    def tell(result: "MapResult") -> None:
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
