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
from cem_jax.experiments.training_step import TrainState, Update, make_update
from cem_jax.experiments.unroll import unrolled
from cem_jax.experiments.validation import baseline, centre, sheet, validate
from cem_jax.models import compact
from cem_jax.models.convert import to_torch
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


@functools.lru_cache(maxsize=1)
def _prepared(
    photos: Path, task: str, scale: int, patch: int, batch: int, seed: int, introduce: int
) -> tuple[TrainingData, list[np.ndarray]]:
    """Batches, and photographs to judge by; kept for the next network, a sibling mostly.

    Raises:
        ValueError: there are no photographs.
    """
    images = [image for _, image in read_folder(photos / "train")]
    whole = [cut(image, 4) for _, image in read_folder(photos / "val")]
    if not images or not whole:
        raise ValueError(f"photos={photos}: needs PNG files in train/ and val/")
    data = TrainingData.make(
        images, task, scale=scale, patch=patch, batch=batch, seed=seed, introduce=introduce
    )
    return data, whole


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """A recipe with its photographs, its network and the devices, before the first step.

    Args:
        recipe: what to train.
        data: the batches.
        whole: photographs that the network is judged by.
        photographs: how many it is trained on.
        graph: the network without its arrays.
        constants: of the network, not trained.
        start: the state before the first step.
        update: a step.
        forward: the network on images of any size, from parameters.
        on_all: the state lies on every device.
        spread: a batch is spread over the devices.
    """

    recipe: Recipe
    data: TrainingData
    whole: list[np.ndarray]
    photographs: int
    graph: Any
    constants: Any
    start: TrainState
    update: Update
    forward: Callable[[Any, Any], jax.Array]
    on_all: NamedSharding
    spread: NamedSharding

    @classmethod
    def make(cls, recipe: Recipe, photos: Path, seed: int) -> "_Run":
        data, whole = _prepared(
            photos,
            recipe.task,
            recipe.scale,
            recipe.patch,
            recipe.batch,
            seed,
            recipe.introduce,
        )
        mesh = jax.make_mesh((jax.local_device_count(),), ("batch",), axis_types=(AxisType.Auto,))
        if recipe.batch % mesh.size:
            raise ValueError(f"batch={recipe.batch}: must be a multiple of the {mesh.size} devices")
        on_all, spread = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))
        model = recipe.architecture(**recipe.config, rngs=nnx.Rngs(seed))
        graph, params, constants = nnx.split(model, nnx.Param, ...)
        optimizer = make_optimizer(recipe.learning_rate, recipe.steps)
        average = jax.tree.map(jnp.copy, params)
        start = TrainState(params, average, optimizer.init(params), jnp.zeros((), jnp.int32))

        def restore(params: Any, x: jax.Array) -> jax.Array:
            return nnx.merge(graph, params, constants)(x)

        on_cpu = jax.default_backend() == "cpu"
        update = make_update(unrolled(restore) if on_cpu else restore, optimizer)
        multiple = recipe.size_multiple
        of_any_size = cem.wrap(restore, params=params, scale=recipe.scale, size_multiple=multiple)
        forward = jax.jit(of_any_size.apply)
        return cls(
            recipe,
            data,
            whole,
            len(data.clean),
            graph,
            constants,
            start,
            update,
            forward,
            on_all,
            spread,
        )

    def batch(self, step: int) -> tuple[jax.Array, ...]:
        """Degraded and clean patches of a step, on the devices."""
        return jax.device_put(self.data(step), self.spread)

    def trained(
        self, folder: Path, seconds: float, report: Callable[[str], None]
    ) -> tuple[TrainState, float]:
        """The state after the last step, and the minutes that all steps took.

        Args:
            folder: of checkpoints and log.
            seconds: time between two checkpoints.
            report: receives a line for each validation.
        """
        recipe, turn = self.recipe, decay_start(self.recipe.steps)
        side = min(192, *(min(image.shape[:2]) // 4 * 4 for image in self.whole))
        crops = [centre(image, side) for image in self.whole]
        tasks, scale, state = DEGRADATIONS[recipe.task], recipe.scale, self.start
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
            state = jax.device_put(state, self.on_all)
            log = TrainingLog.make(folder, first)
            reported = saved = time.monotonic()
            for step, pair in enumerate(ahead(self.batch, range(first, recipe.steps)), first):
                state, loss = self.update(state, *pair)
                log.add(loss)
                done, last = step + 1, step + 1 == recipe.steps
                if done % recipe.report == 0 or last:
                    current = functools.partial(self.forward, state.average)
                    values = {
                        task: round(validate(current, crops, task, scale), 3) for task in tasks
                    }
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
        return state, log.minutes


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
    run = _Run.make(recipe, photos, seed)
    state, minutes = run.trained(out / recipe.name, seconds, report)
    weights = to_torch(nnx.state(nnx.merge(run.graph, state.average, run.constants)))
    tasks, scale = DEGRADATIONS[recipe.task], recipe.scale
    before = {task: baseline(run.whole, task, scale) for task in tasks}
    averaged = functools.partial(run.forward, state.average)
    after = {task: validate(averaged, run.whole, task, scale) for task in tasks}
    counts = run.photographs, len(run.whole)
    record = make_record(recipe, seed, counts, before, after)
    return _write(out, weights, record | {"minutes": round(minutes)})


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
            parser.error(f"name={name!r}: preset {args.preset} has {', '.join(recipes)}")
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
