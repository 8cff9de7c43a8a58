"""Processes of this machine as an executor: one that dies loses its own task alone."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from cem_jax.arguments import whole_number


class LostWorkerError(RuntimeError):
    """A process ended before it had answered."""


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that start here do not hear Ctrl-C: who started them ends them, with one line."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would hear it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, environment: Mapping[str, str]) -> None:
    """Answers calls until there are no more; standard output is that of who asks."""
    os.environ.update(environment)
    sys.stdout = sys.stderr  # where a user's own code may print
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            function, arguments, options = pipe.recv()
            try:
                answer = True, function(*arguments, **options)
            except Exception as error:
                answer = False, error
            pipe.send(answer)


class Processes(concurrent.futures.Executor):
    """So many processes; of `concurrent.futures.ProcessPoolExecutor`, one that dies breaks all.

    Args:
        count: how many.
        environment: variables of the n-th process.

    Raises:
        ValueError: fewer than one.
    """

    def __init__(self, count: int, environment: Callable[[int], Mapping[str, str]] = lambda n: {}):
        self._environment = environment
        self._threads = concurrent.futures.ThreadPoolExecutor(whole_number("count", count, 1))
        self._own, self._lock = threading.local(), threading.Lock()
        self._numbers = list(range(count))
        self._children: list[tuple[Any, Connection]] = []

    def _child(self) -> tuple[Any, Connection]:
        """The process of this thread; a new one in the place of one that died."""
        found = getattr(self._own, "child", None)
        if found is not None and found[0].is_alive():
            return found
        with self._lock:
            if found is None:
                self._own.number = self._numbers.pop(0)
            else:
                self._children.remove(found)
            context = multiprocessing.get_context("spawn")
            mine, theirs = context.Pipe()
            environment = dict(self._environment(self._own.number))
            process = context.Process(target=_serve, args=(theirs, environment), daemon=True)
            with _without_interrupts():
                process.start()
            theirs.close()
            self._own.child = process, mine
            self._children.append(self._own.child)
            return self._own.child

    def _call(self, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
        process, pipe = self._child()
        try:
            pipe.send((function, arguments, options))
            good, answer = pipe.recv()
        except (EOFError, OSError) as error:
            process.join()
            raise LostWorkerError(f"process {process.pid} ended by {process.exitcode}") from error
        if not good:
            raise answer
        return answer

    def submit(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, function: Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> concurrent.futures.Future:
        """Has a process call a function, all of which can be pickled."""
        return self._threads.submit(self._call, function, arguments, options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes, once they have done what they were given.

        Args:
            wait: until they have ended.
            cancel_futures: end at once instead, whatever they are at.
        """
        if cancel_futures:
            for process, _ in self._children:
                process.kill()
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for _, pipe in self._children:
            pipe.close()  # which its process takes for the end
        if wait:
            for process, _ in self._children:
                process.join()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Ends the processes; at once where an exception leaves the context."""
        self.shutdown(cancel_futures=kind is not None)
