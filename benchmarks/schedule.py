"""A job of many maps on many chips, simulated: stragglers, losses, compilation, store operations.

    python benchmarks/schedule.py [--images 10000] [--networks 64] [--chips 256] [--seed 0]

Nothing is computed but times. A worker takes the next task that nobody has; a lost one comes back
after a while, and what it had not written is computed again. The constants are measured by
`benchmarks/jobs.py` and `benchmarks/sweep.py`, or told by options.
"""

import argparse
import dataclasses
import heapq
import math

import numpy as np

import cem_jax as cem


@dataclasses.dataclass(frozen=True)
class Machine:
    """What the simulated machine is like.

    Args:
        chips: each makes one map at a time.
        map_seconds: of a map on a usual chip, in the mean over networks.
        spread: of maps and of networks, as the standard deviation of the logarithm.
        first_seconds: of a network's first map on a chip: loading, planning, tracing, and
            programs that are found on disk.
        compile_seconds: of its first map anywhere.
        slow: share of chips that are slow.
        slowness: by how much.
        losses: of a chip, in an hour.
        back_seconds: until a lost chip is at work again.
        flush_seconds: of work that a loss may cost beside what it was just compiling.
        overhead_seconds: of a map beside its evaluations: records, claims, reading and writing.
    """

    chips: int = 256
    map_seconds: float = 5.75
    spread: float = 0.7
    first_seconds: float = 2.5
    compile_seconds: float = 3.65
    slow: float = 0.03
    slowness: float = 3.0
    losses: float = 0.1
    back_seconds: float = 180.0
    flush_seconds: float = 8.0
    overhead_seconds: float = 0.05


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How maps are given out.

    Args:
        name: of the schedule.
        together: maps of a network that make a task.
        fixed: every chip has its own tasks from the beginning, instead of taking the next one.
        mixed: networks take turns, instead of following each other.
    """

    name: str
    together: int = 1
    fixed: bool = False
    mixed: bool = False


def simulate(
    machine: Machine, schedule: Schedule, images: int, networks: int, seed: int = 0
) -> dict[str, float | int | str]:
    """One job, event by event.

    Args:
        machine: where.
        schedule: how its maps are given out.
        images: of each network.
        networks: how many.
        seed: of all that happens by chance, the same for every schedule.

    Returns:
        Hours until all maps are there; shares of the chips' time; store operations a second.
    """
    random = np.random.default_rng(seed)
    around = -(machine.spread**2) / 2  # the mean stays what it is
    of_network = machine.map_seconds * np.exp(random.normal(around, machine.spread, networks))
    of_image = np.exp(random.normal(around, machine.spread / 2, images))
    speed = np.where(random.random(machine.chips) < machine.slow, machine.slowness, 1.0)
    starts = range(0, images, schedule.together)
    tasks = [(n, start) for n in range(networks) for start in starts]
    if schedule.mixed:
        tasks = [(n, start) for start in starts for n in range(networks)]
    sizes = of_image.cumsum()
    work = {start: sizes[min(start + schedule.together, images) - 1] - (sizes[start - 1] if start
            else 0.0) for start in starts}  # fmt: skip
    own = [list(range(chip, len(tasks), machine.chips))[::-1] for chip in range(machine.chips)]
    common = list(range(len(tasks)))[::-1]
    known: list[int] = [-1] * machine.chips
    compiled: set[int] = set()
    mean = 3600 / machine.losses if machine.losses else math.inf
    dies = random.exponential(mean, machine.chips) if machine.losses else [math.inf] * machine.chips
    dies = list(dies)
    free = [(0.0, chip) for chip in range(machine.chips)]
    heapq.heapify(free)
    spent = dict.fromkeys(("work", "compilation", "overhead", "lost"), 0.0)
    remaining: dict[int, float] = {}
    end = 0.0
    while free:
        now, chip = heapq.heappop(free)
        queue = own[chip] if schedule.fixed else common
        if not queue:
            continue
        number = queue.pop()
        network, start = tasks[number]
        first = 0.0
        if known[chip] != network:
            first = machine.first_seconds + machine.compile_seconds * (network not in compiled)
        count = min(schedule.together, images - start)
        extra = machine.overhead_seconds * count
        todo = remaining.get(number, work[start] * of_network[network]) * speed[chip]
        done = now + first + extra + todo
        if done <= dies[chip]:
            known[chip] = network
            compiled.add(network)
            spent["work"] += todo
            spent["compilation"] += first
            spent["overhead"] += extra
            end = max(end, done)
            heapq.heappush(free, (done, chip))
            continue
        at = max(dies[chip], now)
        kept = max(at - now - first - extra - machine.flush_seconds, 0.0)
        remaining[number] = (todo - kept) / speed[chip]
        spent["work"] += kept
        spent["lost"] += at - now - kept + machine.back_seconds
        queue.append(number)
        known[chip] = -1
        dies[chip] = at + machine.back_seconds + random.exponential(mean)
        heapq.heappush(free, (at + machine.back_seconds, chip))
        if not schedule.fixed:  # whoever found nothing to do looks again when a map is given back
            idle = set(range(machine.chips)) - {other for _, other in free}
            for other in idle:
                heapq.heappush(free, (at, other))
    total = end * machine.chips
    shares = {f"{name} %": 100 * seconds / total for name, seconds in spent.items()}
    maps = images * networks
    return {
        "schedule": schedule.name, "hours": end / 3600, **shares,
        "idle %": 100 - sum(shares.values()), "tasks/s": len(tasks) / end, "maps/s": maps / end,
    }  # fmt: skip


SCHEDULES = (
    Schedule("a share for each chip", fixed=True, together=16),
    Schedule("networks in turn, map by map", mixed=True),
    Schedule("map by map"),
    Schedule("16 maps at a time", together=16),
    Schedule("250 maps at a time", together=250),
    Schedule("2500 maps at a time", together=2500),
)


def main() -> None:
    """Prints the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=10_000)
    arguments.add_argument("--networks", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=0)
    for field in dataclasses.fields(Machine):
        option = f"--{field.name.replace('_', '-')}"
        arguments.add_argument(option, type=type(field.default), default=field.default)
    told = vars(arguments.parse_args())
    images, networks, seed = told.pop("images"), told.pop("networks"), told.pop("seed")
    machine = Machine(**told)
    print(f"{images * networks} maps, {machine}\n")
    rows = [simulate(machine, schedule, images, networks, seed) for schedule in SCHEDULES]
    print(cem.markdown_table(rows))


if __name__ == "__main__":
    main()
