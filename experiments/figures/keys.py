"""Keys of maps, read: what a map of a published record was made of, so that it is made anew.

`Study` writes them: network and fingerprint, task, photograph, block, pool and plan, region.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Place, Study
from cem_jax.experiments.figures.subjects import Subject, of_all_series


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a key asks for.

    Args:
        identity: network and fingerprint of its weights, as the key begins with them.
        task: "SR", "DN", "DR" or another that `scenes.make` takes.
        place: photograph and region.
        block: side of a block, in output pixels.
        pool: one of `study.POOLS`.
        plan: draws for each block.
    """

    identity: str
    task: str
    place: Place
    block: int
    pool: str
    plan: cem.Plan

    @classmethod
    def of(cls, key: str) -> "Asked":
        """What a key asks for.

        Args:
            key: of a map in a record.

        Raises:
            ValueError: its plan is none of those that figures compute maps with.
        """
        identity, task, where, how, region = key.split("/")
        name, _, side = where.rpartition("-")
        block, pool, plan = how.split("-", 2)
        y, x, size = (part.lstrip("yx") for part in region.split("-", 2))
        height, width = (int(number) for number in size.split("x"))
        place = Place(name, int(side), cem.ROI(int(y), int(x), height, width))
        return cls(identity, task, place, int(block.removeprefix("block")), pool, _plan(plan))


def made_again(study: Study, key: str, subjects: Mapping[str, Subject]) -> str:
    """Makes the map of a record anew, unless it is there.

    Args:
        study: where.
        key: of the map in the record.
        subjects: the networks that are here, see `subjects_here`.

    Returns:
        Its key in the study's store; records of early versions have keys without fingerprints.

    Raises:
        ValueError: its plan is not known, or its network is not here.
    """
    asked = Asked.of(key)
    if asked.identity not in subjects:
        raise ValueError(f"{asked.identity}: no file with these weights is here")
    return study.map(
        subjects[asked.identity], asked.task, asked.place, plan=asked.plan, block=asked.block,
        pool=asked.pool,
    )  # fmt: skip


def subjects_here(
    weights: Path | None, store: Store, tell: Callable[[str], None]
) -> dict[str, Subject]:
    """All networks that are here, by name and fingerprint.

    Those of which there is one file alone are found by their names too: older records have no
    fingerprints.

    Args:
        weights: folder with official checkpoints, or None.
        store: keeps what the files were recognised as.
        tell: receives a line for each file that is no network of the zoo.
    """
    found = [Subject(name) for name in cem.models.names() if cem.models.describe(name).bundled]
    if weights is not None:
        from cem_jax.experiments.figures.checkpoints import official

        for task in ("SR", "DN", "DR"):
            found += official(task, weights, store, tell)
    count = Counter(one.name for one in found)
    without = {one.name: one for one in found if count[one.name] == 1}
    return without | {f"{one.name}-{one.digest}": one for one in [*found, *of_all_series()]}


def _plan(slug: str) -> cem.Plan:
    """A plan by the end of a key: its name and its arguments."""
    name, *parts = slug.split("-")
    kinds = {one.__name__: one for one in (cem.Fixed, cem.CoarseToFine, cem.Adaptive)}
    if name not in kinds or len(parts) % 2:
        raise ValueError(f"plan {slug!r}: expected one of {', '.join(kinds)} and its arguments")
    arguments: dict[str, Any] = {}
    for argument, value in zip(parts[::2], parts[1::2], strict=True):
        number = None if value == "None" else float(value)
        whole = number is not None and number.is_integer() and "." not in value
        arguments[argument] = int(number) if whole and number is not None else number
    return kinds[name](**arguments)
