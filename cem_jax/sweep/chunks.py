"""Interventions chunk by chunk: sizes found by trying, never more in flight than a few chunks.

Programs are compiled side by side, and what is compiled runs while the others still are.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any, Protocol, TypeVar, runtime_checkable

import jax
import numpy as np
from jaxtyping import Int, Shaped

from cem_jax.sweep.source import Interventions

_AHEAD = 2
"""Chunks that are under way while the next one is prepared."""

_WORTH = 1.05
"""How much faster per intervention a larger chunk must be to be kept."""

_PATIENCE = 10
"""A larger chunk is tried if the work left takes so many times what compiling took."""

Result = TypeVar("Result")


@runtime_checkable
class Method(Protocol):
    """How interventions are evaluated: which go together, and a compiled call for a chunk."""

    @property
    def devices(self) -> int:
        """How many parts a chunk has."""
        ...

    def groups(self, asked: Interventions) -> Mapping[Hashable, Sequence[Int[np.ndarray, "..."]]]:
        """Interventions by program, and those that may share a device's part of a chunk."""
        ...

    def part(self, key: Hashable, size: int) -> int:
        """Interventions of a program in a device's part of a chunk of `size` per device."""
        ...

    def prepare(
        self, asked: Interventions, keys: Sequence[Hashable], size: int
    ) -> Mapping[Hashable, Future[bool]]:
        """Begins to compile programs for chunks of `size` per device.

        Returns:
            For each program, False if the memory does not suffice for it.
        """
        ...

    def call(
        self, asked: Interventions, key: Hashable, index: Int[np.ndarray, "devices size"]
    ) -> Shaped[jax.Array, "devices size *result"]:
        """Outcomes [devices, size, k] of the interventions `index` [devices, size]."""
        ...


class Chunk:
    """Interventions for each device in one call.

    Args:
        size: to begin with.
        grows: whether larger sizes are tried.

    `calls` counts the compiled calls that were made, `evaluated` the interventions in them, with
    those that only fill a call up.
    """

    def __init__(self, size: int, grows: bool):
        self.size, self.grows = size, grows
        self.calls = self.evaluated = 0
        self._compiling = self._before = 0.0
        self._seen: list[float] = []

    def called(self, count: int) -> None:
        """One more call was made, of so many interventions with those that fill it up."""
        self.calls, self.evaluated = self.calls + 1, self.evaluated + count

    def compiled_in(self, seconds: float) -> None:
        """Programs of this size took so long to compile."""
        self._compiling, self._seen = max(self._compiling, seconds), []

    def smaller(self) -> None:
        """Memory was short: half of it, from now on.

        Raises:
            MemoryError: a single intervention does not fit.
        """
        if self.size == 1:
            raise MemoryError("a single intervention does not fit into the device's memory")
        self.size, self.grows, self._seen = self.size // 2, False, []

    def ran(self, seconds: float, left: int) -> None:
        """A chunk took so long; doubles the size, or returns to the last, where that pays.

        Args:
            seconds: since the last chunk was done.
            left: interventions still to do, for each device.
        """
        self._seen.append(seconds / self.size)
        if not self.grows or len(self._seen) < 2 + _AHEAD:
            return
        each = min(self._seen[_AHEAD:])
        if self._before and self._before < _WORTH * each:
            self.size, self.grows = self.size // 2, False
        elif left * each > _PATIENCE * self._compiling:
            self.size, self._before, self._seen = 2 * self.size, each, []
        else:
            self.grows = False


def _check_is_shortage(error: Exception) -> None:
    """Raises an error of the device again unless it says that its memory is full."""
    if "RESOURCE_EXHAUSTED" not in str(error):
        raise error


def fitting(call: Callable[[int], Result], chunk: Chunk) -> Result:
    """What a call for chunks of some size returns, smaller ones until the memory suffices.

    Args:
        call: takes the size for each device.
        chunk: the size, kept from call to call.

    Raises:
        MemoryError: a single intervention does not fit.
    """
    while True:
        try:
            return call(chunk.size)
        except jax.errors.JaxRuntimeError as error:
            _check_is_shortage(error)
            chunk.smaller()


def evaluate(
    method: Method, asked: Interventions, chunk: Chunk
) -> Iterator[tuple[Int[np.ndarray, " m"], Shaped[np.ndarray, "m ..."]]]:
    """Outcomes of interventions, in an order that suits the programs.

    Args:
        method: how they are evaluated.
        asked: the interventions.
        chunk: the size, kept from call to call.

    Yields:
        Which interventions, int [m], and their outcomes, float32 [m, k].
    """
    todo = {key: deque(parts) for key, parts in method.groups(asked).items()}
    running: deque[tuple[Hashable, np.ndarray, jax.Array | None]] = deque()
    coming: Mapping[Hashable, Future[bool]] = {}
    ready, then, ahead = 0, 0.0, 0  # none until the first outcomes are seen
    try:
        while todo or running:
            if todo and len(running) <= ahead:
                if ready != chunk.size:
                    _cancel(coming)
                    begun = time.perf_counter()
                    coming = method.prepare(asked, tuple(todo), chunk.size)
                    if chunk.grows:  # what larger sizes gain is measured without compiling
                        wait(coming.values())
                    ready, then = chunk.size, time.perf_counter()
                    chunk.compiled_in(then - begun)
                key = _compiled(todo, coming, waiting=not running)
                if key is not None and not coming[key].result():
                    chunk.smaller()
                    continue
                if key is not None:
                    size = method.part(key, chunk.size)
                    running.append((key, _take(todo, key, method.devices, size), None))
            try:
                if running[-1][2] is None:
                    key, index, _ = running[-1]
                    running[-1] = (
                        key,
                        index,
                        method.call(asked, key, np.where(index < 0, index[0, 0], index)),
                    )
                    chunk.called(index.size)
                    continue
                key, index, future = running[0]
                values = np.asarray(future)
            except jax.errors.JaxRuntimeError as error:
                _check_is_shortage(error)
                for key, index, _ in running:
                    todo.setdefault(key, deque()).extend(
                        row[row >= 0] for row in index if row[0] >= 0
                    )
                running.clear()
                chunk.smaller()
                continue
            running.popleft()
            ahead = _AHEAD
            now = time.perf_counter()
            if index.shape[1] == chunk.size == ready:
                left = sum(len(part) for parts in todo.values() for part in parts)
                chunk.ran(now - then, left // method.devices)
            then = now
            yield index[index >= 0], values[index >= 0]
    except KeyboardInterrupt:
        running.clear()  # nobody who interrupts wants to wait
        raise
    finally:
        _cancel(coming)
        # What still runs when the process ends takes memory that is no longer there.
        with suppress(jax.errors.JaxRuntimeError):
            jax.block_until_ready([future for *_, future in running])


def _cancel(coming: Mapping[Hashable, Future[bool]]) -> None:
    """What has not begun to compile never does."""
    for program in coming.values():
        program.cancel()


def _compiled(
    todo: Mapping[Hashable, Any], coming: Mapping[Hashable, Future[bool]], waiting: bool
) -> Hashable | None:
    """The first program with work to do that is compiled; None if there is none yet.

    Args:
        todo: interventions by program.
        coming: the programs.
        waiting: until there is one.
    """
    if waiting:
        wait([coming[key] for key in todo], return_when=FIRST_COMPLETED)
    return next((key for key in todo if coming[key].done()), None)


def _take(
    todo: dict[Hashable, deque[np.ndarray]], key: Hashable, devices: int, size: int
) -> Int[np.ndarray, "{devices} {size}"]:
    """The next chunk of a program, int [devices, size]; -1 where there is nothing to do."""
    index = np.full((devices, size), -1)
    for row in index:
        if not todo[key]:
            break
        part = todo[key].popleft()
        row[: len(part[:size])] = part[:size]
        if len(part) > size:
            todo[key].appendleft(part[size:])
    if not todo[key]:
        del todo[key]
    return index
