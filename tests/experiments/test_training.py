"""Training: batches and losses are functions of the seed, whatever interrupts them."""

import dataclasses
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from PIL import Image

from cem_jax.experiments import series, training_data
from cem_jax.experiments.degradations import DEGRADATIONS, degrade
from cem_jax.experiments.evaluate import recorded, records, with_table
from cem_jax.experiments.optimizer import make_optimizer
from cem_jax.experiments.recipes import PRESETS, Recipe
from cem_jax.experiments.train import train, train_all
from cem_jax.experiments.training_data import TrainingData, ahead
from cem_jax.experiments.training_step import TrainState, make_update
from cem_jax.experiments.unroll import unrolled
from cem_jax.experiments.validation import psnr
from cem_jax.models.layers import Conv
from cem_jax.scene.scene import Scene
from cem_jax.store.lock import Locks


@pytest.fixture(autouse=True)
def mixed_types():
    """optax's Adam raises a decay, a real number, to the step, a whole one."""
    with jax.numpy_dtype_promotion("standard"):
        yield


class Denoiser(nnx.Module):
    """Two convolutions around a skip."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.first = Conv(3, width, rngs=rngs)
        self.second = Conv(width, 3, init_scale=0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.second(jax.nn.relu(self.first(x)))


TINY = Recipe(
    "tiny",
    "compact",
    Denoiser,
    {"width": 8},
    "DN",
    scale=1,
    size_multiple=1,
    steps=20,
    patch=16,
    batch=4,
    learning_rate=0.2,
    hardware="any",
    report=5,
)


def photograph(index: int, side: int = 48) -> np.ndarray:
    """Waves in three colours, uint8 [side, side + 4, 3]."""
    y, x = np.mgrid[:side, : side + 4] / (3 + index)
    waves = [np.sin(x + index), np.cos(y - x), np.sin(x * y / 5)]
    return np.uint8(127.5 * (1 + np.stack(waves, -1)))


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for split, count in (("train", 3), ("val", 2)):
        (folder / split).mkdir()
        for index in range(count):
            Image.fromarray(photograph(index)).save(folder / split / f"{index}.png")
    return folder


def losses(out: Path) -> list[str]:
    return (out / "tiny" / "losses.txt").read_text().splitlines()


def log(out: Path) -> list[dict]:
    lines = (out / "tiny" / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "minutes"} for line in lines]


@pytest.fixture(scope="module")
def straight(photos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("straight")
    train(TINY, photos, out, report=lambda _: None)
    return out


def test_a_second_run_has_the_same_losses(photos, straight, tmp_path):
    train(TINY, photos, tmp_path, report=lambda _: None)
    assert len(losses(straight)) == TINY.steps
    assert losses(tmp_path) == losses(straight)
    assert log(tmp_path) == log(straight)
    name = "tiny.safetensors"
    assert (tmp_path / name).read_bytes() == (straight / name).read_bytes()


@pytest.mark.parametrize("stop", [2, 4])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(photos, straight, tmp_path, stop):
    class Stopped(Exception):
        pass

    reports = itertools.count(1)

    def report(_: str) -> None:
        if next(reports) == stop:
            raise Stopped

    with pytest.raises(Stopped):
        train(TINY, photos, tmp_path, seconds=0, report=report)
    assert not (tmp_path / "tiny.json").exists()
    train(TINY, photos, tmp_path, report=lambda _: None)
    assert losses(tmp_path) == losses(straight)
    assert log(tmp_path) == log(straight)
    name = "tiny.safetensors"
    assert (tmp_path / name).read_bytes() == (straight / name).read_bytes()


def test_a_longer_run_goes_on_from_the_constant_phase(photos, straight, tmp_path):
    longer = dataclasses.replace(TINY, steps=30)
    train(longer, photos, tmp_path / "at once", report=lambda _: None)
    train(TINY, photos, tmp_path / "in two", report=lambda _: None)
    train(longer, photos, tmp_path / "in two", report=lambda _: None)
    assert losses(tmp_path / "in two") == losses(tmp_path / "at once")
    assert losses(tmp_path / "at once")[:12] == losses(straight)[:12]
    with pytest.raises(ValueError, match="longer"):
        train(TINY, photos, tmp_path / "at once", report=lambda _: None)


def test_the_batch_spread_over_devices_gives_the_same_step():
    optimizer = make_optimizer(0.1, 20)
    graph, params = nnx.split(Denoiser(8, rngs=nnx.Rngs(0)))
    update = make_update(lambda p, x: nnx.merge(graph, p)(x), optimizer)
    clean = np.float32(photograph(0)[:16, :32].reshape(4, 8, 16, 3) / 255)
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    on_all, spread = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))

    def three_steps(state_at, batch_at) -> tuple[list[float], jax.Array]:
        state = TrainState(
            jax.tree.map(jnp.copy, params),
            jax.tree.map(jnp.copy, params),
            optimizer.init(params),
            jnp.zeros((), jnp.int32),
        )
        state, values = jax.device_put(state, state_at), []
        for _ in range(3):
            state, loss = update(state, *jax.device_put((0.5 * clean, clean), batch_at))
            values.append(float(loss))
        return values, state.params["first"]["kernel"][...]

    one, kernel = three_steps(jax.devices()[0], jax.devices()[0])
    two, spread_kernel = three_steps(on_all, spread)
    assert one[2] != one[1] and len(spread_kernel.devices()) == 2
    np.testing.assert_allclose(two, one, rtol=1e-5)
    np.testing.assert_allclose(spread_kernel, kernel, atol=1e-5)


def test_training_improves_the_network_and_the_record_says_so(photos, straight):
    record = json.loads((straight / "tiny.json").read_text())
    assert record["psnr_by_task"]["DN"][1] == record["psnr_val"]
    assert record["psnr_val"] > record["psnr_val_input"] + 0.5
    assert log(straight)[-1]["psnr"]["DN"] > log(straight)[0]["psnr"]["DN"] + 0.5
    with Image.open(straight / "tiny" / "sheet.png") as sheet:
        assert sheet.size == (3 * 48, 2 * 48)


def test_processes_share_runs_and_pass_over_those_that_are_done(photos, straight, tmp_path):
    short = dataclasses.replace(TINY, name="short", steps=5)
    with Locks(tmp_path) as other, other.locked("tiny"):
        code = (
            "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
            "from test_training import TINY, dataclasses, train_all; "
            "short = dataclasses.replace(TINY, name='short', steps=5); "
            "made = train_all([TINY, short], Path(sys.argv[2]), Path(sys.argv[3])); "
            "print([record['name'] for record in made])"
        )
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", code, here, str(photos), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['short']"
    made = train_all([TINY, short], photos, tmp_path, report=lambda _: None)
    assert [record["name"] for record in made] == ["tiny"]
    assert losses(tmp_path) == losses(straight)
    said: list[str] = []
    assert not list(train_all([short], photos, tmp_path, report=said.append))
    assert said == ["short: done before"]
    longer = dataclasses.replace(short, steps=8)
    made = train_all([longer], photos, tmp_path, report=lambda _: None)
    assert [record["steps"] for record in made] == [8]


def test_bad_input_of_training(photos, tmp_path):
    with pytest.raises(ValueError, match="batch=3"):
        train(dataclasses.replace(TINY, batch=3), photos, tmp_path)
    with pytest.raises(ValueError, match="patch=49"):
        train(dataclasses.replace(TINY, patch=49), photos, tmp_path)
    with pytest.raises(ValueError, match="photos="):
        train(TINY, tmp_path, tmp_path)


@pytest.fixture
def few_layers(monkeypatch) -> None:
    monkeypatch.setattr(training_data, "_RAIN_LAYERS", 2)


@pytest.mark.parametrize("task", DEGRADATIONS)
def test_batches_are_degraded_images_and_functions_of_the_step(task, few_layers):
    def make(seed: int, introduce: int = 0) -> TrainingData:
        return TrainingData.make(
            [photograph(0), photograph(1)],
            task,
            scale=4 if task == "SR" else 1,
            patch=12,
            batch=16,
            seed=seed,
            introduce=introduce,
        )

    data = make(0)
    degraded, clean = data(7)
    side = 48 if task == "SR" else 12
    assert degraded.shape == (16, 12, 12, 3) and clean.shape == (16, side, side, 3)
    assert clean.min() >= 0 and clean.max() <= 1
    again, other, other_seed = make(0)(7), data(8), make(1)(7)
    np.testing.assert_array_equal(again[0], degraded)
    assert not np.array_equal(other[0], degraded)
    assert not np.array_equal(other_seed[0], degraded)
    if task != "SR":
        changed = np.abs(degraded - clean).max((1, 2, 3))
        assert (changed > 0).all()
    if task == "MIO":
        # One by one: at first SR alone, whose inputs are smooth; all seven from step 60 on.
        np.testing.assert_array_equal(make(0, introduce=10)(67)[0], data(67)[0])
        first = make(0, introduce=10)(7)
        alone = dataclasses.replace(data, tasks={"SR": 3})(7)
        np.testing.assert_array_equal(first[0], alone[0])


def test_tasks_have_their_parts_of_the_patches(few_layers):
    grey = np.full((64, 64, 3), 128, np.uint8)
    data = TrainingData.make([grey], "mix", scale=1, patch=12, batch=400, seed=0)
    degraded, clean = dataclasses.replace(data, tasks={"SR": 3, "DN": 1})(0)
    noisy = np.std(degraded - clean, axis=(1, 2, 3)) > 0.1
    assert 70 < noisy.sum() < 130  # 100 with a standard deviation of 8.7


def test_validation_degrades_as_scenes_do():
    clean = photograph(0)
    scenes = {
        "SR": Scene.super_resolution(clean),
        "DN": Scene.denoising(clean, seed=3),
        "DR": Scene.deraining(clean, seed=3),
    }
    for task, scene in scenes.items():
        degraded = degrade(clean, task, 3, scene.scale)
        np.testing.assert_array_equal(degraded, np.round(255 * scene.degraded))


@pytest.mark.parametrize("task", DEGRADATIONS["MIO"])
def test_every_degradation_costs_fidelity(task):
    clean = photograph(2)
    degraded = degrade(clean, task, 0, 1)
    assert degraded.shape == clean.shape and degraded.dtype == np.uint8
    assert psnr(degraded / 255, clean) < 35
    np.testing.assert_array_equal(degrade(clean, task, 0, 1), degraded)


def test_batches_come_in_order_and_errors_come_through():
    assert list(ahead(lambda step: step**2, range(3, 20))) == [s**2 for s in range(3, 20)]
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda step: 1 // (step - 2), range(5)))


def test_unrolled_loops_compute_the_same():
    def function(x, weights):
        def step(carry, w):
            carry = jax.nn.relu(jnp.tanh(carry * w) + 0.1)
            return carry, carry.sum()

        forth, sums = jax.lax.scan(step, x, weights)
        back, _ = jax.lax.scan(step, forth, weights, reverse=True)
        return {"back": back, "sums": sums}

    x, weights = jnp.linspace(-1, 1, 6), jnp.arange(1.0, 4.0)
    looped, written = jax.jit(function), jax.jit(unrolled(function))
    for key, value in looped(x, weights).items():
        np.testing.assert_allclose(written(x, weights)[key], value, rtol=1e-6)
    assert "scan" in str(jax.make_jaxpr(function)(x, weights))
    assert "scan" not in str(jax.make_jaxpr(unrolled(function))(x, weights))


@pytest.mark.parametrize(
    ("side", "stride", "padding"),
    [(9, 4, (4, 7)), (9, 4, (4, 4)), (3, 2, (1, 2)), (5, 3, (0, 0)), (6, 2, (3, 1))],
)
def test_convolutions_over_zeros_are_the_same_by_phases(side, stride, padding):
    def function(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), [padding, padding[::-1]], lhs_dilation=(stride, stride),
            dimension_numbers=("NHWC", "HWOI", "NHWC"),
        )  # fmt: skip

    random = np.random.default_rng(0)
    x, kernel = (
        random.normal(size=shape).astype(np.float32) for shape in ((2, 5, 7, 3), (side, side, 2, 3))
    )
    assert "lhs_dilation=(1, 1)" in str(jax.make_jaxpr(unrolled(function))(x, kernel))

    def outputs(f):
        y, back = jax.vjp(f, x, kernel)
        return [y, *back(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))]

    for one, other in zip(outputs(function), outputs(unrolled(function)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_siblings_have_equal_budgets():
    for recipes in PRESETS.values():
        steps, budgets = defaultdict(set), defaultdict(set)
        for r in recipes.values():
            share = 1.25 if r.preset == "compact" and r.task == "MIO" else 1
            architecture = r.name.removesuffix("-compact").split("_")[0].split("-")[0]
            steps[architecture, r.scale].add(r.steps / share)
            budgets[r.scale].add((r.patch, r.batch, r.learning_rate))
        assert all(len(found) == 1 for found in [*steps.values(), *budgets.values()])
        expected = (1, 2) if recipes is PRESETS["series"] else (2, 13)
        assert (len(budgets), len(steps)) == expected
    tasks = {name: recipe.task for name, recipe in PRESETS["compact"].items()}
    assert tasks["RCAN_mix-compact"] == "mix" and tasks["SwinIR_MIO-compact"] == "MIO"
    assert tasks["PReNet-compact"] == "DR" and tasks["RCAN_DN_no_ca-compact"] == "DN"


def test_the_page_of_networks_has_the_table_of_the_records():
    page = Path(__file__).parents[2] / "docs" / "compact-networks.md"
    assert with_table(page.read_text(), recorded()) == page.read_text()
    assert with_table(page.read_text(), series.table(), "series") == page.read_text()
    with pytest.raises(ValueError, match="networks"):
        with_table("no marks", "a table")


def test_bundled_networks_were_trained_by_their_recipes():
    for record in records():
        recipe = dataclasses.asdict(PRESETS["compact"][record["name"]])
        shared = {key: recipe[key] for key in recipe.keys() & record.keys() - {"architecture"}}
        assert len(shared) >= 10
        stored = json.loads(json.dumps(shared))  # as in a record, where tuples are lists
        assert {key: record[key] for key in shared} == stored


def test_bundled_networks_beat_doing_nothing():
    assert {record["name"] for record in records()} == set(PRESETS["compact"])
    for record in records():
        for before, after in record.get("psnr_by_task", {}).values():
            assert after > before
        gain = record["psnr_val"] - record["psnr_val_input"]
        assert gain > (0.6 if record["task"] == "SR" else 1)
