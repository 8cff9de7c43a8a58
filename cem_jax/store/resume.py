"""A sweep that goes on where it was: its directory and its log."""

import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath
from cem_jax.store.processes import exchange
from cem_jax.store.store import Log, ObjectLog, open_store

_FLUSH_SECONDS = 2.0
"""How much work an interruption may cost."""


def open_directory(
    directory: str | AnyPath,
    configuration: Mapping[str, Any],
    shared: bool,
    *,
    written_by: str,
    alone: str,
) -> Log | ObjectLog:
    """The log of a sweep's directory; of processes that share it, the first one opens it first.

    Args:
        directory: where the sweep is kept.
        configuration: everything that its outcomes depend on, as JSON values.
        shared: whether several processes work on it together.
        written_by: the versions that do, in words.
        alone: why it cannot be resumed, in words; empty if it can.

    Raises:
        ValueError: see `open_store`.
    """
    if not shared:
        return open_store(directory, configuration, written_by=written_by, alone=alone)
    if jax.process_index() > 0:
        if not exchange(np.full(1, np.nan))[0]:
            raise ValueError(f"directory={quoted(str(directory))}: the first process was refused")
        return open_store(directory, configuration, process=jax.process_index())
    opened = 0.0
    try:
        log = open_store(directory, configuration, written_by=written_by, alone=alone)
        opened = 1.0
    finally:
        exchange(np.full(1, opened))
    return log


def keep_outcomes(
    chunks: Iterator[tuple[np.ndarray, np.ndarray]],
    log: Log | ObjectLog | None,
    cells: np.ndarray,
    draws: np.ndarray,
) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """Passes chunks on, and keeps what is finite of them on disk every few seconds."""
    if log is None:
        yield from chunks
        return
    found: list[tuple[np.ndarray, np.ndarray]] = []
    flushed, wait = time.monotonic(), max(_FLUSH_SECONDS, log.pause)

    def flush() -> None:
        parts, values = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        log.append(cells[parts], draws[parts], values, time.monotonic() - flushed)
        found.clear()

    try:
        for part, values in chunks:
            whole = np.isfinite(values).all(axis=1)
            if whole.any():
                found.append((part[whole], values[whole]))
            if found and time.monotonic() - flushed > wait:
                flush()
                flushed = time.monotonic()
            yield part, values
    finally:
        if found:
            flush()
