r"""Trains the compact networks that are bundled with the package.

    python -m cem_jax.experiments.photos MANIFEST SOURCE PHOTOS
    XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type= \
        python -m cem_jax.experiments.train EDSR-compact --photos PHOTOS --out RUNS

L1 loss; Muon for convolution kernels and Adam for the rest (optax); constant learning rate, then
linear to zero over the last 40 % of the steps; exponential moving average of the weights. Batches
are a function of (seed, step), so a run that was stopped continues exactly (orbax checkpoints).
RUNS/NAME/log.jsonl holds the training loss and the validation PSNR; at the end the averaged weights
and their record are written to RUNS/NAME.safetensors and RUNS/NAME.json. The flag selects XLA's
Eigen convolutions, whose gradients are faster on CPU.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from orbax.checkpoint import v1 as ocp
from safetensors.numpy import save_file

from cem_jax.experiments.photos import read_folder
from cem_jax.experiments.recipes import RECIPES, Recipe
from cem_jax.experiments.training_data import TrainingData, cut, degrade
from cem_jax.models.convert import to_torch

_DECAY_SHARE = 0.4
_EMA = 0.999
_WARMUP = 200


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All that a checkpoint holds: weights, their moving average, optimiser, steps done."""

    params: Any
    average: Any
    optimizer: Any
    step: jax.Array


def make_optimizer(learning_rate: float, steps: int) -> optax.GradientTransformation:
    """Muon for kernels, Adam for vectors, with a trapezoidal schedule."""
    decay = int(steps * _DECAY_SHARE)
    schedule = optax.join_schedules(
        [
            optax.linear_schedule(0.0, learning_rate, _WARMUP),
            optax.constant_schedule(learning_rate),
            optax.linear_schedule(learning_rate, 0.0, decay),
        ],
        [_WARMUP, steps - decay],
    )
    kernel = optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    return optax.contrib.muon(
        schedule,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=lambda params: jax.tree.map(
            lambda p: kernel if p.ndim == 4 else None, params
        ),
    )


def psnr(restored: np.ndarray, clean: np.ndarray) -> float:
    """PSNR in dB of a restored image, clipped to [0, 1]."""
    error = np.clip(restored, 0, 1) - clean / 255
    return float(-10 * np.log10(np.mean(np.square(error, dtype=np.float64))))


def validate(
    forward: Callable[[np.ndarray], jax.Array], photographs: list[np.ndarray], task: str
) -> float:
    """Mean PSNR (dB) over photographs, each degraded with its index as the seed.

    Args:
        forward: float32 [1, h, w, 3] -> restored image.
        photographs: uint8 images, sides multiples of 4.
        task: "SR", "DN" or "DR".
    """
    values = []
    for index, clean in enumerate(photographs):
        degraded = degrade(clean, task, seed=index).astype(np.float32)[None] / 255
        values.append(psnr(np.asarray(forward(degraded)[0]), clean))
    return float(np.mean(values))


def centre(image: np.ndarray, side: int) -> np.ndarray:
    """The central square of an image."""
    y, x = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[y : y + side, x : x + side]


def train(name: str, recipe: Recipe, photos: Path, out: Path, seed: int) -> dict[str, Any]:
    """Runs a recipe to its end, from the last checkpoint if there is one.

    Args:
        name: the network's name, and the run's folder below `out`.
        recipe: what to train.
        photos: folder with `train` and `val`.
        out: folder of the runs.
        seed: seed of weights and batches.

    Returns:
        The run's record: recipe, steps, PSNR on whole validation photographs.
    """
    images = [image for _, image in read_folder(photos / "train")]
    whole = [cut(image, 4) for _, image in read_folder(photos / "val")]
    if not images or not whole:
        raise ValueError(f"photos={photos}: needs PNG files in train/ and val/")
    crops = [centre(image, 192) for image in whole]
    data = TrainingData.make(images, recipe.task, recipe.patch, recipe.batch, seed)

    model = recipe.architecture(**recipe.config, rngs=nnx.Rngs(seed))
    graph, params, constants = nnx.split(model, nnx.Param, ...)
    optimizer = make_optimizer(recipe.learning_rate, recipe.steps)
    state = TrainState(params, params, optimizer.init(params), jnp.zeros((), jnp.int32))

    def restore(params: Any, x: jax.Array) -> jax.Array:
        return nnx.merge(graph, params, constants)(x)

    @jax.jit
    def update(state: TrainState, degraded: jax.Array, clean: jax.Array):
        def loss_of(params: Any) -> jax.Array:
            return jnp.mean(jnp.abs(restore(params, degraded) - clean))

        loss, gradient = jax.value_and_grad(loss_of)(state.params)
        updates, opt = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        weight = jnp.minimum(_EMA, (1 + state.step) / (10 + state.step))
        average = jax.tree.map(lambda a, p: weight * a + (1 - weight) * p, state.average, params)
        return TrainState(params, average, opt, state.step + 1), loss

    forward = jax.jit(restore)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    keep = ocp.training.preservation_policies.LatestN(2)
    with ocp.training.Checkpointer(
        str((folder / "checkpoints").resolve()),
        preservation_policy=keep,  # pyright: ignore
    ) as checkpoints:
        if checkpoints.latest is not None:
            state = checkpoints.load(checkpoints.latest, state)
        start, losses, saved = time.monotonic(), [], time.monotonic()
        first = int(state.step)
        for step in range(first, recipe.steps):
            state, loss = update(state, *data(step))
            losses.append(loss)
            done = step + 1
            if done % 500 == 0 or done == recipe.steps:
                average = state.average
                value = validate(lambda x, p=average: forward(p, x), crops, recipe.task)
                record = {
                    "step": done,
                    "loss": float(np.mean(jax.device_get(losses))),
                    "psnr": round(value, 3),
                    "seconds_per_step": round((time.monotonic() - start) / (done - first), 4),
                }
                losses = []
                with (folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")
                print(name, json.dumps(record), flush=True)
            if time.monotonic() - saved > 120 or done == recipe.steps:
                checkpoints.save(done, state)
                saved = time.monotonic()

    final = nnx.merge(graph, state.average, constants)
    save_file(to_torch(nnx.state(final)), out / f"{name}.safetensors")
    record = {
        "name": name,
        "architecture": recipe.architecture.__name__,
        **{
            field: value
            for field, value in dataclasses.asdict(recipe).items()
            if field != "architecture"
        },
        "seed": seed,
        "command": f"python -m cem_jax.experiments.train {name} --photos PHOTOS --out RUNS "
        f"--steps {recipe.steps} --seed {seed}",
        "photographs": {"train": len(images), "val": len(whole)},
        "psnr_val_input": round(baseline(whole, recipe.task), 3),
        "psnr_val": round(validate(lambda x: forward(state.average, x), whole, recipe.task), 3),
    }
    (out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def baseline(photographs: list[np.ndarray], task: str) -> float:
    """Mean PSNR (dB) of doing nothing: the input itself, enlarged by bicubic for SR."""

    def forward(x: np.ndarray) -> jax.Array:
        n, h, w, c = x.shape
        if task != "SR":
            return jnp.asarray(x)
        return jax.image.resize(x, (n, 4 * h, 4 * w, c), "bicubic")

    return validate(forward, photographs, task)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    recipe = RECIPES[args.name]
    if args.steps is not None:
        recipe = dataclasses.replace(recipe, steps=args.steps)
    print(json.dumps(train(args.name, recipe, args.photos, args.out, args.seed), indent=1))


if __name__ == "__main__":
    main()
