"""Engines: the same maps by whoever makes them, descriptions instead of data, workers that die."""

import concurrent.futures
import dataclasses
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_denoiser import write_small_denoiser

import cem_jax as cem
from cem_jax.jobs import engine, engines
from cem_jax.jobs.processes import LostWorkerError, Processes

FILE = """
plan = "fixed:2"
seed = 5
pool = "pool.npz"

[[network]]
name = "DnCNN"
weights = "small.safetensors"
label = "small"

[[network]]
module = "own.py:darker"
tasks = ["DN"]
arguments = {receptive_radius = 0}

[[scene]]
task = "DN"
image = "photos/*.png"
rois = [[8, 8, 16, 16], [16, 0, 16, 16]]
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A job's file, with eight maps."""
    folder = tmp_path_factory.mktemp("engines")
    (folder / "photos").mkdir()
    for name in ("cabin", "pagoda"):
        Image.fromarray(cem.example_image(name)[:40, :40]).save(folder / f"photos/{name}.png")
    write_small_denoiser(folder / "small.safetensors")
    cem.PatchPool(cem.PatchPool.default().patches[:9], "nine").save(folder / "pool.npz")
    (folder / "own.py").write_text("def darker():\n    return lambda x: 0.9 * x\n")
    (folder / "job.toml").write_text(FILE)
    return folder


@pytest.fixture(scope="module")
def quiet(written) -> Path:
    """The results of this process alone."""
    out = written / "quiet"
    results = cem.run_job(cem.read_job(written / "job.toml"), out, progress=False)
    assert not [one.problem for one in results if one.problem]
    return out


def same_maps(out: Path, quiet: Path) -> None:
    files = sorted(path.relative_to(quiet) for path in quiet.rglob("map.npz"))
    assert len(files) == 8
    assert sorted(path.relative_to(out) for path in out.rglob("map.npz")) == files
    for file in files:
        found, wanted = cem.EffectMap.load(out / file), cem.EffectMap.load(quiet / file)
        # Another number of devices is another program, which may round differently.
        np.testing.assert_allclose(found.values, wanted.values, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(found.samples, wanted.samples)


def command(*arguments, **more) -> subprocess.CompletedProcess:
    words = [sys.executable, "-m", "cem_jax.cli", "sweep", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=500, **more)


def test_processes_make_the_same_maps(written, quiet, tmp_path):
    done = command(written / "job.toml", "--out", tmp_path, "--on", "processes:2")
    assert done.returncode == 0, done.stderr
    assert f"8 maps in {tmp_path}" in done.stdout
    same_maps(tmp_path, quiet)
    status = cem.job_status(tmp_path)
    assert (status.count("done"), status.workers, status.open) == (8, 0, False)


def test_dask_makes_the_same_maps(written, quiet, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        done = command(written / "job.toml", "--out", tmp_path, "--on", f"dask://{address}")
    assert done.returncode == 0, done.stderr
    same_maps(tmp_path, quiet)


def test_submitit_makes_the_same_maps(written, quiet, tmp_path):
    submitit = pytest.importorskip("submitit")
    job = cem.read_job(written / "job.toml")
    local = submitit.LocalExecutor(folder=tmp_path / "logs")
    cem.run_job(job, tmp_path / "out", executor=local, maps_per_task=4)
    same_maps(tmp_path / "out", quiet)


def test_the_command_gives_a_job_to_submitit(written, quiet, tmp_path):
    pytest.importorskip("submitit")
    done = command(written / "job.toml", "--out", tmp_path, "--on", "slurm:1")
    assert done.returncode == 0, done.stderr
    same_maps(tmp_path, quiet)


def test_ranks_of_mpi_make_the_same_maps(written, quiet, tmp_path):
    pytest.importorskip("mpi4py")
    start = shutil.which("mpiexec") or shutil.which("mpiexec", path=Path(sys.executable).parent)
    if start is None:
        pytest.skip("no mpiexec")
    words = [start, "-n", "2", sys.executable, "-m", "cem_jax.cli", "sweep"]
    words += [str(written / "job.toml"), "--out", str(tmp_path), "--on", "mpi"]
    # In containers tests often run as root, which Open MPI wants to be told twice.
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=500, env=os.environ | root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("8 maps in") == 1
    same_maps(tmp_path, quiet)


def test_threads_make_the_same_maps_and_tell_of_each(written, quiet, tmp_path):
    job = cem.read_job(written / "job.toml")
    told = []
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        results = cem.run_job(job, tmp_path, executor=executor, each=told.append)
    assert [one.asked for one in results] == list(job.maps)
    assert {one.asked for one in told} == set(job.maps)
    same_maps(tmp_path, quiet)


def test_a_task_is_a_description_and_nothing_large(written, tmp_path):
    job = cem.read_job(written / "job.toml")
    tasks = engine.tasks_of(job, tmp_path, None, None)
    assert [len(task.maps) for task in tasks] == [2, 2, 2, 2]
    assert max(len(pickle.dumps(task)) for task in tasks) < 5000
    assert [len(task.maps) for task in engine.tasks_of(job, tmp_path, 3, None)] == [2, 2, 2, 2]
    assert [len(task.maps) for task in engine.tasks_of(job, tmp_path, 8, None)] == [4, 4]


class Holding:
    """A loader that holds what it loads."""

    def __init__(self):
        self.scene = cem.Scene.denoising(cem.example_image("pagoda"))

    def __call__(self) -> cem.Scene:
        return self.scene


class Unspeakable:
    """A loader that no other process can get."""

    def __reduce__(self):
        raise TypeError("not to be pickled")

    def __call__(self) -> cem.Scene:
        raise AssertionError("nobody is asked to")


@pytest.mark.parametrize(
    ("scene", "message"),
    [(Holding(), r"scene 'x' holds \d+ bytes; expected a function"),
     (Unspeakable(), "scene 'x' cannot be described")],
    ids=["large", "unspeakable"],
)  # fmt: skip
def test_what_is_no_description_is_refused_before_work(scene, message, local, tmp_path):
    one = cem.MapOf("net", "x", cem.ROI(0, 0, 8, 8))
    job = cem.Job({"net": os.getcwd}, {"x": scene}, [one])
    with (
        concurrent.futures.ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match=message),
    ):
        cem.run_job(job, tmp_path, executor=executor)


SCRIPT = """
import sys
import cem_jax as cem

def darker():
    return cem.wrap(lambda x: 0.9 * x, receptive_radius=0)

def scene():
    return cem.Scene.denoising(cem.example_image("pagoda")[:32, :32])

if __name__ == "__main__":
    import submitit
    one = cem.MapOf("net", "x", cem.ROI(0, 0, 16, 16))
    job = cem.Job({"net": darker}, {"x": scene}, [one], plan=cem.Fixed(1))
    executor = submitit.LocalExecutor(folder=sys.argv[1] + "/logs")
    print([one.problem for one in cem.run_job(job, sys.argv[1] + "/out", executor=executor)])
"""


def test_functions_of_a_script_are_described_too(tmp_path):
    pytest.importorskip("submitit")
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=500)
    assert done.stdout.splitlines()[-1:] == ["['']"], done.stdout + done.stderr


@pytest.mark.parametrize("executor", [5, object()])
def test_what_is_no_executor_is_refused(executor, written, tmp_path):
    with pytest.raises(ValueError, match="executor="):
        cem.run_job(cem.read_job(written / "job.toml"), tmp_path, executor=executor)


@pytest.mark.parametrize(
    "text", ["processes", "processes:0", "processes:x", "dask:host:1", "dask://host", "slurm:-1",
             "mpi:2", "ray://host:1", ""],
)  # fmt: skip
def test_an_unknown_engine_is_refused_and_the_known_are_told(text):
    with pytest.raises(ValueError, match=r"--on .*: expected processes:4, dask://host:port"):
        engines.check_engine(text)


def _die_once(place: str) -> str:
    if not os.path.exists(place):
        Path(place).write_text("x")
        os._exit(9)
    return place


def test_what_code_of_the_user_prints_in_a_process_is_no_result(capfd):
    with Processes(1) as executor:
        executor.submit(print, "as it was called").result()
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == "as it was called\n"


def test_a_process_that_dies_is_replaced_and_the_others_live(tmp_path):
    with Processes(2) as executor:
        first = executor.submit(_die_once, str(tmp_path / "a"))
        other = executor.submit(os.getcwd)
        with pytest.raises(LostWorkerError, match="ended by 9"):
            first.result(timeout=60)
        assert other.result(timeout=60) == os.getcwd()
        assert executor.submit(_die_once, str(tmp_path / "a")).result(timeout=60)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(timeout=60)


DEADLY = """
import os
from pathlib import Path

def darker():
    died = Path(__file__).parent / "died"
    count = int(died.read_text()) if died.exists() else 0
    if count < {times}:
        died.write_text(str(count + 1))
        os._exit(9)
    return lambda x: 0.9 * x
"""


@pytest.mark.parametrize("times", [1, 99], ids=["once", "always"])
def test_maps_of_lost_workers_are_given_again_but_not_for_ever(times, written, tmp_path):
    shutil.copytree(written, tmp_path / "job", ignore=shutil.ignore_patterns("quiet"))
    file = tmp_path / "job" / "job.toml"
    file.write_text(FILE.replace("rois = [[8, 8, 16, 16], [16, 0, 16, 16]]", 'rois = ["auto"]'))
    job = cem.read_job(file)
    (tmp_path / "job" / "own.py").write_text(DEADLY.format(times=times))
    with Processes(1) as executor:
        results = cem.run_job(job, tmp_path / "out", executor=executor)
    problems = {str(one.asked).split("/")[0]: one.problem for one in results}
    assert problems["small"] == ""
    if times == 1:
        assert problems["darker"] == ""
    else:
        (often,) = re.findall("its worker was lost ([0-9]+) times", problems["darker"])
        assert 5 <= int(often) <= 25
        assert "its worker was lost" in cem.job_status(tmp_path / "out").maps[-1].problem


def test_of_a_task_that_is_given_up_what_is_finished_counts(written, tmp_path):
    job = cem.read_job(written / "job.toml")
    first, second = job.maps[-2:]  # of the network that computes nothing
    (made,) = cem.run_job(job, tmp_path, only=[first], progress=False)
    (task,) = engine.tasks_of(dataclasses.replace(job, maps=[first, second]), tmp_path, None, None)
    found, lost = engine._given_up(tmp_path, task, LostWorkerError("process 1 ended by -9"), 5)
    assert (found.asked, found.problem, found.found) == (first, "", True)
    assert found.rows[0]["evaluations"] == made.rows[0]["evaluations"]
    assert lost.asked == second and "lost 5 times: LostWorkerError: process 1" in lost.problem
    assert cem.job_status(tmp_path).failed == [second]


class Dangerous(concurrent.futures.Executor):
    """Loses half of all attempts, whatever they are, and those of deadly maps always."""

    def __init__(self, seed: int, deadly: cem.MapOf):
        self._chances, self._deadly = random.Random(seed), deadly
        self.attempts: list[cem.MapOf] = []

    def submit(self, function, task):  # pyright: ignore[reportIncompatibleMethodOverride]
        future = concurrent.futures.Future()
        self.attempts.append(task.maps[0])
        if task.maps[0] == self._deadly or self._chances.random() < 0.5:
            future.set_exception(LostWorkerError("process 1 ended by -9"))
        else:
            future.set_result(
                ([cem.MapResult(one, ({"outcome": "psnr"},)) for one in task.maps], None)
            )
        return future


def test_where_workers_are_lost_all_the_time_no_task_is_given_up_but_the_deadly(written, tmp_path):
    """Five losses in a row happen to one of 32 tasks by chance alone."""
    job = cem.read_job(written / "job.toml")
    deadly = job.maps[2]
    for seed in range(30):
        executor = Dangerous(seed, deadly)
        results = list(engine.given_out(job, tmp_path, executor, 1, None))
        unmade = [one.asked for one in results if one.problem]
        assert unmade == [one for task in engine.tasks_of(job, tmp_path, 1, None)
                          for one in task.maps if deadly == task.maps[0]]  # fmt: skip
        assert 5 <= executor.attempts.count(deadly) <= 25


def test_an_executor_that_is_broken_is_told(written, tmp_path):
    executor = concurrent.futures.ThreadPoolExecutor(1)
    executor._broken = "gone"
    with pytest.raises(RuntimeError, match=r"takes no more tasks .*the same call continues"):
        cem.run_job(cem.read_job(written / "job.toml"), tmp_path, executor=executor)
