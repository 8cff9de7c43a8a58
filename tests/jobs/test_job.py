"""Jobs: maps are made once by whoever is free, and failures are told."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from job_folder import FILE, write_job

import cem_jax as cem
from cem_jax.effects.effect import causal_effect_maps
from cem_jax.jobs import job as jobs
from cem_jax.store.lock import Locks

ROI = cem.ROI(0, 0, 16, 16)
OUTCOMES = (cem.psnr, cem.negative_l1)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_job(tmp_path_factory.mktemp("written"))


def sweep(*arguments, **more) -> subprocess.Popen:
    command = [sys.executable, "-m", "cem_jax.cli", "sweep", *map(str, arguments)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **more)


def test_plans_and_outcomes_of_a_job_have_names(clean, pool, local):
    job = dataclasses.replace(
        small_job(clean, pool, local), plan="adaptive:64", outcomes=("ssim", cem.psnr)
    )
    assert (job.plan, job.outcomes) == (cem.Adaptive(most=64), (cem.ssim, cem.psnr))
    for wrong in ({"plan": "many"}, {"plan": 3}, {"outcomes": ["psmr"]}):
        with pytest.raises(ValueError, match=r"plan=|outcome="):
            dataclasses.replace(job, **wrong)


def small_job(clean, pool, local, **more) -> cem.Job:
    scenes = {"noisy": lambda: cem.Scene.denoising(clean), "calm": lambda: denoised(clean)}
    maps = [cem.MapOf("net", scene, ROI) for scene in scenes]
    options = {"networks": {"net": lambda: local}, "scenes": scenes, "maps": maps} | more
    return cem.Job(pool=pool, plan=cem.Fixed(2), outcomes=OUTCOMES, **options)


def denoised(clean):
    return cem.Scene.denoising(clean, sigma=5 / 255)


def test_each_map_is_the_one_that_a_single_call_gives(tmp_path, clean, pool, local):
    job = small_job(clean, pool, local)
    results = cem.run_job(job, tmp_path, progress=False)
    assert [result.asked for result in results] == list(job.maps)
    alone = causal_effect_maps(
        local, denoised(clean), ROI, OUTCOMES, pool=pool, plan=cem.Fixed(2), progress=False
    )
    for name, file in (("psnr", "map.npz"), ("negative_l1", "map.negative_l1.npz")):
        kept = cem.EffectMap.load(tmp_path / "net/calm/y0-x0-16x16" / file)
        np.testing.assert_array_equal(kept.values, alone[name].values)
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert len(index) == 4
    place = {"network": "net", "scene": "calm", "roi": [0, 0, 16, 16], "outcome": "psnr",
             "directory": "net/calm/y0-x0-16x16",
             "evaluations": alone["psnr"].evaluations}  # fmt: skip
    assert [row for row in index if place.items() <= row.items()]


def test_finished_maps_are_found_again(tmp_path, clean, pool, local, monkeypatch):
    job = small_job(clean, pool, local)
    first = cem.run_job(job, tmp_path, progress=False)
    assert not any(result.found for result in first)

    def never(*args, **more):
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr("cem_jax.sweep.sweep.Sweep.make", never)
    again = cem.run_job(job, tmp_path, progress=False)
    assert [result.rows for result in again] == [result.rows for result in first]
    assert all(result.found for result in again)


def test_a_map_that_fails_does_not_stop_the_others(tmp_path, clean, pool, local):
    def damaged():
        raise ValueError("weights='x.pth':\n not a checkpoint")

    networks = {"bad": damaged, "net": lambda: local}
    regions = (ROI, cem.ROI(60, 0, 16, 16))
    maps = [cem.MapOf(network, "noisy", roi) for network in networks for roi in regions]
    told = []
    results = cem.run_job(
        small_job(clean, pool, local, networks=networks, maps=maps), tmp_path,
        progress=False, each=told.append,
    )  # fmt: skip
    assert told == results
    problems = [result.problem for result in results]
    assert problems[:3] == ["weights='x.pth': not a checkpoint"] * 2 + [""]
    assert "leaves the image" in problems[3]
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert [(row["network"], row.get("problem", "")) for row in index] == [
        ("bad", problems[0]), ("bad", problems[1]), ("net", ""), ("net", ""), ("net", problems[3])
    ]  # fmt: skip


class Odd(Exception):
    """An error of somebody else's class."""

    def __str__(self):
        raise RuntimeError


FAILURES = {
    "ZeroDivisionError": (lambda: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
    "exit": (lambda: sys.exit("not here"), "SystemExit: not here"),
    "missing file": (lambda: os.stat("/nowhere/x"), "No such file or directory: '/nowhere/x'"),
    "memory": (lambda: np.zeros(2**50), "MemoryError: "),
    "nothing": (lambda: None, "network=None: expected a cem_jax.Network"),
    "a line of control codes": (lambda: 1 / {}["\x1b[2J\n"], r"KeyError: '\x1b[2J\n'"),
    "odd": (lambda: (_ for _ in ()).throw(Odd()), "Odd"),
    "group": (
        lambda: (_ for _ in ()).throw(ExceptionGroup("two", [Odd(), Odd()])), "ExceptionGroup: two"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_whatever_a_loader_raises_is_told_and_the_others_are_made(
    case, tmp_path, clean, pool, local
):
    fails, message = FAILURES[case]
    maps = [cem.MapOf(network, "noisy", ROI) for network in ("bad", "net")]
    networks = {"bad": fails, "net": lambda: local}
    job = small_job(clean, pool, local, networks=networks, maps=maps)
    bad, good = cem.run_job(job, tmp_path, progress=False)
    assert message in bad.problem and bad.problem.isprintable()
    assert good.rows and not good.problem
    index = json.loads((tmp_path / jobs.INDEX).read_text())
    assert [row.get("problem") for row in index] == [bad.problem, None, None]


def test_whatever_a_scene_or_a_network_raises_is_told(tmp_path, clean, pool, local):
    def untraceable(x):
        return x + {"shift": 1}["shfit"]

    scenes = {"bad": lambda: 1 // 0, "no scene": lambda: clean, "noisy": lambda: denoised(clean)}
    networks = {"net": lambda: local, "bad": lambda: cem.wrap(untraceable, receptive_radius=0)}
    maps = [cem.MapOf("net", scene, ROI) for scene in scenes] + [cem.MapOf("bad", "noisy", ROI)]
    job = small_job(clean, pool, local, networks=networks, scenes=scenes, maps=maps)
    problems = [result.problem for result in cem.run_job(job, tmp_path, progress=False)]
    assert problems[0].startswith("ZeroDivisionError") and problems[2] == ""
    assert "expected a cem_jax.Scene" in problems[1]
    assert "shfit" in problems[3]


@pytest.mark.parametrize(
    ("one", "other"), [("EDSR", "edsr"), ("stra\u00dfe", "STRASSE"), ("caf\u00e9", "cafe\u0301")]
)
@pytest.mark.parametrize("of", ["networks", "scenes"])
def test_labels_that_some_systems_take_for_one_folder_are_refused(one, other, of, local, clean):
    networks, scenes = {"net": lambda: local}, {"scene": lambda: cem.Scene.denoising(clean)}
    both = dict.fromkeys(
        (one, other), next(iter((networks if of == "networks" else scenes).values()))
    )
    given = {"networks": networks, "scenes": scenes} | {of: both}
    network, scene = next(iter(given["networks"])), next(iter(given["scenes"]))
    with pytest.raises(ValueError, match=r"label .*the same folder as"):
        cem.Job(maps=[cem.MapOf(network, scene, cem.ROI(0, 0, 8, 8))], **given)


OWN = ("maps.json", "Maps.JSON", "locks", "LOCKS")
NOWHERE = ("", ".", "..", ".hidden", "a/b", "a\\b", "a:b", "ends.", "ends ", " begins", "tab\t",
           "line\n", "null\0", "half \ud800", "\u202eturned", "what?", "a*", "<b>", "x" * 201,
           "\u00e9" * 101, "CON", "nul.txt", "com1", 5, b"bytes", None)  # fmt: skip


@pytest.mark.parametrize("label", OWN + NOWHERE, ids=repr)
def test_labels_that_are_no_folders_name_or_the_jobs_own_are_refused(label, clean, pool, local):
    one = cem.MapOf(label, "noisy", ROI)
    with pytest.raises(ValueError, match="label"):
        small_job(clean, pool, local, networks={label: lambda: local}, maps=[one])


@pytest.mark.parametrize("label", ["photo (1)", "Müller & Co", "写真", "$x^2$", "x" * 200, "-v"])
def test_other_labels_are_folders(label, tmp_path, clean, pool, local):
    job = small_job(
        clean, pool, local, networks={label: lambda: local}, maps=[cem.MapOf(label, "noisy", ROI)]
    )
    assert cem.run_job(job, tmp_path, progress=False)[0].problem == ""
    assert (tmp_path / label / "noisy" / ROI.label / "map.npz").is_file()


@pytest.mark.parametrize("changes", [{"block": 0}, {"block": 8.0}, {"seed": -1}, {"seed": "1"}])
def test_numbers_of_a_job_are_checked_before_work(changes, clean, pool, local):
    with pytest.raises(ValueError, match=next(iter(changes))):
        small_job(clean, pool, local, **changes)
    job = small_job(clean, pool, local, block=np.int64(8), seed=np.uint8(3))
    assert type(job.block) is int and type(job.seed) is int


def test_a_job_that_cannot_be_is_refused(clean, pool, local):
    one = cem.MapOf("net", "noisy", ROI)
    for maps, message in (
        ([], r"maps=\[\]: expected"), ([one, one], "twice"),
        ([cem.MapOf("other", "noisy", ROI)], "no such network or scene"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            small_job(clean, pool, local, maps=maps)
    for label in ("", "a/b", "..", ".hidden", "a\\b", "ends.", "a:b"):
        with pytest.raises(ValueError, match="label"):
            small_job(clean, pool, local, networks={label: lambda: local}, maps=[one])


def test_a_folder_that_cannot_be_written_is_refused_first(tmp_path, clean, pool):
    def never():
        raise AssertionError("no work is started")

    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"out=.*cannot be written"):
        cem.run_job(small_job(clean, pool, None, networks={"net": never}), tmp_path / "file" / "o")


def _hold(folder, name, holding, go):
    with Locks(Path(folder)).locked(name) as mine:
        holding.put(mine)
        go.wait()
    os._exit(0)


def test_a_lock_keeps_others_off_until_its_holder_ends(tmp_path):
    context = multiprocessing.get_context("spawn")
    holding, go = context.Queue(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), "a", holding, go))
    other.start()
    assert holding.get(timeout=120)
    with Locks(tmp_path) as locks:
        with locks.locked("a") as mine:
            assert not mine
        with locks.locked("b") as mine:
            assert mine
        other.kill()
        other.join()
        with locks.locked("a") as mine:
            assert mine


def test_processes_share_a_job_through_its_folder(written, tmp_path):
    """Two commands at once, both of which are told of a network that cannot be read."""
    folder = tmp_path / "job"
    shutil.copytree(written, folder)
    (folder / "bad.safetensors").write_bytes(b"no tensors")
    file = folder / "job.toml"
    bad = '[[network]]\nname = "DnCNN"\nweights = "bad.safetensors"\nlabel = "bad"\n'
    file.write_text(FILE.replace(", [32, 8, 16, 16]", "") + bad)
    both = [sweep(file) for _ in range(2)]
    said = [process.communicate(timeout=500) for process in both]
    for process, (out, errors) in zip(both, said, strict=True):
        assert process.returncode == 2, errors
        assert "2 maps in" in out
        lines = [line for line in errors.splitlines() if line]
        assert len(lines) == 2 and all("bad.safetensors" in line for line in lines), errors
    made = [line for out, _ in said for line in out.splitlines() if line.endswith(" s")]
    assert len(made) == 2, said  # each map by one of them
    index = json.loads((folder / "job" / jobs.INDEX).read_text())
    assert sum("problem" in row for row in index) == 2 and len(index) == 4
    job = cem.read_job(file)
    for one in job.maps[:2]:
        alone = cem.causal_effect_map(
            job.networks["small"](), job.scenes[one.scene](), one.roi, plan=job.plan, seed=5,
            progress=False,
        )  # fmt: skip
        kept = cem.EffectMap.load(folder / "job" / str(one) / "map.npz")
        np.testing.assert_allclose(kept.values, alone.values, rtol=0, atol=1e-5)


@pytest.mark.long
def test_processes_of_a_cluster_share_a_job(written, tmp_path):
    """`--distributed` as SLURM starts it: two tasks of a job step on this machine."""
    step = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost",
            "SLURM_NTASKS": "2", "SLURM_STEP_NUM_NODES": "1"}  # fmt: skip
    both = [
        sweep(written / "job.toml", "--out", tmp_path / "out", "--distributed",
              env=os.environ | step | {"SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)})
        for n in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    made = [[line for line in out.splitlines() if line.endswith(" s")] for out, _ in said]
    assert sum(map(len, made)) == 4 and all(made), said
