"""A directory answers only for what was asked: other code, other numbers, other maps are refused.

As a script this file makes one map when it is told to: see `start`.
"""

import subprocess
import sys
import time
from pathlib import Path

import conftest
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, curved

import cem_jax as cem
from cem_jax.cone.digest import digest_apply
from cem_jax.network.host import OnHost
from cem_jax.store import lock as locks
from cem_jax.store.record import CONFIGURATION, LOG
from cem_jax.store.store import Log, open_store

ROI = cem.ROI(24, 32, 16, 16)
PLAN = cem.Fixed(2)


def run(network, clean, directory, do=None, **more):
    scene = cem.Scene.custom(clean, clean, do or conftest.unchanged)
    options = {"plan": PLAN, "progress": False, "directory": directory} | more
    return cem.causal_effect_map(network, scene, ROI, **options)


def scaled(factor):
    """A network that holds its factor in a closure."""
    return cem.wrap(lambda x: factor * curved(x), name="scaled")


def with_table(table):
    return cem.wrap(lambda x: curved(x) * table[None, None, None], name="table")


def test_a_network_of_another_function_is_refused(tmp_path, clean):
    first = cem.wrap(lambda x: blur(x), name="blur")
    run(first, clean, tmp_path)
    with pytest.raises(ValueError, match=r"another sweep: function was '\w+', is '\w+'"):
        run(cem.wrap(lambda x: 0.5 * blur(blur(x)), name="blur"), clean, tmp_path)


@pytest.mark.parametrize(
    ("make", "first", "second"),
    [
        (scaled, 1.0, 0.9),
        (with_table, np.ones(3, np.float32), np.array([1, 1, 0.9], np.float32)),
    ],
    ids=["number", "array"],
)
def test_what_a_function_closes_over_is_part_of_it(tmp_path, clean, make, first, second):
    found = run(make(first), clean, tmp_path)
    again = run(make(first), clean, tmp_path)  # another lambda, the same computation
    np.testing.assert_array_equal(again.values, found.values)
    with pytest.raises(ValueError, match="function was"):
        run(make(second), clean, tmp_path)


def test_other_parameters_or_pixels_are_refused(tmp_path, clean):
    def network(factor):
        params = {"factor": np.float32(factor)}
        return cem.wrap(lambda params, x: params["factor"] * curved(x), params=params, name="net")

    run(network(1.0), clean, tmp_path)
    with pytest.raises(ValueError, match=r"another sweep: parameters was '\w+', is '\w+' \("):
        run(network(0.5), clean, tmp_path)
    other = clean.copy()
    other[3, 4, 1] ^= 1
    with pytest.raises(ValueError, match=r"another sweep: images was '\w+', is '\w+'"):
        run(network(1.0), other, tmp_path)
    scene = cem.Scene.custom(other, clean, conftest.unchanged)  # one pixel of the true image alone
    with pytest.raises(ValueError, match=r"another sweep: images was '\w+', is '\w+'"):
        cem.causal_effect_map(
            network(1.0), scene, ROI, plan=PLAN, progress=False, directory=tmp_path
        )


def test_another_do_or_outcome_of_the_same_name_is_refused(tmp_path, clean, local):
    def inverted(patch, y, x, key):
        return 1 - patch

    run(local, clean, tmp_path / "do")
    with pytest.raises(ValueError, match="do was"):
        run(local, clean, tmp_path / "do", do=inverted)
    run(local, clean, tmp_path / "score", outcome=lambda a, b: -jnp.mean(jnp.abs(a - b)))
    with pytest.raises(ValueError, match="scores was"):
        run(local, clean, tmp_path / "score", outcome=lambda a, b: -jnp.mean(jnp.square(a - b)))


def test_a_half_finished_sweep_never_gets_outcomes_of_another_network(tmp_path, clean, monkeypatch):
    monkeypatch.setattr("cem_jax.store.resume._FLUSH_SECONDS", 0.0)
    keep, kept = Log.append, []

    def stop_at_the_third(*args):
        kept.append(1)
        if len(kept) == 3:
            raise KeyboardInterrupt
        keep(*args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Log, "append", stop_at_the_third)
        run(scaled(1.0), clean, tmp_path)
    with pytest.raises(ValueError, match="another sweep"):
        run(scaled(0.5), clean, tmp_path)
    resumed = run(scaled(1.0), clean, tmp_path)
    assert resumed.provenance["evaluations_resumed"] > 0
    np.testing.assert_array_equal(resumed.values, run(scaled(1.0), clean, None).values)


class Host:
    """A function on the host with a number inside."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return np.float32(self.factor) * np.asarray(x)


class Told(Host):
    """One that says what it is."""

    def __cem_digest__(self):
        return f"times {self.factor}"


def on_host(function):
    called = OnHost(function, "host")
    return cem.wrap(lambda x: called(curved(x)), name="host", receptive_radius=2)


def test_code_on_the_host_that_does_not_say_what_it_is_is_never_resumed(tmp_path, clean):
    run(on_host(Host(1.0)), clean, tmp_path)
    with pytest.raises(ValueError, match=r"cannot be resumed: network=host: it calls Host on the"):
        run(on_host(Host(1.0)), clean, tmp_path)


def test_code_on_the_host_that_says_what_it_is_is_told_apart(tmp_path, clean):
    first = run(on_host(Told(1.0)), clean, tmp_path)
    np.testing.assert_array_equal(run(on_host(Told(1.0)), clean, tmp_path).values, first.values)
    with pytest.raises(ValueError, match="function was"):
        run(on_host(Told(0.5)), clean, tmp_path)


def test_a_map_of_another_sweep_is_refused_and_named(tmp_path, clean, local):
    run(local, clean, tmp_path / "a")
    run(local, clean, tmp_path / "b", seed=1)
    (tmp_path / "a" / "map.npz").write_bytes((tmp_path / "b" / "map.npz").read_bytes())
    with pytest.raises(ValueError, match=r"map\.npz is of another sweep: seed was 1, is 0"):
        run(local, clean, tmp_path / "a")


def test_a_map_saved_without_its_fingerprints_is_no_answer(tmp_path, clean, local):
    run(local, clean, tmp_path / "a")
    run(scaled(0.5), clean, None).save(tmp_path / "a" / "map.npz")
    with pytest.raises(ValueError, match=r"map\.npz is of another sweep"):
        run(local, clean, tmp_path / "a")


def test_a_log_of_another_sweep_is_refused(tmp_path, clean, local):
    for name, seed in (("a", 0), ("b", 1)):
        run(local, clean, tmp_path / name, seed=seed)
        (tmp_path / name / "map.npz").unlink()
    log = tmp_path / "a" / LOG.format(0)
    log.write_bytes((tmp_path / "b" / log.name).read_bytes())
    with pytest.raises(ValueError, match=r"outcomes\.0\.log is of another sweep"):
        run(local, clean, tmp_path / "a")


@pytest.mark.parametrize("begin", [b"garbled", b"", b"\0"], ids=["text", "nothing", "zero"])
def test_a_damaged_log_is_told_from_that_of_another_sweep(tmp_path, clean, local, begin):
    first = run(local, clean, tmp_path)
    (tmp_path / "map.npz").unlink()
    log = tmp_path / LOG.format(0)
    log.write_bytes(begin + log.read_bytes()[len(begin) :])
    if begin:
        with pytest.raises(ValueError, match=r"0\.log is damaged, .*; remove this file, and its"):
            run(local, clean, tmp_path)
        log.unlink()
    np.testing.assert_array_equal(run(local, clean, tmp_path).values, first.values)


@pytest.mark.parametrize("record", ["[]", "{", "3", "\udcff", "[" * 100_000])
def test_a_record_that_is_none_is_refused(tmp_path, clean, local, record):
    (tmp_path / CONFIGURATION).write_text(record, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"cannot be used: sweep\.json"):
        run(local, clean, tmp_path)


def test_a_directory_of_an_older_version_is_refused_by_name(tmp_path, clean, local):
    import json

    run(local, clean, tmp_path)
    path = tmp_path / CONFIGURATION
    record = json.loads(path.read_text())
    del record["function"], record["do"]
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="do was not recorded, by another version"):
        run(local, clean, tmp_path)


def test_two_that_begin_one_directory_do_not_both_get_it(tmp_path):
    """Whoever finds the folder empty while another one is about to write the record."""
    log = Log(tmp_path)
    with log, pytest.raises(ValueError, match="another run"):
        open_store(tmp_path, {"seed": 1})
    assert not (tmp_path / CONFIGURATION).exists()
    with open_store(tmp_path, {"seed": 1}):
        pass
    with pytest.raises(ValueError, match="seed was 1, is 2"):
        open_store(tmp_path, {"seed": 2})


def race_map(directory: Path | None, seed: int) -> cem.EffectMap:
    clean = cem.example_image("facade")[:48, :48]
    scene = cem.Scene.custom(clean, clean, conftest.unchanged)
    return cem.causal_effect_map(
        cem.wrap(curved), scene, cem.ROI(16, 16, 16, 16), plan=PLAN, seed=seed,
        directory=directory, progress=False,
    )  # fmt: skip


def meet(folder: Path, name: str, seed: int) -> None:
    """Goes on when both processes are here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{seed}").touch()
    other, given_up = folder / f"{name}-{1 - seed}", time.monotonic() + 300
    while not other.exists():
        assert time.monotonic() < given_up, f"the other process is not at {name}"


def race(folder: Path, seed: int, times: int) -> None:
    """Begins sweeps at the same instants as another process; prints who won which."""
    race_map(None, seed)  # compiled, so that both are quick
    for number in range(times):
        place = folder / str(number)
        meet(folder / "meetings", f"begin-{number}", seed)
        try:
            race_map(place, seed)
            result = "won"
        except ValueError as error:
            result = "busy" if "another run" in str(error) else "other"
            assert result == "busy" or "seed was" in str(error), error
        meet(folder / "meetings", f"end-{number}", seed)
        try:
            race_map(place, seed)
            assert result == "won", f"{number}: the map of the other seed came back"
        except ValueError as error:
            assert result != "won" and "seed was" in str(error), (number, error)
        print(result, flush=True)


def check_race(tmp_path: Path, times: int) -> None:
    whole = {seed: race_map(None, seed) for seed in (0, 1)}
    command = [sys.executable, __file__, str(tmp_path)]
    processes = [
        subprocess.Popen([*command, str(seed), str(times)], stdout=-1, stderr=-1, text=True)
        for seed in (0, 1)
    ]
    ends = [process.communicate(timeout=900) for process in processes]
    for process, (_, errors) in zip(processes, ends, strict=True):
        assert process.returncode == 0, errors[-2000:]
    told = [out.split() for out, _ in ends]
    for number in range(times):
        winners = [seed for seed in (0, 1) if told[seed][number] == "won"]
        assert len(winners) == 1, (number, told)
        found = cem.EffectMap.load(tmp_path / str(number) / "map.npz")
        assert found.provenance["seed"] == winners[0]
        np.testing.assert_array_equal(found.values, whole[winners[0]].values)


def test_of_two_sweeps_that_start_together_one_wins(tmp_path):
    check_race(tmp_path, 6)


@pytest.mark.long
def test_of_two_sweeps_that_start_together_one_wins_60_times(tmp_path):
    check_race(tmp_path, 60)


class FakeMsvcrt:
    """Locks of single bytes as Windows has them, of files in this process."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self):
        self.held = {}

    def locking(self, descriptor, mode, count):
        import os

        place = os.lseek(descriptor, 0, os.SEEK_CUR), os.fstat(descriptor).st_ino
        assert count == 1
        if mode == self.LK_UNLCK:
            del self.held[place]
        elif self.held.setdefault(place, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")


def test_where_there_is_no_fcntl_the_locks_of_windows_are_taken(tmp_path, monkeypatch):
    windows = FakeMsvcrt()
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", windows)
    with open_store(tmp_path / "sweep", {"a": 1}) as log:
        log.append(np.array([3]), np.array([0]), np.ones((1, 1), np.float32), 1.0)
        with pytest.raises(ValueError, match="another run"):
            open_store(tmp_path / "sweep", {"a": 1})
    # What is locked can be read: it lies beyond any log.
    assert all(byte > 2**30 for byte, _ in windows.held)
    windows.held.clear()
    with locks.Locks(tmp_path) as one, locks.Locks(tmp_path) as other:
        with one.locked("x") as mine, other.locked("x") as theirs, other.locked("y") as another:
            assert mine and not theirs and another
        with other.locked("x") as theirs:
            assert theirs


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    race(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))


def test_a_method_whose_object_has_one_of_a_wrappers_names_is_told_apart():
    """`apply` of a Linen module leads to the module, which leads to `apply`."""

    class Circle:
        met = 0

        @property
        def apply(self):
            self.met += 1
            assert self.met < 1000, "without an end"
            return self.restore

        def restore(self, params, x):
            return params * x

    circle = Circle()
    found = digest_apply(circle.apply, np.float32(1), (1, 8, 8, 3))
    assert found == digest_apply(lambda params, x: params * x, np.float32(1), (1, 8, 8, 3))


def test_an_object_that_has_every_attribute_is_looked_into_so_far_only():
    class Proxy:
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Proxy()

        def __call__(self, params, x):
            return x

    assert digest_apply(Proxy(), np.float32(1), (1, 8, 8, 3))
