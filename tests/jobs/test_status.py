"""A job seen from outside: what is done, running, failed and lost; its time; what it will cost."""

import dataclasses
import json
import os
import platform
import subprocess
import sys
import time

import pytest
from command_line import call

import cem_jax as cem
from cem_jax.effects.progress import State
from cem_jax.jobs import records, status
from cem_jax.jobs.pilot import estimate_job
from cem_jax.jobs.work import LATE
from cem_jax.sweep.sweep import Sweep

ROIS = [cem.ROI(0, 0, 16, 16), cem.ROI(16, 16, 16, 16), cem.ROI(40, 40, 16, 16)]


@pytest.fixture
def job(clean, pool, local) -> cem.Job:
    scene = cem.Scene.denoising(clean)
    maps = [cem.MapOf("net", "noisy", roi) for roi in ROIS]
    return cem.Job({"net": lambda: local}, {"noisy": lambda: scene}, maps, pool, plan=cem.Fixed(2))


def states(out) -> list[str]:
    return [one.state for one in cem.job_status(out).maps]


def test_what_is_done_and_waiting_is_seen_while_a_job_runs(job, tmp_path):
    seen = []
    cem.run_job(job, tmp_path, progress=False, each=lambda one: seen.append(states(tmp_path)))
    assert seen == [["done", *["waiting"] * 2], ["done", "done", "waiting"], ["done"] * 3]
    found = cem.job_status(tmp_path)
    assert (found.workers, found.rate, found.open, found.failed) == (0, 0, False, [])
    assert all(one.where == platform.node() and one.since <= time.time() for one in found.maps)


def test_what_is_running_is_seen_with_its_pace(job, tmp_path):
    cem.run_job(job, tmp_path, only=job.maps[:1], progress=False)
    with records.recorded_work(tmp_path, job.maps[1:2]) as note:
        note(State(1, 30, 40, 1.0, dict))
        note(State(2, 10, 20, 1.0, dict))
        time.sleep(0.05)
        place = records.place_of(tmp_path, "running", job.maps[1])
        before = json.loads(place.read_text())
        assert before["evaluations"] == 0  # as it was at the last sign of life
        found = cem.job_status(tmp_path)
        assert [one.state for one in found.maps] == ["done", "running", "waiting"]
        assert found.maps[1].where == f"{platform.node()} ({os.getpid()})"
        assert found.workers == 1 and found.left > 0
        text = status.as_text(found)
        assert text.startswith("1 of 3 maps done, 1 running, 1 waiting")
        assert "running net/noisy/y16-x16-16x16" in text and " left" in text
    assert states(tmp_path) == ["done", "waiting", "waiting"]


def test_signs_of_life_tell_how_far_a_map_is(job, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_BEAT", 0.01)
    place = records.place_of(tmp_path, "running", job.maps[0])
    with records.recorded_work(tmp_path, job.maps[:1]) as note:
        note(State(1, 40, 40, 1.0, dict))
        note(State(2, 10, 20, 1.0, dict))
        until = time.monotonic() + 30
        while json.loads(place.read_text())["evaluations"] != 50 and time.monotonic() < until:
            time.sleep(0.01)
        found = json.loads(place.read_text())
        assert (found["stage"], found["done"], found["total"]) == (2, 10, 20)
    assert not place.exists()


def test_a_process_that_is_gone_is_seen(job, tmp_path):
    records.record_job(tmp_path, job)
    place = records.place_of(tmp_path, "running", job.maps[0])
    place.parent.mkdir(parents=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    record = {"on": platform.node(), "process": gone.pid, "since": time.time(),
              "seen": time.time(), "stage": 0, "done": 0, "total": 0, "evaluations": 0}  # fmt: skip
    place.write_text(json.dumps(record))
    assert states(tmp_path) == ["lost", "waiting", "waiting"]
    for seen, expected in ((time.time(), "running"), (time.time() - 31, "lost")):
        place.write_text(json.dumps(record | {"on": "another machine", "seen": seen}))
        assert states(tmp_path)[0] == expected
    place.write_text("{")  # which somebody is just writing
    assert states(tmp_path)[0] == "waiting"


def test_what_failed_is_told_and_made_alone_again(job, tmp_path, local):
    bad = {**job.networks, "bad": lambda: 1 // 0}
    maps = [cem.MapOf("bad", "noisy", ROIS[0]), *job.maps]
    job = dataclasses.replace(job, networks=bad, maps=maps)
    cem.run_job(job, tmp_path, progress=False)
    found = cem.job_status(tmp_path)
    assert found.failed == maps[:1] and "ZeroDivisionError" in found.maps[0].problem
    assert "failed  bad/noisy/y0-x0-16x16" in status.as_text(found)
    mended = dataclasses.replace(job, networks={**bad, "bad": lambda: local})
    results = cem.run_job(mended, tmp_path, only=found.failed, progress=False)
    assert [(one.asked, one.problem) for one in results] == [(maps[0], "")]
    assert states(tmp_path) == ["done"] * 4
    index = json.loads((tmp_path / "maps.json").read_text())
    assert [row["directory"] for row in index] == [str(one) for one in (*maps[:1], *maps[1:])]
    assert cem.run_job(mended, tmp_path, only=[], progress=False) == []
    with pytest.raises(ValueError, match="only="):
        cem.run_job(mended, tmp_path, only=[cem.MapOf("x", "y", ROIS[0])], progress=False)


def test_a_job_ends_when_its_time_is_up_and_goes_on_later(job, tmp_path, monkeypatch):
    evaluate = Sweep.evaluate

    def slow(sweep, asked):
        for found in evaluate(sweep, asked):
            yield found
            time.sleep(0.6)

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "evaluate", slow)
        results = cem.run_job(job, tmp_path, seconds=0.5, progress=False)
    assert [one.late for one in results] == [True] * 3
    assert {one.problem for one in results} == {LATE}
    found = cem.job_status(tmp_path)
    assert found.open and not found.failed
    kept = cem.run_job(job, tmp_path, progress=False)
    assert [one.problem for one in kept] == [""] * 3
    first = cem.EffectMap.load(tmp_path / str(job.maps[0]) / "map.npz")
    assert first.provenance["evaluations_resumed"] > 0


def test_a_folder_without_a_job_is_told(tmp_path):
    with pytest.raises(ValueError, match="no job was begun in this folder"):
        cem.job_status(tmp_path)


def test_the_cost_of_a_job_is_told_from_a_few_calls(job, tmp_path):
    job = dataclasses.replace(job, plan=cem.CoarseToFine(2, 6))
    bad = dataclasses.replace(
        job, networks={**job.networks, "bad": lambda: 1 // 0},
        maps=[*job.maps, cem.MapOf("bad", "noisy", ROIS[0])],
    )  # fmt: skip
    found, failed = estimate_job(bad)
    results = cem.run_job(job, tmp_path, progress=False)
    made = sum(int(one.rows[0]["evaluations"]) for one in results)
    least, most = found.evaluations
    assert found.maps == 3 and least <= made <= most == 4 * least
    assert 0 < found.seconds[0] < found.seconds[1] and found.evaluations_per_second > 0
    used = sum(path.stat().st_size for path in tmp_path.rglob("*.*") if ".job" not in path.parts)
    assert used < found.disk and found.memory > 2**20
    assert "ZeroDivisionError" in failed.problem


FILE = """
plan = "fixed:2"
network = [{module = "own.py:darker", tasks = ["DN"], arguments = {receptive_radius = 0}}]
scene = [{task = "DN", image = "photos/*.png", rois = [[0, 0, 16, 16]]}]
"""


@pytest.fixture
def written(tmp_path):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for name in ("cabin", "pagoda"):
        Image.fromarray(cem.example_image(name)[:32, :32]).save(tmp_path / f"photos/{name}.png")
    (tmp_path / "own.py").write_text("def darker():\n    return lambda x: 0.9 * x\n")
    (tmp_path / "job.toml").write_text(FILE)
    return tmp_path


def test_a_photograph_that_cannot_be_read_is_named_and_left_out_on_request(written):
    (written / "photos" / "bad.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"bad\.png"):
        cem.read_job(written / "job.toml")
    told = []
    job = cem.read_job(written / "job.toml", skipped=told.append)
    assert [one.scene for one in job.maps] == ["cabin", "pagoda"]
    assert len(told) == 1 and "bad.png is left out" in told[0]
    (written / "job.toml").write_text(FILE.replace('["DN"]', '["SR"]'))  # no fault of a photograph
    with pytest.raises(ValueError, match="no network of the file does DN"):
        cem.read_job(written / "job.toml", skipped=told.append)


def test_the_commands_of_a_job(written):
    def run(*words, expect=0):
        done = call(*map(str, words), cwd=written)
        assert done.returncode == expect, done.stderr
        return done.stdout + done.stderr

    assert "2 maps: " in run("sweep", "job.toml", "--dry-run")
    assert not (written / "job").exists()
    (written / "photos" / "bad.png").write_text("no picture")
    assert "bad.png is left out" in run("sweep", "job.toml", "--skip-bad", "--out", "out")
    assert (written / "out" / "table.csv").is_file() and (written / "out/report.html").is_file()
    assert run("status", "out").startswith("2 of 2 maps done")
    assert json.loads(run("status", "out", "--json"))[0]["done"] == 2
    assert "2 of 2 maps done" in run("status", "out", "--watch")
    assert "0 maps in" in run("sweep", "job.toml", "--skip-bad", "--out", "out", "--retry")
    for words, message in (
        (("sweep", "job.toml", "--for", "soon"), "--for 'soon': expected a time such as 3h50m"),
        (("sweep", "job.toml", "--on", "ray"), "--on 'ray': expected processes:4"),
        (("status", "photos"), "no job was begun"),
    ):
        assert message in run(*words, expect=2)
