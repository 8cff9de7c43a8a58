"""Together with what a block acts: interactions of pairs, and joint effects of groups."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cem_jax.arguments import check_kind, one_of, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.effects.request import Request
from cem_jax.grid import ROI
from cem_jax.inside.joint import Joint
from cem_jax.inside.record_file import read_record, write_record
from cem_jax.inside.rounding import rounding
from cem_jax.map.effect_map import CONFIDENCE, EffectMap, Interval
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, psnr, unit
from cem_jax.plain_text import quoted, reason
from cem_jax.plans.drawing import RandomDraws
from cem_jax.plans.estimate import Means, sign_probability
from cem_jax.plans.plan import MOST_DRAWS
from cem_jax.pool.pool import PatchPool
from cem_jax.read_only import keep_read_only
from cem_jax.scene.scene import Scene
from cem_jax.show import html

_ARRAYS = ("blocks", "others", "effect", "standard_error", "own", "own_error")
_SIGNS = {"any": abs, "helpful": float, "harmful": lambda effect: -effect}


class Estimated(NamedTuple):
    """An effect, in the outcome's unit, and its standard error."""

    effect: float
    standard_error: float


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """How much more, or less, two blocks do together than each does alone.

    Args:
        blocks: row and column of the blocks along the matrix's rows, int [k, 2].
        others: of those along its columns, int [m, 2].
        effect: Q(do both) - Q(do one) - Q(do other) + Q(none), [k, m] in the outcome's unit: what
            is left of the outcome beyond what the two effects say. Positive where replacing both
            takes less than the sum. NaN where both are one block.
        standard_error: of it, [k, m], from the draws that all four outcomes share.
        own: the blocks' own effects, rows' before columns', [k + m].
        own_error: standard errors of these, [k + m].
        samples: draws behind every number.
        baseline: the outcome without an intervention, in its unit.
        unit: of the outcome.
        provenance: network, scene, pool, seed, outcome.
    """

    blocks: Int[np.ndarray, "k 2"]
    others: Int[np.ndarray, "m 2"]
    effect: Float[np.ndarray, "k m"]
    standard_error: Float[np.ndarray, "k m"]
    own: Float[np.ndarray, " k+m"]
    own_error: Float[np.ndarray, " k+m"]
    samples: int
    baseline: float
    unit: str
    provenance: Mapping[str, Any]

    __repr__ = by_shape
    _repr_html_ = html

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def sign_probability(self) -> Float[np.ndarray, "k m"]:
        """Probability that the sign is right, [k, m], as for a map."""
        degrees = np.full(self.effect.shape, self.samples - 1.0)
        return sign_probability(self.effect, self.standard_error, degrees)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals that hold the true interaction with the given confidence.

        They are t intervals.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [k, m] in the outcome's unit.

        Raises:
            ValueError: another confidence.
        """
        degrees = np.full(self.effect.shape, self.samples - 1.0)
        return Interval.around(self.effect, self.standard_error, degrees, confidence)

    def save(self, path: str | Path) -> None:
        """Writes a `.npz` file: the arrays by name, and one JSON text `record` with the rest.

        Args:
            path: the file.

        Raises:
            ValueError: the file cannot be written.
        """
        write_record(self, _ARRAYS, path)

    @classmethod
    def load(cls, path: str | Path) -> "Interactions":
        """Reads what `save` wrote.

        Args:
            path: the file.

        Returns:
            The interactions.

        Raises:
            ValueError: the file is missing, damaged, or of a newer format.
        """
        try:
            arrays, record = read_record(path, _ARRAYS)
            k, m = len(arrays["blocks"]), len(arrays["others"])
            shapes = ((k, 2), (m, 2), (k, m), (k, m), (k + m,), (k + m,))
            if tuple(arrays[name].shape for name in _ARRAYS) != shapes:
                raise ValueError("its arrays do not belong together")
            return cls(**arrays, **record)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"path={quoted(str(path))} holds no interactions: {reason(error)}"
            ) from error


class JointEffect(NamedTuple):
    """What replacing several blocks at once does, against the sum of what each does.

    Attributes:
        joint: Q(none) - Q(do all).
        summed: the sum of the members' own effects.
        interaction: summed - joint, from the same draws: positive where replacing all takes less
            than the sum.
        members: the members' own effects, in the order of the blocks.
    """

    joint: Estimated
    summed: Estimated
    interaction: Estimated
    members: tuple[Estimated, ...]


def strongest_blocks(
    effect_map: EffectMap, count: int, sign: str = "any"
) -> Int[np.ndarray, "n 2"]:
    """The blocks with the largest effects.

    Args:
        effect_map: a map.
        count: how many.
        sign: "any", "helpful" (positive effects only) or "harmful" (negative ones only).

    Returns:
        Rows and columns, int [at most count, 2], the strongest first.

    Raises:
        ValueError: another sign or count.
    """
    check_kind("effect_map", effect_map, EffectMap)
    count = whole_number("count", count, 1)
    sign = one_of("sign", sign, _SIGNS)
    flat = np.where(effect_map.inside_roi, 0.0, effect_map.effect).reshape(-1)
    strength = np.array([_SIGNS[sign](float(one)) for one in flat])
    order = [k for k in np.argsort(-strength, kind="stable")[:count] if strength[k] > 0]
    return np.stack(np.divmod(np.asarray(order, int), effect_map.effect.shape[1]), axis=1)


def interactions(
    network: Network,
    scene: Scene,
    roi: ROI,
    blocks: np.ndarray | Sequence[Sequence[int]],
    others: np.ndarray | Sequence[Sequence[int]] | None = None,
    *,
    samples: int = 16,
    outcome: Outcome | str | None = None,
    pool: PatchPool | None = None,
    block: int = 8,
    seed: int = 0,
    rounded: bool = False,
) -> Interactions:
    """Interactions of pairs of blocks.

    All four outcomes of a pair come from the same draws, which are also those of a map with this
    seed: draw k of the pair puts the k-th patches of both blocks. Where the network is local, and
    there is enough to compute that a program for it is worth compiling, both are computed by the
    cone of a square around them.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        blocks: row and column of blocks, int [k, 2]; for a map's see `strongest_blocks`.
        others: those that they are paired with, int [m, 2]; None pairs them with each other.
        samples: draws of every pair, at least 2.
        outcome: the score of (restored region, true region), or its name; None takes PSNR.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.

    Returns:
        The matrix. Where no draw of a pair deviates from the sum by more than float32 rounds, its
        interaction is exactly 0, and so is a block's own effect where no draw does.

    Raises:
        ValueError: arguments that do not fit, or an outcome that is not finite.
    """
    request, score = asked(network, scene, roi, outcome, pool, block, seed, rounded)
    samples = whole_number("samples", samples, 2, MOST_DRAWS)
    rows = cells_of("blocks", request, roi, blocks)
    columns = rows if others is None else cells_of("others", request, roi, others)
    cells = list(dict.fromkeys((*rows, *columns)))
    joint = Joint.make(request, roi, cells, samples)
    pairs = list(dict.fromkeys((min(a, b), max(a, b)) for a in rows for b in columns if a != b))
    changes = joint.changes([(cell,) for cell in cells] + pairs)
    own = dict(zip(cells, changes, strict=False))
    drawn = np.stack(
        [own[a] + own[b] - both for (a, b), both in zip(pairs, changes[len(cells) :], strict=True)]
    ) if pairs else np.zeros((0, samples))  # fmt: skip
    baseline = joint.baseline
    found = _estimated(_beyond_rounding(drawn, baseline))
    effect, error = np.full((2, len(rows), len(columns)), np.nan)
    number = {pair: k for k, pair in enumerate(pairs)}
    for i, a in enumerate(rows):
        for j, b in enumerate(columns):
            if a != b:
                k = number[min(a, b), max(a, b)]
                effect[i, j], error[i, j] = found.effect[k], found.standard_error[k]
    alone = np.stack([own[cell] for cell in (*rows, *columns)])
    alone = _estimated(_beyond_rounding(alone, baseline))
    return Interactions(
        places_of(request, rows), places_of(request, columns), effect, error, alone.effect,
        alone.standard_error, samples, baseline, unit(score), told(request, roi),
    )  # fmt: skip


def joint_effect(
    network: Network,
    scene: Scene,
    roi: ROI,
    blocks: np.ndarray | Sequence[Sequence[int]],
    *,
    samples: int = 16,
    outcome: Outcome | str | None = None,
    pool: PatchPool | None = None,
    block: int = 8,
    seed: int = 0,
    rounded: bool = False,
) -> JointEffect:
    """The effect of replacing a group of blocks at once, against the sum of its members' effects.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        blocks: row and column of the group's blocks, int [k, 2].
        samples: draws of the group and of every member, at least 2.
        outcome: as of `interactions`.
        pool: as of `interactions`.
        block: as of `interactions`.
        seed: as of `interactions`.
        rounded: as of `interactions`.

    Raises:
        ValueError: arguments that do not fit, or an outcome that is not finite.
    """
    request, _ = asked(network, scene, roi, outcome, pool, block, seed, rounded)
    samples = whole_number("samples", samples, 2, MOST_DRAWS)
    cells = cells_of("blocks", request, roi, blocks)
    joint = Joint.make(request, roi, cells, samples)
    changes = joint.changes([*((cell,) for cell in cells), tuple(cells)])
    summed = changes[:-1].sum(axis=0)
    rest = _beyond_rounding((summed - changes[-1])[None], len(cells) * joint.baseline)
    found = _estimated(np.concatenate([changes[-1:], summed[None], rest, changes[:-1]]))
    pairs = zip(found.effect, found.standard_error, strict=True)
    parts = [Estimated(float(effect), float(error)) for effect, error in pairs]
    return JointEffect(*parts[:3], members=tuple(parts[3:]))


def asked(
    network: Network, scene: Scene, roi: ROI, outcome: Outcome | str | None,
    pool: PatchPool | None, block: int, seed: int, rounded: bool,
) -> tuple[Request, Outcome]:  # fmt: skip
    """What a user asks for, checked, and its outcome."""
    scores = (psnr if outcome is None else outcome,)
    request = Request.make(
        network, scene, (roi,), scores, pool=pool, block=block, plan="fixed:2", seed=seed,
        rounded=rounded,
    )  # fmt: skip
    return request, next(iter(request.scores.values()))


def cells_of(name: str, request: Request, roi: ROI, blocks: Any) -> list[int]:
    """Blocks as numbers, different ones outside of the region."""
    try:
        found, shape = np.asarray(blocks), request.grid.shape
    except Exception as error:  # lists of different lengths, objects of somebody else's class
        raise ValueError(f"{name}={quoted(blocks)}: expected integers [n, 2]") from error
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise ValueError(f"{name} has shape {found.shape}; expected integers [n, 2], n at least 1")
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"{name} is {found.dtype}; expected integers [n, 2]")
    places = found.tolist()
    for row, column in places:
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ValueError(f"{name} holds {(row, column)}; the grid has {shape} cells")
        if request.inside(roi)[row, column]:
            raise ValueError(f"{name} holds {(row, column)}, which lies inside the region")
    cells = [row * shape[1] + column for row, column in places]  # small integers would overflow
    if len(set(cells)) < len(cells):
        raise ValueError(f"{name} holds a block twice; expected different ones")
    return cells


def places_of(request: Request, cells: Sequence[int]) -> Int[np.ndarray, "n 2"]:
    """Row and column of numbered blocks, int [n, 2]."""
    return np.stack(np.divmod(np.asarray(cells), request.grid.columns), axis=1)


def _beyond_rounding(
    drawn: Float[np.ndarray, "cells samples"], baseline: float
) -> Float[np.ndarray, "cells samples"]:
    """The draws, with zeros for a cell of which none is more than rounding."""
    more = np.abs(drawn).max(axis=1, keepdims=True, initial=0) > rounding(baseline)
    return np.where(more, drawn, 0.0)


def _estimated(drawn: Float[np.ndarray, "cells samples"]) -> Means:
    return RandomDraws().means(drawn, np.ones(drawn.shape, bool))


def told(request: Request, roi: ROI) -> dict[str, Any]:
    """What outcomes of given draws depend on, for the record."""
    found = request.configuration((roi,))
    return {name: value for name, value in found.items() if name != "plan"}
