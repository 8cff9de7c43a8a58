"""Published numbers repeated: a random part of the maps behind them is made again, and compared."""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.keys import made_again, subjects_here
from cem_jax.experiments.figures.measures import measure
from cem_jax.experiments.figures.preset import PRESETS, Preset
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study
from cem_jax.experiments.figures.subjects import Missing, Subject

TOLERANCES = {
    "psnr": 0.005, "low": 0.02, "high": 0.02, "positive": 2.0, "negative": 2.0, "involved": 2.0,
    "strength": 0.01, "reach": 0.5, "reliability": 0.05,
}  # fmt: skip
"""By how much a number may differ where the same map is made again, on another machine or by
another version of JAX: in dB, in % of the blocks, in output pixels. Outputs differ there by
float32's rounding, about 1e-5; a block at the tolerance, or at the gate of a plan, may then fall on
its other side, which moves shares and ranges."""


@dataclasses.dataclass(frozen=True)
class Repeated:
    """A map that was made again, or was not.

    Args:
        figure: whose number it is.
        key: of the map.
        differences: by number, what was found less what is published.
        problem: why it was not made; empty if it was.
    """

    figure: str
    key: str
    differences: dict[str, float] = dataclasses.field(default_factory=dict)
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every number differs by no more than its tolerance."""
        return within_tolerances(self.differences)


def within_tolerances(differences: Mapping[str, float]) -> bool:
    """Whether differences from published numbers are no more than `TOLERANCES`, by number."""
    return all(abs(one) <= TOLERANCES[name] for name, one in differences.items())


def published(results: Any) -> Iterator[dict[str, Any]]:
    """What a record tells of single maps: each dictionary with a map's key and its PSNR."""
    if isinstance(results, dict):
        if "map" in results and "psnr" in results:
            yield results
        for value in results.values():
            yield from published(value)
    elif isinstance(results, list):
        for value in results:
            yield from published(value)


def check(
    folder: Path, weights: Path | None = None, *, names: Sequence[str], seed: int = 0,
    seconds: float = 600.0, tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Repeated]:  # fmt: skip
    """Makes maps behind published numbers again, in random order, until the time is over.

    Args:
        folder: with the records, NAME.json.
        weights: folder with official checkpoints.
        names: figures whose numbers are repeated.
        seed: of the order.
        seconds: after which no further map is begun; at least one is made.
        tell: receives a line for each file in `weights` that is no network of the zoo, and how many
            maps cannot be made.

    Yields:
        Each map that was tried.

    Raises:
        ValueError: the folder holds no numbers of these figures.
    """
    store, maps = Store(folder), {}
    for name in names:
        record = store.read(name)
        if record is None:
            continue
        for row in published(record["results"]):
            maps.setdefault(row["map"], (name, PRESETS[record["preset"]], row))
    if not maps:
        raise ValueError(f"{folder}: no published maps of {', '.join(names)}")
    keys = sorted(maps)
    order = [keys[k] for k in np.random.default_rng(seed).permutation(len(keys))]
    with tempfile.TemporaryDirectory() as temporary:
        known = subjects_here(weights, Store(Path(temporary)), tell)
        there = [key for key in order if key.partition("/")[0] in known]
        if len(there) < len(order):
            tell(
                f"{len(order) - len(there)} of {len(order)} published maps are left out: their "
                "weights are not here"
            )
        begun = time.perf_counter()
        for key in there:
            name, preset, row = maps[key]
            try:
                yield Repeated(name, key, _again(key, row, preset, known, Path(temporary)))
            except (Missing, ValueError) as problem:
                yield Repeated(name, key, problem=str(problem))
            if time.perf_counter() - begun > seconds:
                return


def differences(study: Study, key: str, row: dict[str, Any]) -> dict[str, float]:
    """What a map's numbers are less those of a record, by number.

    Args:
        study: with the map in its store.
        key: of the map there.
        row: of the record.
    """
    numbers = measure(study.store.map(key)) if "strength" in row else galleries.numbers(study, key)
    return {
        number: float(numbers[number] - row[number])
        for number in TOLERANCES
        if row.get(number) is not None and numbers.get(number) is not None
    }


def _again(
    key: str, row: dict[str, Any], preset: Preset, known: dict[str, Subject], folder: Path
) -> dict[str, float]:
    """Differences of a map's numbers, made again, from the published ones."""
    store = Store(folder)
    study = Study(preset, store, Clock(store.times), None, lambda line: None, progress=False)
    return differences(study, made_again(study, key, known), row)


def summary(found: Sequence[Repeated]) -> str:
    """Within what repeated numbers agree, in words."""
    made = [one for one in found if not one.problem]
    lines = [f"{len(made)} maps made again, {len(found) - len(made)} not."]
    for number, tolerance in TOLERANCES.items():
        differences = [abs(one.differences[number]) for one in made if number in one.differences]
        if differences:
            lines.append(
                f"{number}: {len(differences)} numbers agree within {max(differences):.2g} "
                f"(tolerance {tolerance:g})"
            )
    return "\n".join(lines)
