"""How far a job is, seen from outside: by its files alone."""

import dataclasses
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cem_jax.jobs.asked import MapOf
from cem_jax.jobs.records import (
    FOLDER,
    is_alive,
    place_of,
    read_records,
    recorded_job,
)
from cem_jax.map.files import map_paths
from cem_jax.store.objects import AnyPath, ObjectPath, as_place

State = Literal["done", "running", "failed", "lost", "waiting"]


@dataclasses.dataclass(frozen=True)
class MapStatus:
    """How far one map of a job is.

    Args:
        asked: which map.
        state: "done"; "running"; "failed"; "lost", if the process that made it is gone; "waiting".
        where: machine and process that make it, or made it.
        since: when it was begun, or ended, in seconds since the epoch; NaN where nobody knows.
        problem: why it failed.
        stage: of the sampling plan, 0 before the first.
        done: interventions of the stage that are done.
        total: interventions of the stage.
    """

    asked: MapOf
    state: State
    where: str = ""
    since: float = float("nan")
    problem: str = ""
    stage: int = 0
    done: int = 0
    total: int = 0


@dataclasses.dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    Args:
        maps: its maps, in the job's order.
        workers: how many processes are at work.
        rate: evaluations a second, of all that are at work.
        left: seconds until all is done, at the pace so far; NaN where nobody knows.
    """

    maps: tuple[MapStatus, ...]
    workers: int
    rate: float
    left: float

    def count(self, state: State) -> int:
        """How many maps are in a state.

        Args:
            state: see `MapStatus`.

        Returns:
            Their number.
        """
        return sum(one.state == state for one in self.maps)

    @property
    def failed(self) -> list[MapOf]:
        """The maps that could not be made."""
        return [one.asked for one in self.maps if one.state == "failed"]

    @property
    def open(self) -> bool:
        """Whether there are maps that are neither done nor failed."""
        return any(one.state not in ("done", "failed") for one in self.maps)

    def record(self) -> dict[str, Any]:
        """The status as JSON values.

        Returns:
            The number of maps in each state, and all that are not waiting.
        """
        states: tuple[State, ...] = ("done", "running", "failed", "lost", "waiting")
        maps = [
            {**dataclasses.asdict(one), "asked": str(one.asked),
             "since": one.since if one.since == one.since else None}
            for one in self.maps if one.state != "waiting"
        ]  # fmt: skip
        return {**{state: self.count(state) for state in states}, "workers": self.workers,
                "evaluations_per_second": self.rate, "seconds_left": self.left,
                "maps": maps}  # fmt: skip


def job_status(out: str | AnyPath) -> JobStatus:
    """How far a job is, from the files in its folder; it disturbs nobody.

    Args:
        out: folder of the results; `s3://` and `gs://` are folders too.

    Raises:
        ValueError: no job was begun there.
        OSError: the store does not answer.
    """
    folder = as_place(out, "out")
    maps, outcomes = recorded_job(folder)
    # First what is running, then what has ended: what ends meanwhile is seen to have ended.
    running = _running(folder)
    ended = read_records([place_of(folder, "ended", one) for one in maps])
    done = _finished(folder, maps, outcomes)
    now = time.time()
    statuses = tuple(
        _status(one, running.get(str(one), {}), end, one in done, now)
        for one, end in zip(maps, ended, strict=True)
    )
    alive = {
        (record["on"], record["process"]): record
        for record in running.values() if is_alive(record, now)
    }  # fmt: skip
    at_work = [
        record for one in statuses
        if one.state == "running" and (record := running[str(one.asked)])
    ]  # fmt: skip
    sweeps = {(record["on"], record["process"], record["since"]): record for record in at_work}
    rate = sum(
        record["evaluations"] / max(record["seen"] - record["since"], 1e-3)
        for record in sweeps.values()
    )
    return JobStatus(statuses, len(alive), rate, _left(statuses, ended, len(alive)))


def _running(folder: AnyPath) -> dict[str, dict[str, Any]]:
    """The records of work by map."""
    below = folder / FOLDER / "running"
    if isinstance(below, ObjectPath):
        places: Sequence[AnyPath] = below.all_below()
    else:
        places = list(below.rglob("*.json"))
    found = zip(places, read_records(places), strict=True)
    names = {str(place)[len(str(below)) + 1 : -len(".json")].replace(os.sep, "/"): record
             for place, record in found if record}  # fmt: skip
    return {name: record for name, record in names.items() if {"on", "process", "since", "seen",
            "evaluations"} <= record.keys()}  # fmt: skip


def _finished(folder: AnyPath, maps: Sequence[MapOf], outcomes: list[str]) -> set[MapOf]:
    """The maps whose files are there."""
    wanted = {one: map_paths(folder / str(one), outcomes).values() for one in maps}
    if isinstance(folder, ObjectPath):
        there = set(folder.all_below())
        return {one for one, paths in wanted.items() if all(path in there for path in paths)}
    return {one for one, paths in wanted.items() if all(path.exists() for path in paths)}


def _status(
    one: MapOf, work: Mapping[str, Any], end: Mapping[str, Any], done: bool, now: float
) -> MapStatus:
    ended = end.get("ended", float("nan"))
    if done:
        return MapStatus(one, "done", str(end.get("on", "")), ended)
    if work and not (end.get("problem") and ended >= work["since"]):
        return MapStatus(
            one, "running" if is_alive(dict(work), now) else "lost",
            f"{work['on']} ({work['process']})", work["since"], "", work.get("stage", 0),
            work.get("done", 0), work.get("total", 0),
        )  # fmt: skip
    if end.get("problem"):
        return MapStatus(one, "failed", str(end.get("on", "")), ended, end["problem"])
    return MapStatus(one, "waiting")


def _left(maps: Sequence[MapStatus], ended: Sequence[Mapping[str, Any]], workers: int) -> float:
    """Seconds that are left, from those that maps of the same networks took."""
    spent: dict[str, list[float]] = {}
    for one, end in zip(maps, ended, strict=True):
        if one.state == "done" and end.get("seconds") is not None:
            spent.setdefault(one.asked.network, []).append(end["seconds"])
    everything = [seconds for found in spent.values() for seconds in found]
    if not everything or not workers:
        return float("nan")
    usual = statistics.fmean(everything)
    each = {network: statistics.fmean(found) for network, found in spent.items()}
    share = {"waiting": 1.0, "lost": 1.0, "running": 0.5}
    total = sum(share.get(one.state, 0) * each.get(one.asked.network, usual) for one in maps)
    return total / workers


def as_text(found: JobStatus) -> str:
    """A status for readers: a line in numbers, then what is running, lost and failed."""
    parts = [f"{found.count('done')} of {len(found.maps)} maps done"]
    states: tuple[State, ...] = ("running", "failed", "lost", "waiting")
    parts += [f"{n} {state}" for state in states if (n := found.count(state))]
    head = ", ".join(parts)
    if found.rate:
        head += f"; {found.rate:.3g} interventions/s"
    if found.left == found.left and found.open:
        head += f", about {_time(found.left)} left"
    lines = [head]
    for one in found.maps:
        when = (
            time.strftime("%H:%M:%S", time.localtime(one.since)) if one.since == one.since else ""
        )
        if one.state in ("running", "lost"):
            stage = f": stage {one.stage}, {one.done} of {one.total}" if one.stage else ""
            lines.append(f"{one.state:8}{one.asked}, {one.where} since {when}{stage}")
        elif one.state == "failed":
            lines.append(f"failed  {one.asked}, {one.where} at {when}: {one.problem}")
    return "\n".join(lines)


def _clock(since: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(since))


def _time(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
