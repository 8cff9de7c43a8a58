"""Chunks: each intervention once, memory shortages survived, sizes that pay, few in flight."""

import concurrent.futures
import itertools

import jax
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.sweep import chunks, sweep
from cem_jax.sweep.chunks import Chunk, evaluate, fitting
from cem_jax.sweep.source import AsGiven, Interventions

FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")


class Future:
    """A chunk on its way; its outcomes are the numbers of its interventions."""

    def __init__(self, way, index):
        self.way, self.index = way, index
        way.alive.append(self)

    def __array__(self, dtype=None, copy=None):
        self.way.alive.remove(self)
        self.way.clock.now += self.way.seconds(self.index.shape[1])
        if self.index.shape[1] > self.way.fetchable:
            raise FULL
        return self.index[..., None].astype(np.float32)

    def block_until_ready(self):
        self.way.alive.remove(self)


def finished(value):
    """A program that is compiled."""
    future = concurrent.futures.Future()
    future.set_result(value)
    return future


class FakeMethod:
    """A device with a clock and a memory; cells are programs, as in a local sweep."""

    def __init__(self, *, devices=2, compilable=99, callable=99, fetchable=99, clock=None):
        self.devices, self.compilable = devices, compilable
        self.callable, self.fetchable = callable, fetchable
        self.clock = clock or Clock()
        self.alive, self.most, self.calls, self.sizes = [], 0, [], []

    def seconds(self, size):
        return 0.01 * size

    def groups(self, asked):
        return {int(c): [np.flatnonzero(asked.cells == c)] for c in np.unique(asked.cells)}

    def part(self, key, size):
        return size

    def prepare(self, asked, keys, size):
        self.sizes.append(size)
        assert set(keys) <= set(asked.cells.tolist())
        return {key: finished(size <= self.compilable) for key in keys}

    def call(self, asked, key, index):
        assert index.shape[0] == self.devices and index.min() >= 0
        assert (asked.cells[index] == key).all(), "interventions of one program only"
        if index.shape[1] > self.callable:
            raise FULL
        self.calls.append(index.shape[1])
        future = Future(self, index)
        self.most = max(self.most, len(self.alive))
        return future


class Clock:
    """Time that passes when a test says so."""

    now = 0.0

    def perf_counter(self):
        return self.now


def work(count, programs=3):
    cells = np.arange(count, dtype=np.int32) % programs
    return Interventions(AsGiven(), cells, np.zeros((count, 1)))


def outcomes_by_intervention(way, asked, chunk):
    """Every outcome, and that each intervention came exactly once."""
    found = np.full(len(asked.cells), np.nan)
    for index, values in evaluate(way, asked, chunk):
        assert values.shape == (len(index), 1)
        assert np.isnan(found[index]).all() and len(np.unique(index)) == len(index)
        found[index] = values[:, 0]
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("size", [1, 3, 16])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_every_intervention_is_evaluated_once(count, size, devices):
    way = FakeMethod(devices=devices)
    found = outcomes_by_intervention(way, work(count), Chunk(size, grows=False))
    np.testing.assert_array_equal(found, np.arange(count))


@pytest.mark.parametrize("where", ["compilable", "callable", "fetchable"])
@pytest.mark.parametrize("room", [1, 2, 5])
def test_short_memory_halves_the_chunk_and_loses_nothing(where, room):
    way, chunk = FakeMethod(**{where: room}), Chunk(16, grows=True)
    found = outcomes_by_intervention(way, work(83), chunk)
    np.testing.assert_array_equal(found, np.arange(83))
    assert chunk.size == max(s for s in (1, 2, 4, 8, 16) if s <= room)


@pytest.mark.parametrize("fails", range(9))
def test_a_shortage_at_any_moment_loses_nothing(fails, monkeypatch):
    way, chunk, count = FakeMethod(), Chunk(4, grows=False), itertools.count()
    arrive = Future.__array__

    def once_short(self, dtype=None, copy=None):
        values = arrive(self)
        if next(count) == fails:
            raise FULL
        return values

    monkeypatch.setattr(Future, "__array__", once_short)
    found = outcomes_by_intervention(way, work(70), chunk)
    np.testing.assert_array_equal(found, np.arange(70))
    assert chunk.size == 2


def test_a_single_intervention_that_does_not_fit_is_an_error():
    with pytest.raises(MemoryError, match="single intervention"):
        outcomes_by_intervention(FakeMethod(callable=0), work(5), Chunk(4, grows=False))


def test_a_single_call_gets_smaller_too():
    def call(size):
        if size > 3:
            raise FULL
        return f"with {size}"

    chunk = Chunk(16, grows=True)
    assert fitting(call, chunk) == "with 2" and chunk.size == 2

    def never(size):
        raise FULL

    with pytest.raises(MemoryError, match="single intervention"):
        fitting(never, chunk)


def test_other_errors_of_the_device_are_not_swallowed(monkeypatch):
    def broken(self, asked, key, index):
        raise jax.errors.JaxRuntimeError("INTERNAL: the device is gone")

    monkeypatch.setattr(FakeMethod, "call", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="device is gone"):
        fitting(lambda size: broken(None, None, None, None), Chunk(4, grows=False))
    with pytest.raises(jax.errors.JaxRuntimeError, match="device is gone"):
        outcomes_by_intervention(FakeMethod(), work(5), Chunk(4, grows=False))


@pytest.mark.parametrize("count", [60, 6000])
def test_three_chunks_are_in_flight_however_many_interventions_there_are(count):
    way = FakeMethod()
    outcomes_by_intervention(way, work(count, 1), Chunk(4, grows=False))
    assert way.most == 3


@pytest.mark.parametrize("best", [4, 8, 32])
def test_sizes_grow_as_long_as_that_pays(best, monkeypatch):
    """A call costs the same up to `best` interventions a device, and in proportion beyond."""
    way, chunk = FakeMethod(), Chunk(4, grows=True)
    monkeypatch.setattr(chunks, "time", way.clock)
    way.seconds = lambda size: 0.1 * max(size / best, 1.0)
    found = outcomes_by_intervention(way, work(20_000, 1), chunk)
    np.testing.assert_array_equal(found, np.arange(20_000))
    assert chunk.size == best
    assert max(way.calls) == 2 * best  # the next size was tried, and given up


def test_a_size_is_not_tried_where_compiling_it_takes_longer_than_it_can_save(monkeypatch):
    way, chunk = FakeMethod(), Chunk(4, grows=True)
    monkeypatch.setattr(chunks, "time", way.clock)
    way.seconds = lambda size: 0.1
    compile_again = way.prepare

    def slow(asked, keys, size):
        way.clock.now += 60.0
        return compile_again(asked, keys, size)

    way.prepare = slow
    outcomes_by_intervention(way, work(800, 1), chunk)  # 100 chunks of 0.1 s
    assert set(way.sizes) == {4} and chunk.size == 4


def test_a_size_found_is_kept_for_the_next_stage():
    way, chunk = FakeMethod(callable=2), Chunk(16, grows=True)
    outcomes_by_intervention(way, work(40), chunk)
    way.sizes.clear()
    outcomes_by_intervention(way, work(40), chunk)
    assert set(way.sizes) == {2}


class SlowCompiler(FakeMethod):
    """Its first program is compiled at once, the others when a test says so."""

    def prepare(self, asked, keys, size):
        self.coming = {key: concurrent.futures.Future() for key in keys}
        self.coming[keys[0]].set_result(True)
        return self.coming


def test_what_is_compiled_runs_while_others_are_compiled():
    way, asked = SlowCompiler(), work(12)
    found = evaluate(way, asked, Chunk(2, grows=False))
    index, _ = next(found)
    assert (asked.cells[index] == 0).all() and not way.coming[1].done()
    way.coming[2].set_result(True)
    way.coming[1].set_result(True)
    rest = np.concatenate([index, *(part for part, _ in found)])
    assert sorted(rest.tolist()) == list(range(12))


def test_what_was_not_compiled_yet_is_called_off_when_the_sweep_ends():
    way = SlowCompiler()
    found = evaluate(way, work(12), Chunk(2, grows=False))
    next(found)
    found.close()
    assert way.coming[1].cancelled() and way.coming[2].cancelled()


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_what_runs_is_waited_for_when_a_sweep_is_given_up(end):
    """Else it ran on while the process ends, which crashed it. Ctrl-C is answered at once."""
    way = FakeMethod()
    outcomes = evaluate(way, work(60), Chunk(2, grows=False))
    next(outcomes)
    assert not way.alive  # the first outcomes are seen before others are begun
    next(outcomes)
    assert len(way.alive) == 2
    with pytest.raises(end):
        outcomes.throw(end())
    assert len(way.alive) == (2 if end is KeyboardInterrupt else 0)


def test_a_program_that_does_not_fit_makes_all_chunks_smaller():
    class Large(SlowCompiler):
        def prepare(self, asked, keys, size):
            self.sizes.append(size)
            return {key: finished(key != 2 or size == 1) for key in keys}

    way, chunk = Large(), Chunk(4, grows=False)
    outcomes_by_intervention(way, work(48), chunk)
    assert chunk.size == 1 and way.sizes == [4, 2, 1]


def test_programs_of_large_windows_take_one_intervention_at_a_time():
    class Apart(FakeMethod):
        def part(self, key, size):
            return 1 if key == 2 else size

        def call(self, asked, key, index):
            assert index.shape[1] == (1 if key == 2 else 4)
            return super().call(asked, key, index)

    way, asked = Apart(), work(48)
    found = outcomes_by_intervention(way, asked, Chunk(4, grows=False))
    assert sorted(found) == list(range(48)) and set(way.calls) == {1, 4}


def test_how_many_go_together_does_not_change_a_map(monkeypatch):
    network = cem.load("DnCNN-compact")
    scene = cem.make_scene("DN", cem.example_image("cabin")[:48, :48])
    roi = cem.ROI(16, 16, 8, 8)
    usual = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(4), progress=False)
    monkeypatch.setattr(sweep, "_ALONE", 0.0)
    alone = cem.causal_effect_map(network, scene, roi, plan=cem.Fixed(4), progress=False)
    np.testing.assert_allclose(alone.effect, usual.effect, atol=1e-5)
    assert alone.provenance["evaluated"] == alone.evaluations
    assert usual.provenance["evaluated"] > usual.evaluations  # four in chunks of three
