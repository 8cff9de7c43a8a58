"""Sweeps that are killed, cut off in the middle of a write, or out of disk lose nothing.

As a script this file sweeps into a folder until somebody kills it: see `start`.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import conftest
import jax
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.store import resume
from cem_jax.store.atomic import write_atomically
from cem_jax.store.record import CONFIGURATION, LOG
from cem_jax.store.store import Log, open_store, read_outcomes
from cem_jax.sweep.layout import Layout

ROI = cem.ROI(24, 32, 16, 16)


def sweep(directory: Path | None, draws: int) -> cem.EffectMap:
    """A map of many interventions, each chunk of which is kept on its own."""
    resume._FLUSH_SECONDS = 0.0
    pool = cem.PatchPool(cem.PatchPool.default().patches[::50], "every 50th")
    scene = cem.Scene.denoising(cem.example_image("facade")[:64, :72])
    return cem.causal_effect_map(
        cem.wrap(conftest.curved), scene, ROI, pool=pool, plan=cem.CoarseToFine(10, draws),
        directory=directory, progress=False,
    )  # fmt: skip


def start(directory: Path, draws: int) -> subprocess.Popen:
    command = [sys.executable, __file__, str(directory), str(draws)]
    return subprocess.Popen(command, stderr=-1, text=True)


def kill(process: subprocess.Popen) -> bool:
    """Ends a process at once; whether it was still at work."""
    process.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), errors[-2000:]
    return process.returncode != 0


def same(found: cem.EffectMap, whole: cem.EffectMap) -> None:
    for name in ("values", "effect", "standard_error", "samples"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


@pytest.fixture(autouse=True)
def every_chunk_is_kept(monkeypatch):
    monkeypatch.setattr(resume, "_FLUSH_SECONDS", 0.0)


def test_a_sweep_killed_in_its_work_ends_with_the_identical_map(tmp_path):
    draws, directory = 600, tmp_path / "sweep"
    log, kept = directory / LOG.format(0), 0
    for _ in range(3):
        process = start(directory, draws)
        while process.poll() is None and not (log.exists() and log.stat().st_size > kept):
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.1))
        assert kill(process), "it ended before it was killed: more draws are needed"
        kept = log.stat().st_size
    assert not (directory / "map.npz").exists()
    found = sweep(directory, draws)
    assert 0 < found.provenance["evaluations_resumed"] < found.evaluations
    same(found, sweep(None, draws))


@pytest.mark.long
def test_a_sweep_killed_at_any_moment_ends_with_the_identical_map(tmp_path):
    """20 kills anywhere between the start of the process and its end."""
    draws, kills = 300, 0
    begun = time.monotonic()
    process = start(tmp_path / "first", draws)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors[-2000:]
    length = time.monotonic() - begun
    whole = cem.EffectMap.load(tmp_path / "first" / "map.npz")
    directory = tmp_path / "0"
    while kills < 20:
        process = start(directory, draws)
        time.sleep(random.uniform(0, 1.1 * length))
        if kill(process):
            kills += 1
            continue
        same(cem.EffectMap.load(directory / "map.npz"), whole)
        directory = tmp_path / str(kills)
    same(sweep(directory, draws), whole)


def batches(folder: Path, count: int) -> list[int]:
    """A log of batches of different lengths, and where each ends."""
    ends = []
    for n in range(count):
        cells = np.arange(3) + 10 * n
        with open_store(folder, {}) as log:
            log.append(cells, np.zeros(3, int), cells[:, None].astype(np.float32), 1.0)
        ends.append((folder / LOG.format(0)).stat().st_size)
    return ends


def read(folder: Path) -> tuple[list[int], float]:
    """The cells whose outcomes are kept, which must be right, and the seconds."""
    values = np.full((40, 1, 1), np.nan, np.float32)
    seconds = read_outcomes(folder, values)
    cells = np.flatnonzero(np.isfinite(values[:, 0, 0]))
    np.testing.assert_array_equal(values[cells, 0, 0], cells)
    return cells.tolist(), seconds


FIRST, SECOND, THIRD = [0, 1, 2], [10, 11, 12], [20, 21, 22]


def test_a_write_cut_off_at_any_byte_is_as_if_it_had_not_begun(tmp_path):
    folder = tmp_path / "s"
    _, second, third = batches(folder, 3)
    path = folder / LOG.format(0)
    whole = path.read_bytes()
    for end in range(second, third + 1):
        path.write_bytes(whole[:end])
        expected = FIRST + SECOND + (THIRD if end == third else [])
        assert read(folder) == (expected, len(expected) / 3)
        with open_store(folder, {}) as log:
            log.append(np.array([30]), np.array([0]), np.array([[30]], np.float32), 1.0)
        assert read(folder) == ([*expected, 30], len(expected) / 3 + 1)


def test_no_damaged_byte_of_a_batch_is_taken_for_an_outcome(tmp_path):
    folder = tmp_path / "s"
    _, second, third = batches(folder, 3)
    path = folder / LOG.format(0)
    whole = path.read_bytes()
    for place in range(second, third):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        assert read(folder) == (FIRST + SECOND, 2.0)
    path.write_bytes(whole + bytes(100))  # as a crash of the machine may leave it
    assert read(folder) == (FIRST + SECOND + THIRD, 3.0)
    with open_store(folder, {}):
        assert path.read_bytes() == whole


def test_a_draft_that_was_left_behind_does_not_spoil_the_folder(tmp_path):
    (tmp_path / f".{CONFIGURATION}.1a2b3c4d").write_text("{")
    with open_store(tmp_path, {"a": 1}) as log:
        assert log.folder == tmp_path
    (tmp_path / "target").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "target", b"x")
    names = {".sweep.json.1a2b3c4d", CONFIGURATION, LOG.format(0), "target"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_folder_in_use_or_unwritable_is_refused_before_any_work(tmp_path, monkeypatch):
    directory = tmp_path / "sweep"

    def stop(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Layout, "make", stop)
        patch.setattr(Log, "_forget", lambda log: None)  # as where the process is killed
        with pytest.raises(KeyboardInterrupt):
            sweep(directory, 3)

    def never(*args, **more):
        raise AssertionError("no work is started")

    monkeypatch.setattr(Layout, "make", never)
    with Log(directory), pytest.raises(ValueError, match="another run"):
        sweep(directory, 3)
    (directory / LOG.format(0)).unlink()
    (directory / LOG.format(0)).mkdir()
    with pytest.raises(ValueError, match="cannot be written"):
        sweep(directory, 3)
    for place in ("/proc/sweep", "/dev/null/sweep"):
        with pytest.raises(ValueError, match="directory="):
            sweep(Path(place), 3)


DISK = """
import resource, sys
from cem_jax.cli.main import main
from cem_jax.store import resume

resume._FLUSH_SECONDS = 0.0
for limit in (100, 3000, 9000, resource.RLIM_INFINITY):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        main()
    except SystemExit as status:
        print(f"STATUS {status.code or 0}", file=sys.stderr, flush=True)
"""


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path):
    """The system refuses to write more than so many bytes into one file; then there is room."""
    from PIL import Image
    from small_denoiser import write_small_denoiser

    Image.fromarray(cem.example_image("pagoda")[:64, :72]).save(tmp_path / "photo.png")
    write_small_denoiser(tmp_path / "small.safetensors")
    command = [sys.executable, "-c", DISK, "--no-cache", "map", "--model", "DnCNN", "--task", "DN",
               "--weights", "small.safetensors", "--image", "photo.png", "--roi", "16,24,16,16",
               "--plan", "fixed:40", "--out", "out"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[1::2][:3] == ["STATUS 2"] * 3 and lines[-1] == "STATUS 0", lines
    assert "cannot be used: [Errno 27] File too large" in lines[0]
    assert "File too large; all outcomes up to here are kept" in lines[2]
    assert "map.npz" in lines[4] and "cannot be written" in lines[4]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {CONFIGURATION, LOG.format(0), "map.npz", "map.png"}
    found = cem.EffectMap.load(tmp_path / "out" / "map.npz")
    assert found.provenance["evaluations_resumed"] == found.evaluations
    network = cem.load("DnCNN", tmp_path / "small.safetensors")
    scene = cem.Scene.denoising(cem.example_image("pagoda")[:64, :72])
    whole = cem.causal_effect_map(
        network, scene, cem.ROI(16, 24, 16, 16), plan=cem.Fixed(40), progress=False
    )
    np.testing.assert_allclose(found.values, whole.values, rtol=0, atol=1e-5)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    sweep(Path(sys.argv[1]), int(sys.argv[2]))
