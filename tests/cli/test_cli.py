"""The command line, as a user types it."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import zoo
from command_line import call, status
from PIL import Image
from safetensors.numpy import save_file

import cem_jax as cem
from cem_jax import outcome
from cem_jax.cli import cli, options
from cem_jax.cli.many import make_job
from cem_jax.cli.options import SCORES
from cem_jax.rows import as_json
from cem_jax.scene.image import open_image


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(cem.example_image("pagoda")[:64, :72]).save(path)
    return str(path)


def test_map_writes_map_figure_and_table_and_resumes(photograph, tmp_path):
    arguments = ("map", "--model", "DnCNN-compact", "--task", "DN", "--image", photograph)
    arguments += ("--roi", "24,24,8,8", "--plan", "fixed:2", "--out", str(tmp_path / "out"))
    done = call(*arguments)
    assert done.returncode == 0, done.stderr
    assert "DnCNN-compact" in done.stdout
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert found.effect.shape == (8, 9) and found.evaluations > 0
    with Image.open(tmp_path / "out" / "map.png") as figure:
        assert figure.width > 400
    again = call(*arguments)
    assert again.returncode == 0, again.stderr
    kept = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert kept.provenance == found.provenance  # nothing was computed again
    other = call(*arguments, "--seed", "3")
    assert other.returncode == 2
    assert "seed was 0, is 3" in other.stderr


def test_a_network_of_scale_1_receives_the_reduced_photograph_enlarged(photograph, tmp_path):
    done = call(
        "map", "--model", "DnCNN-compact", "--task", "SR", "--image", photograph,
        "--roi", "24,24,8,8", "--plan", "fixed:1", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    scene = cem.Scene.preupsampled(open_image(photograph), 4)
    np.testing.assert_array_equal(found.degraded, np.round(255 * scene.degraded))
    assert (found.task, found.scale) == ("SR", 1)


def test_a_function_of_the_user_makes_the_network(photograph, tmp_path):
    (tmp_path / "own.py").write_text("def darker():\n    return lambda x: 0.9 * x\n")
    done = call(
        "map", "--module", "own.py:darker", "--set", "receptive_radius=0", "--task", "DN",
        "--image", photograph, "--roi", "24,24,16,16", "--plan", "fixed:1", "--outcome", "ssim",
        "--label", "$dark$", "--out", "out", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert (found.outcome, found.provenance["network"]) == ("ssim", "$dark$")
    assert sum(found.counts) == found.counts.zero


def test_the_scores_are_those_of_the_api():
    assert list(SCORES) == list(outcome.NAMES)


BAD = {
    "unknown name": (["--model", "EDRS-compact"], "EDSR-compact"),
    "task": (["--task", "XX"], "--task"),
    "region": (["--roi", "1,2,3"], "--roi '1,2,3'"),
    "region outside": (["--roi", "60,0,8,8"], "roi="),
    "plan": (["--plan", "many"], "--plan 'many'"),
    "no draws": (["--plan", "fixed:0"], "n=0"),
    "image": (["--image", "missing.png"], "missing.png"),
    "weights": (["--weights", "missing.pth"], "missing.pth"),
    "scale": (["--model", "EDSR-compact"], "scale"),
    "pool": (["--pool", "missing.npz"], "missing.npz"),
    "folder": (["--out", "."], "not empty"),
    "option": (["--nonsense"], "--nonsense"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_status_2_and_one_line(case, photograph, tmp_path):
    (tmp_path / "something").write_text("else")
    change, message = BAD[case]
    options = {
        "--model": "DnCNN-compact", "--task": "DN", "--image": photograph, "--roi": "8,8,8,8",
        "--out": str(tmp_path / "out"),
    }  # fmt: skip
    options |= dict(zip(change[::2], change[1::2], strict=False))
    arguments = [word for pair in options.items() for word in pair]
    done = call("map", *arguments, *([change[0]] if len(change) == 1 else []), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_the_demo_writes_what_it_says(tmp_path):
    done = call("demo", "--out", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    for name in ("teaser.png", "teaser.pdf", "table.md", "SR/map.npz", "DN/map.npz", "DR/map.npz"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
    for task in ("SR", "DN", "DR"):
        found = cem.EffectMap.load(tmp_path / "demo" / task / "map.npz")
        json.dumps(found.provenance)
        assert found.counts.positive > 0


def called(capsys, monkeypatch, *arguments: str) -> str:
    """What the command line prints, run within this process; it must end with status 0."""
    assert not status(monkeypatch, *arguments)
    return capsys.readouterr().out


def test_models_lists_the_names(capsys, monkeypatch):
    printed = called(capsys, monkeypatch, "models")
    assert all(f"| {name} " in printed for name in cem.models.names())


def test_the_page_of_the_zoo_is_what_the_command_prints(capsys, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "zoo.md").read_text()
    assert page.endswith("\n\n" + called(capsys, monkeypatch, "models", "--details"))


def commands() -> dict[str, Any]:
    """The commands by name, as the shell sees them."""
    group = typer.main.get_command(cli.app)
    with group.make_context("cem-jax", ["models"], resilient_parsing=True) as context:
        return {name: group.get_command(context, name) for name in group.list_commands(context)}


@pytest.mark.parametrize("name", commands())
def test_every_command_has_json_and_an_example(name):
    command = commands()[name]
    if name != "explore":  # it serves a page and prints nothing to read on
        assert "--json" in {text for one in command.params for text in one.opts}
    program, first, *rest = shlex.split(command.epilog.removeprefix("Example: "))
    assert (program, first) == ("cem-jax", name)
    command.make_context(name, rest)


def test_json_holds_what_the_text_says(capsys, monkeypatch, photograph, tmp_path):
    def records(*arguments: str) -> list[dict]:
        return json.loads(called(capsys, monkeypatch, *arguments, "--json"))

    facts = {one["name"]: one for one in records("models")}
    assert facts.keys() == set(cem.models.names())
    assert facts["DnCNN"]["receptive_radius"] == 20
    (made,) = records(
        "map", "--model", "DnCNN-compact", "--task", "DN", "--image", photograph, "--roi",
        "24,24,8,8", "--plan", "fixed:1", "--out", str(tmp_path / "map"),
    )  # fmt: skip
    found = cem.EffectMap.load(tmp_path / "map" / "map.npz")
    assert made["scene"] == found.provenance["scene_name"] == "photo"
    assert made["roi"] == [24, 24, 8, 8] and made["psnr_out"] == found.baseline
    assert made["positive"] == cem.summarise(found)["positive"]
    saved = str(tmp_path / "map" / "map.npz")
    table, page = str(tmp_path / "map.csv"), str(tmp_path / "report.html")
    assert records("export", saved, "--format", "csv", "--out", table) == [{"written": table}]
    assert records("report", saved, "--out", page) == [{"written": page}]
    weights = str(cem.models.bundled_weights("DnCNN-compact"))
    written = records("convert", weights, "--model", "DnCNN-compact", "--out", str(tmp_path))
    assert [Path(one["written"]).name for one in written] == [
        "DnCNN-compact.safetensors", "DnCNN-compact.orbax"
    ]  # fmt: skip


def test_what_is_not_known_is_null_in_json():
    assert json.loads(as_json([{"a": float("nan"), "b": 1.5}])) == [{"a": None, "b": 1.5}]


def test_json_of_a_job_is_its_list(capsys, clean, pool, local, tmp_path):
    job = cem.Job(
        {"local": lambda: local}, {"facade": lambda: cem.Scene.denoising(clean)},
        [cem.MapOf("local", "facade", cem.ROI(24, 32, 16, 16))], pool=pool, plan=cem.Fixed(1),
    )  # fmt: skip
    make_job(job, tmp_path, json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == json.loads((tmp_path / "maps.json").read_text())
    assert "1/1 local/facade" in printed.err


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("cem-jax mo", "models"),
        ("cem-jax map --task D", "DN"),
        ("cem-jax map --model DnCNN-", "DnCNN-compact"),
        ("cem-jax map --ref", "--reference-config"),
    ],
)
def test_the_shell_completes(words, completed, capsys, monkeypatch):
    monkeypatch.setenv("_CEM_JAX_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert completed in called(capsys, monkeypatch).split()


def test_an_interrupt_ends_with_status_130_and_one_line(photograph, tmp_path):
    # Where this suite is a shell's background job, children would ignore the signal.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", heed + "from cem_jax.cli.main import main; main()", "map"]
    command += ["--model", "DnCNN-compact", "--task", "DN", "--image", photograph]
    command += ["--roi", "24,24,8,8", "--plan", "fixed:5000", "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "out" / "outcomes.0.log").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors == "cem-jax: interrupted; the same command continues\n"


SWALLOWS = {
    "a callback that cannot raise": """
class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

Interrupted()
""",
    "a library that goes on": """
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    pass
""",
}


@pytest.mark.parametrize("swallow", SWALLOWS.values(), ids=SWALLOWS)
def test_an_interrupt_that_is_swallowed_comes_again(swallow):
    program = f"""
import signal, sys, time
from cem_jax.cli import cli, main

@cli.app.command()
def wait():
    exec({swallow!r}, globals())
    for _ in range(600):
        time.sleep(0.1)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["cem-jax", "wait"]
main.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "cem-jax: interrupted; the same command continues\n"


def test_what_a_network_is_told_is_read_from_texts():
    read = options.parse_set(["res_scale=0.1", "range=255", "variant=PReNet_LSTM"])
    assert read == {"res_scale": 0.1, "range": 255, "variant": "PReNet_LSTM"}
    assert type(read["range"]) is int
    for wrong in (["range"], ["=1"], ["range="], ["range=1", "range=255"], ["weights=x.pth"]):
        with pytest.raises(ValueError, match=r"--set .*expected KEY=VALUE"):
            options.parse_set(wrong)


def test_a_map_is_made_of_a_recognised_file_that_is_told(capsys, monkeypatch, photograph, tmp_path):
    save_file(zoo.state_dict("FFDNet", zoo.small("FFDNet")), tmp_path / "mine.safetensors")
    asked = ("map", "--weights", str(tmp_path / "mine.safetensors"), "--task", "DN")
    asked += ("--image", photograph, "--roi", "24,24,8,8", "--plan", "fixed:1", "--sigma", "15")
    told = {"scene": (), "15": ("--set", "noise_level=15"), "50": ("--set", "noise_level=50")}
    made = {}
    for level, more in told.items():
        out = ("--out", str(tmp_path / level), "--json")
        (made[level],) = json.loads(called(capsys, monkeypatch, *asked, *more, *out))
    assert made["scene"]["network"] == "FFDNet mine"
    assert made["scene"]["psnr_out"] == made["15"]["psnr_out"] != made["50"]["psnr_out"]
