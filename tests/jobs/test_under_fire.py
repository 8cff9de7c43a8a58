"""Many maps on storage that speaks S3, by workers of whom one is killed every few seconds.

Maps, workers and the seconds between two deaths can be told: `CEM_JAX_FIRE=40,2,9`.
"""

import os
import pickle
import random
import threading
from pathlib import Path

import numpy as np
import pytest
import s3_server
from PIL import Image
from small_denoiser import write_small_denoiser

import cem_jax as cem
from cem_jax.jobs.processes import Processes

MAPS, WORKERS, SECONDS = (int(n) for n in os.environ.get("CEM_JAX_FIRE", "200,4,5").split(","))

FILE = """
plan = "fixed:2"
network = [{name = "DnCNN", weights = "small.safetensors", label = "small"}]
scene = [{task = "DN", image = "photos/*.png", rois = [[8, 8, 16, 16]]}]
"""


@pytest.fixture
def written(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    photo = cem.example_image("pagoda")
    for n in range(MAPS):
        y, x = divmod(8 * n, 208)
        part = photo[8 * y : 8 * y + 40, x : x + 40]
        Image.fromarray(part).save(tmp_path / f"photos/{n:03}.png")
    write_small_denoiser(tmp_path / "small.safetensors")
    (tmp_path / "job.toml").write_text(FILE)
    return tmp_path / "job.toml"


def environment(number: int) -> dict[str, str]:
    """As in this process, so that the programs are the same to their last bit."""
    return {"JAX_NUM_CPU_DEVICES": "2"}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_all_maps_are_made_and_once_and_the_status_is_right(written, tmp_path):
    pytest.importorskip("moto")
    job = cem.read_job(written)
    assert len(job.maps) == MAPS
    cem.run_job(job, tmp_path / "quiet", progress=False)
    server, port = s3_server.start(tmp_path)
    over, kills, asked, wrong = threading.Event(), [], [], []
    results: list[cem.MapResult] = []
    executor = Processes(WORKERS, environment)

    def kill() -> None:
        """Kills one of the workers, whenever there was progress since the last time."""
        before = 0
        while not over.wait(SECONDS):
            if len(results) == before:
                continue
            before = len(results)
            victim = random.choice([process for process, _ in list(executor._children)])
            victim.kill()
            kills.append(victim.pid)

    def look() -> None:
        """What is said to be done is done; what is said to run was running a moment ago."""
        known: set[cem.MapOf] = set()
        while not over.wait(0.5):
            before = {process.pid for process, _ in list(executor._children)}
            found = cem.job_status(f"{bucket}/out")
            done = {one.asked for one in found.maps if one.state == "done"}
            if not known <= done:
                wrong.append(f"no longer done: {known - done}")
            for one in done - known:
                cem.EffectMap.load(f"{bucket}/out/{one}/map.npz")
            known = done
            running = [one for one in found.maps if one.state == "running"]
            pids = {int(one.where.rpartition("(")[2].rstrip(")")) for one in running}
            now = {process.pid for process, _ in list(executor._children)}
            if not pids <= before | now:
                wrong.append(f"said to run: {pids}; workers: {before | now}")
            if found.count("failed") or len(running) > WORKERS:
                wrong.append(f"{found.count('failed')} failed, {len(running)} running")
            asked.append(len(done))

    with s3_server.environment(port) as bucket:
        try:
            with executor:
                threads = []
                starting = executor.submit(os.getpid)  # a worker is there before one is killed
                starting.result()

                def begin(one: cem.MapResult) -> None:
                    results.append(one)
                    if len(results) == 1:
                        threads.extend(threading.Thread(target=target) for target in (kill, look))
                        for thread in threads:
                            thread.start()

                cem.run_job(job, f"{bucket}/out", executor=executor, each=begin)
                over.set()
                for thread in threads:
                    thread.join()
            for one in job.maps:
                found = cem.EffectMap.load(f"{bucket}/out/{one}/map.npz")
                quiet = cem.EffectMap.load(tmp_path / "quiet" / str(one) / "map.npz")
                np.testing.assert_array_equal(found.values, quiet.values)
                np.testing.assert_array_equal(found.effect, quiet.effect)
            assert cem.job_status(f"{bucket}/out").count("done") == MAPS
        finally:
            over.set()
            s3_server.stop(server)
    assert not [one.problem for one in results if one.problem]
    assert not wrong, wrong
    assert kills and asked and asked == sorted(asked)
    written_maps: dict[str, int] = {}
    with (tmp_path / "journal").open("rb") as file:
        while True:
            try:
                method, path, _ = pickle.load(file)
            except EOFError:
                break
            if method == "PUT" and path.endswith("/map.npz"):
                written_maps[path] = written_maps.get(path, 0) + 1
    twice = sum(count - 1 for count in written_maps.values())
    print(f"{MAPS} maps, {len(kills)} killed, {twice} made twice, status asked {len(asked)} times")
    assert len(written_maps) == MAPS and twice <= len(kills)
