"""A job: maps of many networks, scenes and regions."""

import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from cem_jax.arguments import several, truth, whole_number
from cem_jax.inside.mediated_maps import PARTS
from cem_jax.jobs.asked import FILES, MapOf
from cem_jax.jobs.asked import INDEX as INDEX
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, as_outcome, psnr
from cem_jax.plain_text import quoted
from cem_jax.plans.names import as_plan
from cem_jax.plans.plan import Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.scene import Scene
from cem_jax.store.lock import LOCKS

_NOT_IN_NAMES = '/\\:*?"<>|'
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
_LONGEST_LABEL = 200
"""Of the 255 bytes that a name may have."""
_TOGETHER = 16
"""Regions of one image that may share a sweep."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be made; `read_job` takes it from a file.

    Args:
        networks: how each network is loaded, by label.
        scenes: how each scene is made, by label.
        maps: what is wanted. Those of one network and scene stand together, so that what is
            loaded and compiled for one serves the next.
        pool: patches of `block` x `block` pixels, or a function that loads them; None takes the
            default pool.
        block: side of a block, in output pixels.
        plan: how many draws each block gets, or its name as in "adaptive:64"; None takes the
            paper's `CoarseToFine()`.
        outcomes: scores of (restored region, true region), or their names; the first one steers the
            plan.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.
        through: a mediator, as `mediated_maps` takes it: "global", or names of modules or
            operations. Then every map comes as three, of total, direct and pure indirect effects,
            of the one outcome. None makes maps alone.

    Raises:
        ValueError: no maps, one that is asked for twice or names what is not there, a label that
            cannot be a folder's name, or a mediator beside several outcomes.
    """

    networks: Mapping[str, Callable[[], Network]]
    scenes: Mapping[str, Callable[[], Scene]]
    maps: Sequence[MapOf]
    pool: PatchPool | Callable[[], PatchPool] | None = None
    block: int = 8
    plan: Plan | str | None = None
    outcomes: Sequence[Outcome | str] = (psnr,)
    seed: int = 0
    rounded: bool = False
    through: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name, parts in (("networks", self.networks), ("scenes", self.scenes)):
            if not isinstance(parts, Mapping) or not all(map(callable, parts.values())):
                raise ValueError(f"{name}={quoted(parts)}: expected functions by label")
            check_labels(parts)
        if not (self.pool is None or callable(self.pool) or isinstance(self.pool, PatchPool)):
            raise ValueError(f"pool={quoted(self.pool)}: expected a cem_jax.PatchPool")
        object.__setattr__(self, "block", whole_number("block", self.block, 1))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0, 2**32 - 1))
        object.__setattr__(self, "rounded", truth("rounded", self.rounded))
        if self.plan is not None:
            object.__setattr__(self, "plan", as_plan(self.plan))
        if isinstance(self.outcomes, str) or not isinstance(self.outcomes, Sequence):
            raise ValueError(f"outcomes={quoted(self.outcomes)}: expected a sequence of outcomes")
        object.__setattr__(self, "outcomes", tuple(map(as_outcome, self.outcomes)))
        if self.through is not None:
            object.__setattr__(self, "through", _mediator(self.through))
            if len(self.outcomes) > 1:
                given = quoted(self.through)
                raise ValueError(f"through={given}: expected one outcome beside it")
        several("maps", self.maps, MapOf, "cem_jax.MapOf")
        seen = set()
        for one in self.maps:
            if one.network not in self.networks or one.scene not in self.scenes:
                raise ValueError(f"maps holds {one}: no such network or scene")
            if one in seen:
                raise ValueError(f"maps holds {one} twice")
            seen.add(one)

    @functools.cached_property
    def patches(self) -> PatchPool | None:
        """The pool itself; None stands for the default one."""
        return self.pool() if callable(self.pool) else self.pool

    @property
    def names(self) -> list[str]:
        """Names of the maps that each place gets: of outcomes, or of one and the paths' parts."""
        names = [str(getattr(one, "__name__", repr(one))) for one in self.outcomes]
        return names if self.through is None else [*names, *PARTS[1:]]

    @property
    def parts(self) -> list[tuple[MapOf, ...]]:
        """The maps in order, those together whose regions may share a sweep."""
        found = []
        for _, alike in itertools.groupby(self.maps, lambda one: (one.network, one.scene)):
            several = list(alike)
            starts = range(0, len(several), _TOGETHER)
            found += [tuple(several[start : start + _TOGETHER]) for start in starts]
        return found


def check_labels(labels: Iterable[str]) -> None:
    """Refuses labels that cannot be folders beside one another on every system.

    Raises:
        ValueError: the message names one of them.
    """
    seen: dict[str, str] = {}
    for label in labels:
        check_label(label)
        alike = unicodedata.normalize("NFC", label).casefold()
        if alike in seen:
            raise ValueError(
                f"label {quoted(label)}: on some systems it is the same folder as "
                f"{quoted(seen[alike])}; expected another name"
            )
        seen[alike] = label


def _mediator(through: str | Sequence[str]) -> tuple[str, ...]:
    names = (through,) if isinstance(through, str) else through
    if not isinstance(names, Sequence) or not names or not all(
        isinstance(one, str) and one for one in names
    ):  # fmt: skip
        raise ValueError(
            f"through={quoted(through)}: expected 'global', or names as cem.operations lists them"
        )
    return tuple(names)


def check_label(label: str) -> None:
    """Refuses what cannot be a folder's name on every system, or is a file of the job's own.

    Raises:
        ValueError: the message names it.
    """
    if not isinstance(label, str):
        raise ValueError(f"label {quoted(label)}: expected a text")
    if not label.isprintable() or label.strip(" ") != label or set(label) & set(_NOT_IN_NAMES):
        raise ValueError(
            f"label {quoted(label)}: expected a folder's name, without {' '.join(_NOT_IN_NAMES)} "
            "and without a space at its end"
        )
    if not label or label.startswith(".") or label.endswith("."):
        raise ValueError(f"label {quoted(label)}: expected a name, without a dot at either end")
    if len(label.encode()) > _LONGEST_LABEL:
        raise ValueError(f"label {quoted(label[:20])}...: expected at most {_LONGEST_LABEL} bytes")
    if label.lower() in (LOCKS, *FILES):
        raise ValueError(f"label {quoted(label)}: a file of this name lies in every job's folder")
    if label.lower().partition(".")[0] in _DEVICES:
        raise ValueError(f"label {quoted(label)}: no folder can have this name on Windows")
