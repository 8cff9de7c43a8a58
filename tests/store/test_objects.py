"""Object stores: places like paths, a server that fails and dies, two writers, jobs."""

import json
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import s3_server
from command_line import call
from PIL import Image
from small_denoiser import write_small_denoiser

import cem_jax as cem
from cem_jax.store import claims, objects, resume
from cem_jax.store.claims import Leases
from cem_jax.store.objects import ObjectPath, as_place, joined, local_copy
from cem_jax.store.store import ObjectLog, open_store, read_outcomes

ROI = cem.ROI(24, 32, 16, 16)


def test_a_place_has_what_a_path_has():
    place = as_place("s3://bucket/folder/file.tar.gz")
    assert isinstance(place, ObjectPath)
    assert (place.name, place.stem, place.suffix) == ("file.tar.gz", "file.tar", ".gz")
    assert str(place.parent / "a" / "b") == "s3://bucket/folder/a/b"
    assert str(place.with_name("x")) == "s3://bucket/folder/x"
    assert place.parent.parent == ObjectPath("s3://bucket/") == place.parent.parent.parent
    assert as_place(Path("s3://bucket/x")) == ObjectPath("s3://bucket/x")  # one stroke is lost
    assert pickle.loads(pickle.dumps(place)) == place and len({place, as_place(place)}) == 1
    assert isinstance(as_place("a/b"), Path) and isinstance(as_place("./s3:/b"), Path)
    assert joined(place.parent, "x/y") == ObjectPath("s3://bucket/folder/x/y")
    assert joined(Path("a"), "gs://bucket/x") == ObjectPath("gs://bucket/x")
    assert joined(place, "/x") == Path("/x")


@pytest.mark.parametrize("text", ["s3://", "s3:///", "http://x/y", "azure://b/x", "s3://b/../c"])
def test_other_places_are_refused(text):
    with pytest.raises(ValueError, match="path="):
        as_place(text)


def test_an_empty_generation_asks_for_nothing_and_is_refused():
    with pytest.raises(ValueError, match="generation"):
        ObjectPath("s3://bucket/x").write_if(b"", b"")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a bucket on a server that does what it should."""
    pytest.importorskip("moto")
    folder = tmp_path_factory.mktemp("server")
    process, port = s3_server.start(folder)
    with s3_server.environment(port) as bucket:
        yield bucket
    s3_server.stop(process)


@pytest.fixture
def bucket(server, request) -> ObjectPath:
    """A place of this test's own."""
    return ObjectPath(f"{server}/{request.node.name.replace('[', '-').rstrip(']')}")


def test_objects_are_written_read_and_listed(bucket):
    place = bucket / "a b" / "ü+%.txt"
    assert not place.exists() and not bucket.exists()
    with pytest.raises(FileNotFoundError):
        place.read_bytes()
    with pytest.raises(FileNotFoundError):
        place.unlink()
    place.unlink(missing_ok=True)
    place.write_bytes(b"hello")
    (bucket / "a b" / "deep" / "x.txt").write_bytes(b"")
    (bucket / "a bc").write_bytes(b"not below")
    assert place.read_bytes() == b"hello" and place.open("rb").read(2) == b"he"
    assert place.is_file() and not place.is_dir() and (bucket / "a b").is_dir()
    assert not (bucket / "a b").is_file() and not (bucket / "a").exists()
    assert {one.name for one in (bucket / "a b").iterdir()} == {"ü+%.txt", "deep"}
    assert [one.name for one in (bucket / "a b").glob("*.txt")] == ["ü+%.txt"]
    assert list(bucket.rglob("x.txt")) == [bucket / "a b" / "deep" / "x.txt"]
    assert local_copy(place).read_bytes() == b"hello"
    assert objects.read_all([place, bucket / "none"]) == [b"hello", None]
    place.unlink()
    assert not place.exists()


def test_of_two_conditional_writes_one_is_done(bucket):
    place = bucket / "claim"
    nothing = place.found()
    assert nothing.data is None
    assert place.write_if(b"first", nothing.generation)
    assert not place.write_if(b"second", nothing.generation)
    first = place.found()
    assert first.data == b"first" and place.write_if(b"third", first.generation)
    assert not place.write_if(None, first.generation)
    assert place.write_if(None, place.found().generation) and not place.exists()


def test_a_claim_keeps_others_off_until_it_is_given_up_or_expires(bucket, monkeypatch):
    one, other = Leases(bucket), Leases(bucket)
    with one.locked("a/b") as mine:
        assert mine
        with other.locked("a/b") as theirs:
            assert not theirs
        with other.locked("c") as theirs:
            assert theirs
    with other.locked("a/b") as theirs:
        assert theirs
    gone = Leases(bucket)._folder / "d"
    gone.write_bytes(b"of a process that was killed")
    monkeypatch.setattr(claims, "_EXPIRED", 0.2)
    with one.locked("d") as mine:
        assert not mine
    time.sleep(0.3)
    with one.locked("d") as mine:
        assert mine
        gone.write_bytes(b"taken over by another one")
    assert gone.read_bytes() == b"taken over by another one"


def test_a_claim_is_renewed_while_it_is_held(bucket, monkeypatch):
    monkeypatch.setattr(claims, "_RENEWED", 0.05)
    one = Leases(bucket)
    with one.locked("a"):
        place, seen = one._folder / "a", set()
        until = time.monotonic() + 20
        while len(seen) < 3 and time.monotonic() < until:
            seen.add(place.found().generation)
            time.sleep(0.02)
        assert len(seen) >= 3
    assert not place.exists()


# Sweeps


def run(local, clean, pool, directory=None, **more) -> cem.EffectMap:
    options = {"plan": cem.CoarseToFine(2, 6), "chunk": 4, "progress": False, "pool": pool} | more
    return cem.causal_effect_map(
        local, cem.Scene.denoising(clean), ROI, directory=directory, **options
    )


def same(found: cem.EffectMap, whole: cem.EffectMap) -> None:
    for name in ("values", "effect", "standard_error", "samples"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_an_interrupted_sweep_ends_with_the_identical_map(bucket, clean, pool, local, monkeypatch):
    whole = run(local, clean, pool)
    monkeypatch.setattr(resume, "_FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(ObjectLog, "pause", 0.0)
    keep, calls = ObjectLog.append, []

    def stop_at_the_fifth(*args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        keep(*args)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectLog, "append", stop_at_the_fifth)
        with pytest.raises(KeyboardInterrupt):
            run(local, clean, pool, str(bucket))
    names = sorted(one.name for one in bucket.iterdir())
    assert len([name for name in names if name.endswith(".log")]) >= 4
    resumed = run(local, clean, pool, str(bucket))
    same(resumed, whole)
    assert resumed.provenance["evaluations_resumed"] >= 8
    again = run(local, clean, pool, str(bucket))
    assert again.provenance == resumed.provenance  # as it was saved
    same(cem.EffectMap.load(str(bucket / "map.npz")), whole)
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        run(local, clean, pool, str(bucket), seed=1)


def test_a_place_with_other_things_is_refused(bucket, clean, pool, local):
    (bucket / "thesis.tex").write_bytes(b"precious")
    with pytest.raises(ValueError, match="is not empty and holds no sweep"):
        run(local, clean, pool, str(bucket))


def test_two_writers_of_one_sweep_lose_nothing(bucket):
    logs = [open_store(bucket, {"a": 1}) for _ in range(2)]
    for n in range(3):
        for k, log in enumerate(logs):
            cell = np.array([2 * n + k])
            log.append(cell, np.zeros(1, int), cell[:, None].astype(np.float32), 1.0)
    values = np.full((6, 1, 1), np.nan, np.float32)
    assert read_outcomes(bucket, values) == 6.0
    np.testing.assert_array_equal(values[:, 0, 0], np.arange(6))


def test_outcomes_of_another_sweep_are_refused(bucket):
    log = open_store(bucket / "a", {"a": 1})
    log.append(np.array([0]), np.array([0]), np.zeros((1, 1), np.float32), 1.0)
    open_store(bucket / "b", {"a": 2})
    (theirs,) = (bucket / "a").glob("*.log")
    (bucket / "b" / theirs.name).write_bytes(theirs.read_bytes())
    with pytest.raises(ValueError, match="is of another sweep"):
        read_outcomes(bucket / "b", np.zeros((1, 1, 1), np.float32))


@pytest.fixture
def patient(monkeypatch):
    """Requests are made again soon, and not for long."""
    retries = {"max_retries": 12, "initial_delay": "50ms", "max_delay": "1s"}
    monkeypatch.setattr(objects, "_RETRIES", retries)
    monkeypatch.setattr(ObjectLog, "pause", 0.0)
    monkeypatch.setattr(resume, "_FLUSH_SECONDS", 0.0)
    objects._bucket.cache_clear()
    yield
    objects._bucket.cache_clear()


def test_requests_that_fail_are_made_again(tmp_path, clean, pool, local, patient):
    pytest.importorskip("moto")
    process, port = s3_server.start(tmp_path, fail_every=3)
    try:
        with s3_server.environment(port) as bucket:
            found = run(local, clean, pool, f"{bucket}/sweep")
            same(cem.EffectMap.load(f"{bucket}/sweep/map.npz"), found)
        same(found, run(local, clean, pool))
    finally:
        s3_server.stop(process)


def test_a_server_that_is_killed_and_comes_back_is_waited_for(
    tmp_path, clean, pool, local, patient, monkeypatch
):
    pytest.importorskip("moto")
    process, port = s3_server.start(tmp_path)
    append, calls = ObjectLog.append, []

    def killing(*args):
        nonlocal process
        calls.append(1)
        if len(calls) in (2, 6):
            s3_server.stop(process)

            def again():
                nonlocal process
                time.sleep(0.5)
                process, _ = s3_server.start(tmp_path, port)

            threading.Thread(target=again).start()
        append(*args)

    monkeypatch.setattr(ObjectLog, "append", killing)
    try:
        with s3_server.environment(port) as bucket:
            found = run(local, clean, pool, f"{bucket}/sweep")
            assert len(calls) > 6
            same(cem.EffectMap.load(f"{bucket}/sweep/map.npz"), found)
        same(found, run(local, clean, pool))
    finally:
        s3_server.stop(process)


def test_a_server_that_stays_away_is_told_and_what_it_has_is_kept(
    tmp_path, clean, pool, local, patient, monkeypatch
):
    pytest.importorskip("moto")
    monkeypatch.setattr(objects, "_RETRIES", objects._RETRIES | {"max_retries": 2})
    process, port = s3_server.start(tmp_path)
    append, calls = ObjectLog.append, []

    def killing(*args):
        calls.append(1)
        if len(calls) == 4:
            s3_server.stop(process)
        append(*args)

    with s3_server.environment(port) as bucket:
        with monkeypatch.context() as patch:
            patch.setattr(ObjectLog, "append", killing)
            with pytest.raises(OSError, match=r"does not answer.*; all outcomes up to here"):
                run(local, clean, pool, f"{bucket}/sweep")
            with pytest.raises(ValueError, match="directory="):
                run(local, clean, pool, f"{bucket}/sweep")
        process, _ = s3_server.start(tmp_path, port)
        try:
            found = run(local, clean, pool, f"{bucket}/sweep")
            assert found.provenance["evaluations_resumed"] >= 3
        finally:
            s3_server.stop(process)
    same(found, run(local, clean, pool))


# Jobs


def sweep(*words: object, **more) -> subprocess.Popen:
    command = [sys.executable, "-m", "cem_jax.cli", "sweep", *map(str, words)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **more)


FILE = """
plan = "fixed:2"
pool = "pool.npz"
network = [{name = "DnCNN", weights = "small.safetensors", label = "small"}]
scene = [{task = "DN", image = "photos/*.png", rois = [[8, 8, 16, 16]]}]
"""


def test_a_map_and_its_report_lie_in_a_store(bucket, tmp_path):
    Image.fromarray(cem.example_image("cabin")[:40, :40]).save(tmp_path / "photo.png")
    write_small_denoiser(tmp_path / "small.safetensors")
    for name in ("photo.png", "small.safetensors"):
        (bucket / name).write_bytes((tmp_path / name).read_bytes())
    for words in (
        ("map", "--model", "DnCNN", "--weights", bucket / "small.safetensors", "--task", "DN",
         "--image", bucket / "photo.png", "--roi", "8,8,16,16", "--plan", "fixed:1",
         "--out", bucket / "map"),
        ("report", bucket / "map", "--out", bucket / "report.html"),
        ("export", bucket / "map" / "map.npz", "--format", "csv", "--out", bucket / "map.csv"),
    ):  # fmt: skip
        done = call(*map(str, words))
        assert done.returncode == 0, done.stderr
        assert "AuthCredentials" not in done.stderr  # the store's library has nothing to say
    names = {one.name for one in (bucket / "map").iterdir()}
    assert {"map.npz", "map.png", "sweep.json"} < names
    assert b"<html" in (bucket / "report.html").read_bytes()
    assert (bucket / "map.csv").read_text().startswith("row,column")


def test_a_job_lies_in_a_store_with_all_its_files(bucket, tmp_path):
    """Two commands at once make a job whose file, photographs, weights and pool are objects."""
    (tmp_path / "photos").mkdir()
    for name in ("cabin", "pagoda", "facade"):
        Image.fromarray(cem.example_image(name)[:40, :40]).save(tmp_path / f"photos/{name}.png")
    write_small_denoiser(tmp_path / "small.safetensors")
    cem.PatchPool(cem.PatchPool.default().patches[:9], "nine").save(tmp_path / "pool.npz")
    (tmp_path / "job.toml").write_text(FILE)
    for path in tmp_path.rglob("*.*"):
        (bucket / path.relative_to(tmp_path).as_posix()).write_bytes(path.read_bytes())
    both = [sweep(bucket / "job.toml", "--out", bucket / "out") for _ in range(2)]
    said = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    made = [line for out, _ in said for line in out.splitlines() if line.endswith(" s")]
    assert len(made) == 3, said  # each map by one of them
    job = cem.read_job(tmp_path / "job.toml")
    cem.run_job(job, tmp_path / "quiet", progress=False)
    for one in job.maps:
        found = cem.EffectMap.load(str(bucket / "out" / str(one) / "map.npz"))
        quiet = cem.EffectMap.load(tmp_path / "quiet" / str(one) / "map.npz")
        np.testing.assert_allclose(found.values, quiet.values, rtol=0, atol=1e-5)
    status = cem.job_status(str(bucket / "out"))
    assert (status.count("done"), status.open) == (3, False)
    names = {one.name for one in (bucket / "out").iterdir()}
    assert names == {".job", "small", "maps.json", "table.csv", "report.html"}
    assert not (bucket / "out" / ".job" / "locks").exists()  # every claim is given up
    rows = cem.job_table(str(bucket / "out"))
    assert [row["scene"] for row in rows] == ["cabin", "facade", "pagoda"]
    assert json.loads((bucket / "out" / "maps.json").read_text())[0]["network"] == "small"
