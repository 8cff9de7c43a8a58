"""Trains the networks that are bundled with the package (preset `compact`), or full-size ones.

    python -m cem_jax.experiments.photos MANIFEST SOURCE PHOTOS
    python -m cem_jax.experiments.train EDSR --preset compact --photos PHOTOS --out RUNS
    python -m cem_jax.experiments.train --photos PHOTOS --out RUNS   # all that are not bundled

Any number of processes may be given the same command: each takes networks that no other has.

L1 loss, see `recipes`, `degradations` and `optimizer`; exponential moving average of the weights;
the batch is spread over all devices. Batches are a function of (seed, step), so a run that was
stopped continues exactly, and one that is started again with more steps continues from the end of
its constant phase (orbax checkpoints). RUNS/NAME receives losses.txt (every step), log.jsonl (loss,
validation PSNR) and sheet.png (input, output, truth); at the end the averaged weights and their
record are written to RUNS/NAME.safetensors and RUNS/NAME.json.
"""

import argparse
import dataclasses
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from orbax.checkpoint import v1 as ocp
from PIL import Image
from safetensors.numpy import save_file

import cem_jax as cem
from cem_jax.experiments.degradations import DEGRADATIONS
from cem_jax.experiments.optimizer import decay_start, make_optimizer
from cem_jax.experiments.photos import read_folder
from cem_jax.experiments.recipes import PRESETS, Recipe
from cem_jax.experiments.training_data import TrainingData, ahead, cut
from cem_jax.experiments.training_log import TrainingLog
from cem_jax.experiments.training_step import TrainState, make_update
from cem_jax.experiments.unroll import unrolled
from cem_jax.experiments.validation import baseline, centre, sheet, validate
from cem_jax.models import compact
from cem_jax.models.convert import to_torch
from cem_jax.plain_text import quoted
from cem_jax.store.lock import Locks

_SHOWN = 3
"""Photographs on the sheet of validation pictures."""


def _checkpoints(folder: Path) -> ocp.training.Checkpointer:
    """The last two states of a phase."""
    policy = ocp.training.preservation_policies.LatestN(2)
    return ocp.training.Checkpointer(
        str(folder.resolve()),
        preservation_policy=policy,  # pyright: ignore
    )


def train(
    recipe: Recipe,
    photos: Path,
    out: Path,
    seed: int = 0,
    *,
    seconds: float = 120,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Runs a recipe to its end, from the last checkpoint if there is one.

    Args:
        recipe: what to train.
        photos: folder with `train` and `val`.
        out: folder of the runs.
        seed: seed of weights and batches.
        seconds: time between two checkpoints.
        report: receives a line for each validation.

    Returns:
        The run's record: recipe, steps, PSNR on whole validation photographs.

    Raises:
        ValueError: there are no photographs, the batch cannot be spread over the devices, or the
            run's folder holds a longer run.
    """
    images = [image for _, image in read_folder(photos / "train")]
    whole = [cut(image, 4) for _, image in read_folder(photos / "val")]
    if not images or not whole:
        raise ValueError(f"photos={photos}: needs PNG files in train/ and val/")
    mesh = jax.make_mesh((jax.local_device_count(),), ("batch",), axis_types=(AxisType.Auto,))
    if recipe.batch % mesh.size:
        raise ValueError(f"batch={recipe.batch}: must be a multiple of the {mesh.size} devices")
    on_all, spread = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))
    side = min(192, *(min(image.shape[:2]) // 4 * 4 for image in whole))
    crops = [centre(image, side) for image in whole]
    tasks, scale = DEGRADATIONS[recipe.task], recipe.scale
    data = TrainingData.make(
        images,
        recipe.task,
        scale=scale,
        patch=recipe.patch,
        batch=recipe.batch,
        seed=seed,
        introduce=recipe.introduce,
    )

    model = recipe.architecture(**recipe.config, rngs=nnx.Rngs(seed))
    graph, params, constants = nnx.split(model, nnx.Param, ...)
    optimizer = make_optimizer(recipe.learning_rate, recipe.steps)
    average = jax.tree.map(jnp.copy, params)
    state = TrainState(params, average, optimizer.init(params), jnp.zeros((), jnp.int32))

    def restore(params: Any, x: jax.Array) -> jax.Array:
        return nnx.merge(graph, params, constants)(x)

    on_cpu = jax.default_backend() == "cpu"
    update = make_update(unrolled(restore) if on_cpu else restore, optimizer)
    whole_images = cem.wrap(restore, params=params, scale=scale, size_multiple=recipe.size_multiple)
    forward = jax.jit(whole_images.apply)

    def batch(step: int) -> tuple[jax.Array, ...]:
        return jax.device_put(data(step), spread)

    folder = out / recipe.name
    turn = decay_start(recipe.steps)
    with (
        _checkpoints(folder / "constant") as constant,
        _checkpoints(folder / f"decay-{recipe.steps}") as decay,
    ):
        newest = constant if decay.latest is None else decay
        if newest.latest is not None:
            state = newest.load(newest.latest, state)
        first = int(state.step)
        if newest is constant and first > turn:
            raise ValueError(f"steps={recipe.steps}: {folder} holds a run that is longer")
        state = jax.device_put(state, on_all)
        log = TrainingLog.make(folder, first)
        reported = saved = time.monotonic()
        for step, pair in enumerate(ahead(batch, range(first, recipe.steps)), first):
            state, loss = update(state, *pair)
            log.add(loss)
            done, last = step + 1, step + 1 == recipe.steps
            if done % recipe.report == 0 or last:
                current = functools.partial(forward, state.average)
                values = {task: round(validate(current, crops, task, scale), 3) for task in tasks}
                now = time.monotonic()
                line = log.report(values, recipe.report, now - reported)
                reported = now
                report(f"{recipe.name} {line}")
                picture = sheet(current, crops[:_SHOWN], tasks, scale)
                Image.fromarray(picture).save(folder / "sheet.png")
            if time.monotonic() - saved > seconds or done == turn or last:
                log.flush()
                (constant if done <= turn else decay).save(done, state)
                saved = time.monotonic()

    weights = to_torch(nnx.state(nnx.merge(graph, state.average, constants)))
    before = {task: baseline(whole, task, scale) for task in tasks}
    averaged = functools.partial(forward, state.average)
    after = {task: validate(averaged, whole, task, scale) for task in tasks}
    record = make_record(recipe, seed, (len(images), len(whole)), before, after)
    return _write(out, weights, record | {"minutes": round(log.minutes)})


def _write(out: Path, weights: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """Writes a run's weights and its record, which tells their digest; returns the record."""
    path = out / f"{record['name']}.safetensors"
    save_file(weights, path)
    record = record | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def make_record(
    recipe: Recipe,
    seed: int,
    photographs: tuple[int, int],
    before: dict[str, float],
    after: dict[str, float],
) -> dict[str, Any]:
    """What is kept beside the weights.

    Args:
        recipe: of the run.
        seed: of the run.
        photographs: how many trained and validated it.
        before: PSNR (dB) of doing nothing, by task.
        after: PSNR (dB) of the network, by task.
    """
    name = recipe.name.removesuffix("-compact")
    facts = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(Recipe)}
    del facts["report"]
    return {
        **facts,
        "architecture": recipe.architecture.__name__,
        "seed": seed,
        "command": f"python -m cem_jax.experiments.train {name} --preset {recipe.preset} "
        f"--steps {recipe.steps} --introduce {recipe.introduce} --seed {seed} "
        "--photos PHOTOS --out RUNS",
        "photographs": dict(zip(("train", "val"), photographs, strict=True)),
        "psnr_val_input": round(float(np.mean(list(before.values()))), 3),
        "psnr_val": round(float(np.mean(list(after.values()))), 3),
        "psnr_by_task": {task: [round(before[task], 3), round(after[task], 3)] for task in before},
    }


def train_all(
    recipes: Sequence[Recipe],
    photos: Path,
    out: Path,
    seed: int = 0,
    *,
    report: Callable[[str], None] = print,
) -> Iterator[dict[str, Any]]:
    """Runs recipes in turn, together with whoever does so in the same folder.

    Args:
        recipes: what to train; runs that are done are passed over.
        photos: folder with `train` and `val`.
        out: folder of the runs, shared by all processes.
        seed: seed of weights and batches.
        report: receives a line for each validation, and for each run that is passed over.

    Yields:
        The record of each run that this process made.
    """
    with Locks(out) as locks:
        for recipe in recipes:
            with locks.locked(recipe.name) as mine:
                if not mine:
                    report(f"{recipe.name}: another process has it")
                elif _is_done(out / f"{recipe.name}.json", recipe, seed):
                    report(f"{recipe.name}: done before")
                else:
                    yield train(recipe, photos, out, seed, report=report)


def _is_done(path: Path, recipe: Recipe, seed: int) -> bool:
    """Whether a run's record is of that length, order of tasks and seed."""
    wanted = {"steps": recipe.steps, "introduce": recipe.introduce, "seed": seed}
    return path.exists() and wanted.items() <= json.loads(path.read_text()).items()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", help="networks, such as RCAN_DN; none: all that are not bundled"
    )
    parser.add_argument("--preset", choices=tuple(PRESETS), default="compact")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--introduce", type=int, default=0, help="learn the tasks one by one")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    ending, recipes = "-compact" if args.preset == "compact" else "", PRESETS[args.preset]
    names = [name.removesuffix("-compact") + ending for name in args.names]
    for name in names:
        if name not in recipes:
            parser.error(f"name={quoted(name)}: preset {args.preset} has {', '.join(recipes)}")
    bundled = {entry.name for entry in compact.ENTRIES}
    chosen = [
        dataclasses.replace(
            recipes[name], steps=args.steps or recipes[name].steps, introduce=args.introduce
        )
        for name in names or [name for name in recipes if name not in bundled]
    ]
    for record in train_all(chosen, args.photos, args.out, args.seed):
        print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
