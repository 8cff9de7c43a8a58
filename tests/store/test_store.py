"""Sweeps that stop go on; maps are saved whole; another configuration is refused."""

import contextlib
import hashlib
import json
import struct
import zlib

import jax
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.store import resume
from cem_jax.store.record import LOG
from cem_jax.store.store import Log, open_store, read_outcomes
from cem_jax.sweep.layout import Layout

ROI = cem.ROI(24, 32, 16, 16)
PLAN = cem.CoarseToFine(2, 6)


def run(local, clean, pool, directory=None, **more):
    options = {"plan": PLAN, "chunk": 4, "progress": False, "pool": pool} | more
    return cem.causal_effect_map(
        local, cem.Scene.denoising(clean), ROI, directory=directory, **options
    )


def test_an_interrupted_sweep_ends_with_the_identical_map(
    tmp_path, clean, pool, local, monkeypatch
):
    whole = run(local, clean, pool)
    monkeypatch.setattr(resume, "_FLUSH_SECONDS", 0.0)
    keep, calls = Log.append, []

    def stop_at_the_fifth(*args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        keep(*args)

    monkeypatch.setattr(Log, "append", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        run(local, clean, pool, tmp_path / "sweep")
    monkeypatch.setattr(Log, "append", keep)
    resumed = run(local, clean, pool, tmp_path / "sweep")
    np.testing.assert_array_equal(resumed.values, whole.values)
    np.testing.assert_array_equal(resumed.effect, whole.effect)
    assert resumed.provenance["evaluations_resumed"] >= 8


@pytest.mark.parametrize(("pause", "batches"), [(0.0, 3), (1e9, 1)])
def test_outcomes_are_kept_every_few_seconds(tmp_path, monkeypatch, pause, batches):
    monkeypatch.setattr(resume, "_FLUSH_SECONDS", pause)
    kept = []
    with open_store(tmp_path, {"seed": 0}) as log:
        monkeypatch.setattr(Log, "append", lambda self, cells, *rest: kept.append(cells.tolist()))
        chunks = ((np.array([k]), np.full((1, 1), float(k))) for k in range(3))
        numbers = np.arange(3)
        assert len(list(resume.keep_outcomes(chunks, log, numbers, numbers))) == 3
    assert len(kept) == batches and [one for part in kept for one in part] == [0, 1, 2]


def test_a_log_tells_how_long_the_work_took(tmp_path, monkeypatch):
    """Chunks of 1.5 seconds: after the second one 2 seconds are over."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock, told = Clock(), []
    monkeypatch.setattr(resume, "time", clock)

    def chunks():
        for k in range(3):
            clock.now += 1.5
            yield np.array([k]), np.full((1, 1), float(k))

    with open_store(tmp_path, {"seed": 0}) as log:
        monkeypatch.setattr(
            Log, "append", lambda self, cells, draws, values, seconds: told.append(seconds)
        )
        list(resume.keep_outcomes(chunks(), log, np.arange(3), np.arange(3)))
    assert told == [3.0, 1.5]


def test_what_earlier_versions_kept_is_read(tmp_path):
    """The bytes of a log: magic, the record's digest, then batches with length, CRC and seconds."""
    folder = tmp_path / "of" / "sweeps"
    with open_store(folder, {"b": 1, "a": 2}, written_by="me"):
        pass
    record = json.dumps({"a": 2, "b": 1, "written_by": "me"}, sort_keys=True).encode()
    batch = struct.pack("<iiff", 1, 2, 0.5, 0.25) + struct.pack("<iiff", 0, 1, 8, 9)
    data = b"CEM log\1" + hashlib.sha256(record).digest()[:16]
    data += struct.pack("<IId", 32, zlib.crc32(struct.pack("<d", 1.5) + batch), 1.5) + batch
    (folder / "outcomes.0.log").write_bytes(data)
    values = np.full((2, 3, 2), np.nan, np.float32)
    assert read_outcomes(folder, values) == 1.5
    assert values[1, 2].tolist() == [0.5, 0.25] and values[0, 1].tolist() == [8, 9]
    assert np.isfinite(values).sum() == 4
    with open_store(folder, {"b": 1, "a": 2}, written_by="you") as log:
        log.append(np.array([0]), np.array([0]), np.array([[3, 4]], np.float32), 0.0)
    assert (folder / "outcomes.0.log").read_bytes()[: len(data)] == data


@pytest.mark.parametrize("kept", [0, 5, 23])
def test_a_log_that_was_cut_off_in_its_title_is_begun_anew(tmp_path, kept):
    with open_store(tmp_path, {"a": 1}):
        pass
    path = tmp_path / LOG.format(0)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with open_store(tmp_path, {"a": 1}):
        pass
    assert path.read_bytes() == whole


def test_a_finished_map_is_returned_as_it_was_saved(tmp_path, clean, pool, local, monkeypatch):
    first = run(local, clean, pool, tmp_path)

    def never(*args, **more):
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr(Layout, "make", never)
    again = run(local, clean, pool, tmp_path)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.provenance == first.provenance


def test_a_damaged_map_is_estimated_again_from_the_outcomes(tmp_path, clean, pool, local):
    first = run(local, clean, pool, tmp_path)
    saved = tmp_path / "map.npz"
    saved.write_bytes(saved.read_bytes()[:-100])
    again = run(local, clean, pool, tmp_path)
    np.testing.assert_array_equal(again.effect, first.effect)
    assert again.provenance["evaluations_resumed"] == first.evaluations


@pytest.mark.parametrize("lost", [1, 7, 30])
def test_a_batch_that_was_cut_off_is_forgotten(tmp_path, lost):
    folder = tmp_path / "s"

    def append(start):
        cells = np.arange(start, start + 5)
        with open_store(folder, {"a": 1}) as log:
            log.append(cells, np.zeros(5, int), cells[:, None].astype(np.float32), 1.5)

    append(0)
    append(5)
    path = folder / LOG.format(0)
    path.write_bytes(path.read_bytes()[:-lost])
    values = np.full((10, 1, 1), np.nan, np.float32)
    assert read_outcomes(folder, values) == 1.5
    np.testing.assert_array_equal(values[:5, 0, 0], np.arange(5))
    assert np.isnan(values[5:]).all()
    append(5)
    assert read_outcomes(folder, values) == 3.0
    np.testing.assert_array_equal(values[:, 0, 0], np.arange(10))


@pytest.mark.parametrize("place", [30, -1])
def test_a_batch_with_a_wrong_byte_is_forgotten(tmp_path, place):
    """A whole batch of which one bit is another: in its head, and in its last outcome."""
    folder, cells = tmp_path / "s", np.arange(5)
    with open_store(folder, {"a": 1}) as log:
        log.append(cells, np.zeros(5, int), cells[:, None].astype(np.float32), 1.5)
    path = folder / LOG.format(0)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    values = np.full((5, 1, 1), np.nan, np.float32)
    assert read_outcomes(folder, values) == 0
    assert np.isnan(values).all()


def test_of_several_processes_the_first_makes_the_record_and_refuses(tmp_path):
    with open_store(tmp_path, {"a": 1}, written_by="me"):
        record = (tmp_path / "sweep.json").read_bytes()
        # The others come while the first is at work, and may not be told apart either.
        with open_store(tmp_path, {"a": 1}, process=1, written_by="you", alone="a closure") as log:
            log.append(np.zeros(1, int), np.zeros(1, int), np.ones((1, 1), np.float32), 7.0)
        assert (tmp_path / "sweep.json").read_bytes() == record
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix == ".log") == [
        LOG.format(0), LOG.format(1)
    ]  # fmt: skip
    values = np.full((1, 1, 1), np.nan, np.float32)
    assert read_outcomes(tmp_path, values) == 0  # seconds are the first process's
    assert values[0, 0, 0] == 1
    with pytest.raises(ValueError, match="cannot be resumed: a closure"):
        open_store(tmp_path, {"a": 1}, alone="a closure")


def test_a_log_is_the_first_processs_by_default(tmp_path):
    with open_store(tmp_path, {"a": 1}):
        pass
    with Log(tmp_path):
        assert [file.name for file in tmp_path.glob("*.log")] == [LOG.format(0)]


def test_two_runs_do_not_write_to_one_directory(tmp_path):
    with open_store(tmp_path, {"a": 1}), pytest.raises(ValueError, match="another run"):
        open_store(tmp_path, {"a": 1})
    with open_store(tmp_path, {"a": 1}):
        pass


def test_another_configuration_is_refused_and_named(tmp_path, clean, pool, local):
    run(local, clean, pool, tmp_path)
    for change, word in (({"seed": 1}, "seed was 0, is 1"), ({"plan": cem.Fixed(2)}, "plan was")):
        with pytest.raises(ValueError, match=word):
            run(local, clean, pool, tmp_path, **change)


def test_a_directory_is_free_again_after_a_sweep_that_kept_nothing(tmp_path, clean, pool, local):
    """Whoever corrects a scale or a range takes the same folder."""
    out_of_range = cem.wrap(lambda x: 255 * x, receptive_radius=0)
    with pytest.raises(ValueError, match="expected float32 in"):
        run(out_of_range, clean, pool, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LOG.format(0)]
    run(local, clean, pool, tmp_path)
    with pytest.raises(ValueError, match="holds another sweep"):
        run(out_of_range, clean, pool, tmp_path)


@pytest.mark.parametrize("process", [0, 1])
def test_a_sweep_that_fails_leaves_the_outcomes_of_all_processes(tmp_path, process):
    one = (np.zeros(1, int), np.zeros(1, int), np.ones((1, 1), np.float32), 1.0)
    with contextlib.suppress(ArithmeticError), open_store(tmp_path, {"a": 1}) as first:
        with open_store(tmp_path, {"a": 1}, process=1) as second:
            (first, second)[process].append(*one)
        raise ArithmeticError
    values = np.full((1, 1, 1), np.nan, np.float32)
    read_outcomes(tmp_path, values)
    assert values == 1 and (tmp_path / "sweep.json").is_file()


def test_a_sweep_of_two_processes_that_fails_at_once_leaves_nothing(tmp_path):
    first = open_store(tmp_path, {"a": 1})
    second = open_store(tmp_path, {"a": 1}, process=1)
    with contextlib.suppress(ArithmeticError), first, second:
        raise ArithmeticError
    assert not any(path.stat().st_size for path in tmp_path.iterdir())
    open_store(tmp_path, {"a": 2}).close()


def test_a_process_that_fails_alone_leaves_the_record_of_the_others(tmp_path):
    with open_store(tmp_path, {"a": 1}):
        second = open_store(tmp_path, {"a": 1}, process=1)
        with contextlib.suppress(ArithmeticError), second:
            raise ArithmeticError
        assert (tmp_path / "sweep.json").is_file()


def test_a_folder_with_other_things_is_refused(tmp_path, clean, pool, local):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="not empty"):
        run(local, clean, pool, tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="directory="):
        run(local, clean, pool, tmp_path / "file")


def test_maps_round_trip(tmp_path, clean, pool, local):
    found = run(local, clean, pool)
    found.save(tmp_path / "map.npz")
    loaded = cem.EffectMap.load(tmp_path / "map.npz")
    for name in ("effect", "standard_error", "samples", "inside_roi", "values", "degraded"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(found, name))
    assert (loaded.roi, loaded.baseline, loaded.counts) == (found.roi, found.baseline, found.counts)
    assert loaded.provenance == found.provenance
    assert loaded.provenance["network"] == "curved"


def test_maps_become_datasets_with_units(clean, pool, local):
    found = run(local, clean, pool)
    data = found.to_xarray()
    assert data["effect"].dims == ("row", "column")
    assert data["effect"].attrs["units"] == "dB"
    assert data["outcome"].shape == found.values.shape


def test_pools_round_trip(tmp_path, pool):
    pool.save(tmp_path / "pool.npz")
    loaded = cem.PatchPool.load(tmp_path / "pool.npz")
    np.testing.assert_array_equal(loaded.patches, pool.patches)
    assert loaded.digest == pool.digest


def test_a_pool_from_photographs_covers_the_range_of_sharpness():
    from cem_jax.pool.pool import sharpness

    images = [cem.example_image(name) for name in cem.example_names()]
    drawn = cem.PatchPool.from_images(images, size=8, count=400)
    assert len(drawn) == 400
    level = np.log1p(sharpness(drawn.patches))
    assert np.percentile(level, 10) < 5 and np.percentile(level, 90) > 7
    again = cem.PatchPool.from_images(images, size=8, count=400)
    assert drawn.digest == again.digest


def test_the_default_pool_is_the_one_described():
    default = cem.PatchPool.default()
    assert (len(default), default.size, default.name) == (10_000, 8, "default")


def test_the_first_of_several_processes_begins_the_directory(tmp_path, monkeypatch):
    """The others wait for it; what it tells them is whether it was begun."""
    told = []
    monkeypatch.setattr(resume, "exchange", lambda value: told.append(value.tolist()) or value)
    log = resume.open_directory(
        tmp_path / "sweep", {"seed": 1}, True, written_by="version", alone=""
    )
    log.close()
    assert told == [[1.0]]
    with pytest.raises(ValueError, match="seed"):
        resume.open_directory(tmp_path / "sweep", {"seed": 2}, True, written_by="", alone="")
    assert told == [[1.0], [0.0]]


def test_another_process_follows_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(resume, "exchange", lambda value: np.ones(1))
    open_store(tmp_path / "sweep", {"seed": 1}).close()
    log = resume.open_directory(tmp_path / "sweep", {"seed": 1}, True, written_by="", alone="")
    log.close()
    assert sorted(path.name for path in (tmp_path / "sweep").glob("*.log"))[-1].endswith(".1.log")
    monkeypatch.setattr(resume, "exchange", lambda value: np.zeros(1))
    with pytest.raises(ValueError, match="the first process was refused"):
        resume.open_directory(tmp_path / "sweep", {"seed": 1}, True, written_by="", alone="")
