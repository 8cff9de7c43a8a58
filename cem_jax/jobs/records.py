"""What a job's processes write down for others to see: what it is, who is at work, what has ended.

It lies in OUT/.job, and no map depends on it. Whoever makes a map renews a record of it; a record
that nobody renews is of a process that is gone.
"""

import contextlib
import dataclasses
import json
import math
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cem_jax.arguments import as_json_value
from cem_jax.grid import ROI
from cem_jax.jobs.asked import MapOf, MapResult
from cem_jax.plain_text import quoted, reason
from cem_jax.store.atomic import write_atomically
from cem_jax.store.objects import AnyPath

if TYPE_CHECKING:
    from cem_jax.effects.progress import State
    from cem_jax.jobs.job import Job

FOLDER = ".job"
"""No label begins with a dot."""
WHAT = "job.json"
_BEAT = 5.0
"""Seconds between two signs of life."""
_GONE = 6 * _BEAT
"""Seconds without one after which a process on another machine counts as gone."""


def _write(path: AnyPath, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_finite(content), default=as_json_value)
    write_atomically(path, text.encode())


def _finite(value: Any) -> Any:
    """JSON has no numbers that are not finite: they become null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _parsed(data: bytes | None) -> dict[str, Any]:
    """A record; empty where there is none, or somebody is just writing it."""
    try:
        found = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def record_job(folder: AnyPath, job: "Job") -> None:
    """Writes down what a job is, if that is not there yet.

    Args:
        folder: of the results.
        job: the job.

    Raises:
        ValueError: it cannot be written.
    """
    maps = [[one.network, one.scene, list(dataclasses.astuple(one.roi))] for one in job.maps]
    path, content = folder / FOLDER / WHAT, {"maps": maps, "outcomes": job.names}
    try:
        found = path.read_bytes()
    except OSError:
        found = None
    if _parsed(found) == content:
        return
    try:
        _write(path, content)
    except OSError as error:
        raise ValueError(f"out={quoted(str(folder))} cannot be written: {reason(error)}") from error


def recorded_job(folder: AnyPath) -> tuple[list[MapOf], list[str]]:
    """The maps of the job that a folder is of, and the names of its outcomes.

    Args:
        folder: of the results.

    Raises:
        ValueError: it is of no job.
    """
    try:
        found = _parsed((folder / FOLDER / WHAT).read_bytes())
        maps = [MapOf(network, scene, ROI(*roi)) for network, scene, roi in found["maps"]]
        return maps, [str(name) for name in found["outcomes"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"out={quoted(str(folder))}: no job was begun in this folder") from error


def place_of(folder: AnyPath, kind: str, one: MapOf) -> AnyPath:
    """Where the record of a map is.

    Args:
        folder: of the results.
        kind: "running" or "ended".
        one: the map.
    """
    return folder / FOLDER / kind / f"{one}.json"


def record_end(folder: AnyPath, result: MapResult, seconds: float) -> None:
    """Writes down what became of a map.

    Args:
        folder: of the results.
        result: of the map.
        seconds: that it took in this process.

    Raises:
        OSError: it cannot be written.
    """
    content = {
        "problem": result.problem, "rows": [dict(row) for row in result.rows],
        "seconds": round(seconds, 3), "ended": time.time(), "on": platform.node(),
    }  # fmt: skip
    _write(place_of(folder, "ended", result.asked), content)


@contextlib.contextmanager
def recorded_work(folder: AnyPath, maps: Sequence[MapOf]) -> Iterator[Callable[["State"], None]]:
    """Gives signs of life while the context lasts.

    Args:
        folder: of the results.
        maps: that are being made.

    Returns:
        Gives a function that is told how far they are.
    """
    begun, over = time.time(), threading.Event()
    before, last = 0, (0, 0, 0)

    def note(state: "State") -> None:
        nonlocal before, last
        if state.stage != last[0]:
            before += last[1]
        last = (state.stage, state.done, state.total)

    def write() -> None:
        stage, done, total = last
        content = {
            "on": platform.node(), "process": os.getpid(), "since": begun, "seen": time.time(),
            "stage": stage, "done": done, "total": total, "evaluations": before + done,
        }  # fmt: skip
        for one in maps:  # who cannot write this down may still make the map
            with contextlib.suppress(OSError):
                _write(place_of(folder, "running", one), content)

    def renew() -> None:
        while not over.wait(_BEAT):
            write()

    write()
    beating = threading.Thread(target=renew, daemon=True)
    beating.start()
    try:
        yield note
    finally:
        over.set()
        beating.join()
        for one in maps:
            with contextlib.suppress(OSError):
                place_of(folder, "running", one).unlink(missing_ok=True)


def is_alive(record: dict[str, Any], now: float) -> bool:
    """Whether the process of a record of work is there.

    Args:
        record: as it was read.
        now: seconds since the epoch.
    """
    if record.get("on") == platform.node() and os.name == "posix":
        try:
            os.kill(int(record["process"]), 0)
        except ProcessLookupError:
            return False
        except (PermissionError, KeyError, TypeError, ValueError):
            pass
    seen = record.get("seen")
    return isinstance(seen, int | float) and now - seen < _GONE


def read_records(places: Sequence[AnyPath]) -> list[dict[str, Any]]:
    """Records at many places; empty ones where there are none."""
    from cem_jax.store.objects import read_all

    return [_parsed(data) for data in read_all(places)]


def recorded_ends(folder: AnyPath, maps: Sequence[MapOf]) -> list[MapResult]:
    """What became of maps, by the records of whoever made them.

    Args:
        folder: of the results.
        maps: which.
    """
    records = read_records([place_of(folder, "ended", one) for one in maps])
    return [
        MapResult(
            one, tuple(record.get("rows", ())),
            problem=str(record.get("problem", "")) if record else "it is not made yet",
        )
        for one, record in zip(maps, records, strict=True)
    ]  # fmt: skip
