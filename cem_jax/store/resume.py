"""A sweep that goes on where it was: its directory and its log."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cem_jax.store.processes import together
from cem_jax.store.store import Log, open_store

_FLUSH_SECONDS = 2.0
"""How much work an interruption may cost."""


def open_directory(directory: str | Path, configuration: Mapping[str, Any], shared: bool) -> Path:
    """The sweep's directory; the first process opens it before the others."""
    if shared and jax.process_index() > 0:
        together(np.zeros(1))
        return open_store(directory, configuration)
    folder = open_store(directory, configuration)
    if shared:
        together(np.zeros(1))
    return folder


def keep_outcomes(
    chunks: Iterator[tuple[np.ndarray, np.ndarray]],
    log: Log | None,
    cells: np.ndarray,
    draws: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Passes chunks on and keeps them on disk every few seconds."""
    if log is None:
        yield from chunks
        return
    found: list[tuple[np.ndarray, np.ndarray]] = []
    flushed = time.monotonic()

    def flush() -> None:
        parts, values = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        log.append(cells[parts], draws[parts], values, time.monotonic() - flushed)
        found.clear()

    try:
        for part, values in chunks:
            if np.isfinite(values).all():
                found.append((part, values))
            if found and time.monotonic() - flushed > _FLUSH_SECONDS:
                flush()
                flushed = time.monotonic()
            yield part, values
    finally:
        if found:
            flush()
