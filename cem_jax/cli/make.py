"""Commands that make maps: `demo`, `map`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import cem_jax as cem
from cem_jax.cli.options import (
    FACTS,
    MODEL,
    MOST_SEED,
    OUTCOME_HELP,
    PLAN_HELP,
    SCENE_SET,
    SET,
    Task,
    check_name,
    check_outcome,
    check_roi,
    level,
    parse_plan,
    parse_scene,
    parse_set,
)
from cem_jax.cli.output import Json, show
from cem_jax.cli.places import check_file, check_folder, check_place
from cem_jax.cli.start import start_jax
from cem_jax.own_file import is_onnx, split_code
from cem_jax.plain_text import quoted, visible

app = typer.Typer()


@app.command(epilog="Example: cem-jax demo --out cem-demo")
def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for report, figure, maps and table.")] = Path(
        "cem-demo"
    ),
    json: Json = False,
) -> None:
    """Map three networks (super-resolution, denoising, deraining) on a bundled photograph."""
    check_folder("--out", out)
    from cem_jax.experiments.demo import demo as run

    start_jax(context)
    rows = run(out)
    names = "report.html, teaser.png, teaser.pdf, table.md, SR/, DN/, DR/"
    written = f"Written to {visible(str(out))}: {names}"
    show(rows, f"{cem.markdown_table(rows)}\n\n{written}", json)


@app.command(
    "map",
    epilog="Example: cem-jax map --model DnCNN-compact --task DN --image photo.png "
    "--roi 96,112,32,32 --plan adaptive --out results/photo",
)
def map_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the map; an unfinished one continues.")],
    model: Annotated[str | None, MODEL] = None,
    task: Annotated[
        Task | None,
        typer.Option(
            case_sensitive=False,
            help="What the network restores. For SR, a network of scale 1 receives the photograph "
            "reduced by 4 and enlarged again.",
        ),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="The clean photograph.")] = None,
    roi: Annotated[
        str | None,
        typer.Option(help="Region of interest: Y,X,H,W in output pixels or percent, or auto."),
    ] = None,
    degraded: Annotated[
        Path | None, typer.Option(help="The degraded photograph instead of --task; needs --do.")
    ] = None,
    do: Annotated[
        str | None,
        typer.Option(
            help="What a patch of the pool becomes in the degraded photograph: residual, "
            "degraded-pool, or FILE.py:FUNCTION, which degrades a whole image."
        ),
    ] = None,
    said: Annotated[list[str] | None, SCENE_SET] = None,
    grey: Annotated[
        bool,
        typer.Option(
            "--grey", help="Make the photographs grey; always done for networks of one channel."
        ),
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint (.pth, .safetensors, orbax); by default the bundled weights. Without "
            "--model, its network is recognised."
        ),
    ] = None,
    told: Annotated[list[str] | None, SET] = None,
    module: Annotated[
        str | None,
        typer.Option(
            help="Instead of --model, a function that makes the network: package.file:factory or "
            "file.py:factory; or file.onnx. --set gives its scale, receptive_radius and "
            "size_multiple."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="What the network is called in the map; by default its name.")
    ] = None,
    plan: Annotated[str, typer.Option(help=f"{PLAN_HELP}.")] = "coarse-to-fine",
    outcome: Annotated[str, typer.Option(help=f"{OUTCOME_HELP}.")] = "psnr",
    pool: Annotated[
        Path | None, typer.Option(help="Patch pool: .npz, or a folder of photographs.")
    ] = None,
    block: Annotated[int, typer.Option(help="Side of a block, in output pixels.", min=1)] = 8,
    sigma: Annotated[
        float, typer.Option(help="DN: noise level, in grey levels of 255.", callback=level)
    ] = 50.0,
    seed: Annotated[
        int,
        typer.Option(help="Seed of the draws, the noise and the rain.", min=0, max=MOST_SEED),
    ] = 0,
    rounded: Annotated[
        bool, typer.Option("--rounded", help="Score 8-bit outputs, as the paper's code does.")
    ] = False,
    through: Annotated[
        list[str] | None,
        typer.Option(
            help="Split effects into those that pass these operations and those that do not: "
            "global, or modules such as body.*.attn; may be repeated."
        ),
    ] = None,
    reference_config: Annotated[
        Path | None,
        typer.Option(
            help="A .yml file of the paper's code. It replaces all other options but --out and "
            "--weights, which is then the folder of the checkpoints."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make the Causal Effect Map of a region: OUT/map.npz, OUT/map.png and a table.

    You need a network (--model, --weights or --module), --image, --roi, and either --task or
    --degraded with --do. Or give --reference-config alone.
    """
    check_folder("--out", out)
    if reference_config is not None:
        if through:
            raise ValueError("--through: expected without --reference-config")
        check_file("--reference-config", reference_config)
        check_place("--weights", weights)
        from cem_jax.cli.many import make_job
        from cem_jax.jobs.reference_config import read_reference_config

        start_jax(context)
        make_job(read_reference_config(reference_config, weights), out, json)
        return
    if image is None or (task is None) == (degraded is None):
        raise ValueError(
            "--model, --weights or --module, --image, and either --task or --degraded are needed, "
            "or --reference-config"
        )
    if (do is None) != (degraded is None):
        raise ValueError("--degraded and --do go together: residual, degraded-pool or FILE.py:NAME")
    region_text = check_roi(roi, image)
    draws, score, about = parse_plan(plan), check_outcome(outcome), parse_scene(said or ())
    load = network_loader(model, weights, module, label, parse_set(told or ()))
    for option, path in (("--weights", weights), ("--pool", pool)):
        check_place(option, path)
    for option, path in (("--image", image), ("--degraded", degraded)):
        check_file(option, path)
    _check_code("--do", do)
    patches = _pool(pool, block)
    clean = cem.open_image(image)
    start_jax(context)
    from cem_jax.scene.tasks import scene_for

    network = load()
    grey = grey or network.channels == 1
    clean = cem.to_grey(clean) if grey else clean
    if degraded is not None:
        scene = _pair(clean, cem.open_image(degraded, grey=grey), str(do), image.stem)
    else:
        shared = {"sigma": sigma, "seed": seed}
        scene = scene_for(network.scale, str(task), clean, shared, about, image.stem)
    region, note = cem.parse_roi(region_text, scene)
    if note:
        where = ",".join(map(str, dataclasses.astuple(region)))
        typer.echo(f"cem-jax: region {where}: {note}", err=True)
    options: dict[str, Any] = {
        "pool": patches, "block": block, "plan": draws, "outcome": score, "seed": seed,
        "directory": out, "rounded": rounded,
    }  # fmt: skip
    place = {"directory": str(out), "scene": scene.name, "roi": dataclasses.astuple(region)}
    if through:
        mediated = cem.mediated_maps(network, scene, region, through=through, **options)
        place["network_source"] = network.source
        _show_mediated(mediated, network, out, place, json)
        return
    effect_map = cem.causal_effect_map(network, scene, region, **options)
    effect_map = cem.with_images(effect_map, network, scene)
    _write_map(effect_map, out)
    numbers = cem.summarise(effect_map)
    written = f"Written to {visible(str(out))}: map.npz, map.png"
    text = f"{cem.markdown_table([numbers])}\n\n{_source(network)}{written}"
    place |= {"outcome": effect_map.outcome, "network_source": network.source}
    show([place | numbers], text, json)


def _source(network: "cem.Network") -> str:
    """A line about the file that a network came from, if that is known."""
    return "" if network.source is None else f"Network: {visible(network.source)}\n"


def _show_mediated(
    found: "cem.MediatedMaps", network: "cem.Network", out: Path, place: dict[str, Any], json: bool
) -> None:
    """Pictures of the three maps, which are written already, and a table of them."""
    from cem_jax.inside.mediated_maps import part_paths
    from cem_jax.view.figure_file import write_figure

    rows, files = [], part_paths(out)
    for name, path in files.items():
        one = getattr(found, name)
        write_figure(cem.plot_teaser([one]), path.with_suffix(".png"), dpi=200)
        rows.append({"effect": name.replace("_", " ")} | cem.summarise(one))
    share = found.share()
    passed = {"share_indirect": share.value, "share_error": share.standard_error}
    told = (
        f"Through {len(found.through)} operations ({', '.join(found.through[:3])}"
        f"{', ...' if len(found.through) > 3 else ''}) passes {100 * share.value:.1f} % "
        f"+- {100 * share.standard_error:.1f} of the summed effect."
    )
    names = ", ".join(path.name for path in files.values())
    text = f"{cem.markdown_table(rows)}\n\n{_source(network)}{told}\n\n"
    text += f"Written to {visible(str(out))}: {names}, and their .png"
    show([place | passed | row for row in rows], text, json)


def check_module(text: str) -> None:
    """Refuses what cannot name a network's code, and files that are not there.

    Raises:
        ValueError: the message says what is accepted.
    """
    if is_onnx(text):
        check_file("--module", Path(text))
        return
    try:
        where, _ = split_code(text)
    except ValueError as error:
        raise ValueError(f"--module {quoted(text)}: {error}") from error
    if where.endswith(".py"):
        check_file("--module", Path(where))


def _check_code(option: str, text: str | None) -> None:
    """Refuses FILE.py:NAME of a file that is not there; what else it may be is not looked at."""
    file = (text or "").rpartition(":")[0]
    if file.endswith(".py"):
        check_file(option, file)


def network_loader(
    model: str | None,
    weights: Path | None,
    module: str | None,
    label: str | None,
    arguments: dict[str, Any],
) -> "Callable[[], cem.Network]":
    """How a network is loaded; what can be known beforehand is checked here.

    Args:
        model: its name.
        weights: its checkpoint.
        module: the function that makes it, instead of both.
        label: what it is called.
        arguments: what the weights, or the function, do not tell.

    Raises:
        ValueError: options that do not go together, or nothing that names a network.
    """
    if module is not None:
        if model is not None or weights is not None:
            raise ValueError("--module makes the whole network: expected no --model and --weights")
        unknown = [key for key in arguments if key not in FACTS]
        if unknown:
            raise ValueError(f"--set {unknown[0]}: --module is told {', '.join(FACTS)}")
        check_module(module)

        def make() -> "cem.Network":
            from cem_jax.network.factory import made_by

            return made_by(module, label=label, **arguments)

        return make
    if model is not None:
        check_name(model)
        return lambda: cem.load(model, weights, label=label, **arguments)
    if weights is not None:
        return lambda: cem.load(weights, label=label, **arguments)
    raise ValueError("--model, --weights or --module: one of them is needed")


def _pool(path: Path | None, block: int) -> "cem.PatchPool | None":
    """The patches of a file, or of a folder of photographs."""
    if path is None:
        return None
    from cem_jax.store.objects import as_place

    folder = as_place(path).is_dir()
    return cem.PatchPool.from_images(path, block) if folder else cem.PatchPool.load(path)


def _pair(clean: Any, degraded: Any, do: str, name: str) -> "cem.Scene":
    """A scene of two photographs."""
    from cem_jax.scene.pairs import meaning_of

    return cem.Scene.custom(clean, degraded, meaning_of(do), name=name)


def _write_map(effect_map: "cem.EffectMap", out: Path) -> None:
    from cem_jax.view.figure_file import write_figure

    effect_map.save(out / "map.npz")
    write_figure(cem.plot_teaser([effect_map]), out / "map.png", dpi=200)
