"""Which modules effects pass: the same draws with the output of each module held in turn."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cem_jax.arguments import several, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.effects.request import Request
from cem_jax.grid import ROI
from cem_jax.held.freeze import chosen, held_at_input
from cem_jax.held.operations import modules, selected, traced_on
from cem_jax.inside.interactions import asked, cells_of, places_of, told
from cem_jax.inside.record_file import read_record, write_record
from cem_jax.inside.rounding import rounding
from cem_jax.map.effect_map import CONFIDENCE, Interval
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, clip, clip_and_round, unit
from cem_jax.plain_text import path_text, quoted, reason
from cem_jax.plans.drawing import RandomDraws
from cem_jax.plans.estimate import sign_probability
from cem_jax.plans.plan import MOST_DRAWS
from cem_jax.pool.pool import PatchPool
from cem_jax.read_only import keep_read_only
from cem_jax.scene.scene import Scene
from cem_jax.show import html
from cem_jax.sweep.facts import check_output
from cem_jax.sweep.layout import Layout
from cem_jax.sweep.sweep import Sweep

_ARRAYS = (
    "blocks", "distance", "effect", "passes", "standard_error", "mean", "mean_error", "work",
)  # fmt: skip
_MOST_LAYERS = 16
"""Modules that are looked at where none are named."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layers:
    """How much of the effects of blocks passes each module of a network.

    Args:
        layers: paths of the modules, in the order of evaluation.
        blocks: row and column of the blocks, int [k, 2].
        distance: of each block from the region, in input pixels, [k].
        effect: of the blocks, [k] in the outcome's unit.
        passes: effect minus the effect with the module's output held, [layers, k].
        standard_error: of `passes`, [layers, k], from the draws that both share.
        mean: of `passes` over the blocks, [layers].
        mean_error: its standard error over draws, [layers].
        samples: draws of every block.
        work: multiply-adds of all evaluations, [1 + layers]; the first is without anything held.
        unit: of the outcome.
        provenance: network, scene, pool, seed, outcome.
    """

    layers: tuple[str, ...]
    blocks: Int[np.ndarray, "k 2"]
    distance: Float[np.ndarray, " k"]
    effect: Float[np.ndarray, " k"]
    passes: Float[np.ndarray, "layers k"]
    standard_error: Float[np.ndarray, "layers k"]
    mean: Float[np.ndarray, " layers"]
    mean_error: Float[np.ndarray, " layers"]
    samples: int
    work: Float[np.ndarray, " layers+1"]
    unit: str
    provenance: Mapping[str, Any]

    __repr__ = by_shape
    _repr_html_ = html

    def __post_init__(self) -> None:
        keep_read_only(self)

    @property
    def sign_probability(self) -> Float[np.ndarray, "layers k"]:
        """Probability that the sign of `passes` is right, [layers, k]."""
        degrees = np.full(self.passes.shape, self.samples - 1.0)
        return sign_probability(self.passes, self.standard_error, degrees)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Intervals of the means over blocks.

        They are t intervals.

        Args:
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [layers] in the outcome's unit.

        Raises:
            ValueError: another confidence.
        """
        degrees = np.full(self.mean.shape, self.samples - 1.0)
        return Interval.around(self.mean, self.mean_error, degrees, confidence)

    def by_distance(self, edges: Sequence[float]) -> Float[np.ndarray, "layers classes"]:
        """Mean of `passes` over the blocks of each class of distance.

        Args:
            edges: in input pixels, ascending; class k lies between edge k and edge k + 1.

        Returns:
            [layers, classes]; NaN where a class has no block.

        Raises:
            ValueError: edges that do not ascend.
        """
        return self._classes(edges)[0]

    def interval_by_distance(
        self, edges: Sequence[float], confidence: float = CONFIDENCE
    ) -> Interval:
        """Intervals of `by_distance`, over draws of the same blocks.

        Args:
            edges: as of `by_distance`.
            confidence: between 0 and 1.

        Returns:
            Lower and upper ends, each [layers, classes] in the outcome's unit.

        Raises:
            ValueError: another confidence, or edges that do not ascend.
        """
        mean, error = self._classes(edges)
        degrees = np.full(mean.shape, self.samples - 1.0)
        return Interval.around(mean, error, degrees, confidence)

    def _classes(
        self, edges: Sequence[float]
    ) -> tuple[Float[np.ndarray, "layers classes"], Float[np.ndarray, "layers classes"]]:
        """Means over the blocks of each class, and their standard errors, [layers, classes]."""
        ends = np.asarray(edges, float)
        if ends.ndim != 1 or len(ends) < 2 or not (np.diff(ends) > 0).all():
            raise ValueError(f"edges={quoted(edges)}: expected two or more ascending numbers")
        mean, error = np.full((2, len(self.layers), len(ends) - 1), np.nan)
        for k, (start, end) in enumerate(itertools.pairwise(ends)):
            here = (self.distance >= start) & (self.distance < end)
            if here.any():
                mean[:, k] = self.passes[:, here].mean(axis=1)
                squares = np.square(self.standard_error[:, here]).sum(axis=1)
                error[:, k] = np.sqrt(squares) / here.sum()
        return mean, error

    def save(self, path: str | Path) -> None:
        """Writes a `.npz` file: the arrays by name, and one JSON text `record` with the rest.

        Args:
            path: the file.

        Raises:
            ValueError: the file cannot be written.
        """
        write_record(self, _ARRAYS, path)

    @classmethod
    def load(cls, path: str | Path) -> "Layers":
        """Reads what `save` wrote.

        Args:
            path: the file.

        Returns:
            The record.

        Raises:
            ValueError: the file is missing, damaged, of another record, or of a newer format.
        """
        try:
            arrays, rest = read_record(path, _ARRAYS)
            layers = tuple(map(str, rest.pop("layers")))
            n, k = len(layers), len(arrays["blocks"])
            shapes = ((k, 2), (k,), (k,), (n, k), (n, k), (n,), (n,), (n + 1,))
            if tuple(arrays[name].shape for name in _ARRAYS) != shapes:
                raise ValueError("its arrays do not belong together")
            return cls(layers=layers, **arrays, **rest)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"path={path_text(path)} holds no layers: {reason(error)}") from error


def trace_layers(
    network: Network,
    scene: Scene,
    roi: ROI,
    blocks: np.ndarray | Sequence[Sequence[int]],
    layers: str | Sequence[str] | None = None,
    *,
    samples: int = 16,
    outcome: Outcome | str | None = None,
    pool: PatchPool | None = None,
    block: int = 8,
    seed: int = 0,
    rounded: bool = False,
) -> Layers:
    """How much of the effects of blocks passes each module.

    A module is held at what the unperturbed image makes of it (`freeze`); what is missing then of
    a block's effect passed it. Modules in a row are passed by the same effects, so that the rows do
    not add up. All draws are common, and the outcomes without anything held are shared.

    Args:
        network: the network.
        scene: clean image, input, and the task's do().
        roi: region of interest, in output pixels.
        blocks: row and column of blocks, int [k, 2]; for a map's see `strongest_blocks`.
        layers: modules by name or pattern, as `freeze` takes them, each a row of its own; None
            takes those of the deepest level that has at most 16.
        samples: draws of every block, at least 2.
        outcome: the score of (restored region, true region), or its name; None takes PSNR.
        pool: patches of `block` x `block` pixels; None takes the default pool.
        block: side of a block, in output pixels.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.

    Raises:
        ValueError: arguments that do not fit, a network without names, or one whose output is not
            finite, not in [0, 1], or not what its declared facts say.
    """
    request, score = asked(network, scene, roi, outcome, pool, block, seed, rounded)
    samples = whole_number("samples", samples, 2, MOST_DRAWS)
    cells = cells_of("blocks", request, roi, blocks)
    if layers is not None:
        layers = several("layers", [layers] if isinstance(layers, str) else layers, str, "names")
    check_output(request.network, scene, *scene.degraded.shape[:2])
    names = _layers(request, layers)
    traced = traced_on(request.network, scene)
    whole, baseline, work = _changes(request, roi, request.network, cells, samples)
    passes, spent = [], [work]
    for name in names:
        held = chosen(
            request.network, traced, selected(traced, request.network, scene, name, "layers")
        )
        if held.constant:
            passes.append(whole)
            spent.append(0.0)
            continue
        frozen = held_at_input(request.network, scene, held)
        if frozen is request.network:
            passes.append(np.zeros_like(whole))
            spent.append(0.0)
            continue
        left, _, work = _changes(request, roi, frozen, cells, samples)
        rest = whole - left
        small = not np.abs(rest).max() > rounding(baseline)
        passes.append(np.zeros_like(rest) if small else rest)
        spent.append(work)
    drawn = np.stack(passes)
    flat = drawn.reshape(-1, samples)
    found = RandomDraws().means(flat, np.ones(flat.shape, bool))
    # Draws of different blocks are independent: the mean's variance is that of their mean.
    error = found.standard_error.reshape(drawn.shape[:2])
    return Layers(
        names, places_of(request, cells), _distances(request, roi, cells), whole.mean(axis=1),
        found.effect.reshape(drawn.shape[:2]), error, drawn.mean(axis=(1, 2)),
        np.sqrt(np.square(error).sum(axis=1)) / len(cells), samples, np.asarray(spent),
        unit(score), told(request, roi),
    )  # fmt: skip


def _layers(request: Request, layers: Sequence[str] | None) -> tuple[str, ...]:
    """Paths of modules, in the order of evaluation."""
    traced, wanted = traced_on(request.network, request.scene), []
    paths = modules(traced)
    if layers is None:
        return _level(request.network, paths)
    for pattern in layers:
        operations_of = set(selected(traced, request.network, request.scene, pattern, "layers"))
        matching = [
            name for name in paths
            if name.count(".") == pattern.count(".")
            and set(selected(traced, request.network, request.scene, name)) <= operations_of
        ]  # fmt: skip
        wanted += matching or [pattern]
    return tuple(dict.fromkeys(wanted))


def _level(network: Network, paths: Sequence[str]) -> tuple[str, ...]:
    """The modules of the deepest level with few of them, and those above that have none in it."""
    if not paths:
        raise ValueError(
            f"layers=None: network {network.name} has no modules; name its operations, as "
            "cem.operations lists them"
        )
    best: list[str] = []
    for depth in range(max(name.count(".") for name in paths) + 1):
        parents = {name.rpartition(".")[0] for name in paths if name.count(".") <= depth}
        level = [
            name for name in paths
            if name.count(".") == depth or (name.count(".") < depth and name not in parents)
        ]  # fmt: skip
        if best and len(level) > _MOST_LAYERS:
            break
        best = level
    return tuple(best)


def _changes(
    request: Request, roi: ROI, network: Network, cells: Sequence[int], samples: int
) -> tuple[Float[np.ndarray, "cells samples"], float, float]:
    """What draws take from the outcome, [cells, samples]; the baseline; multiply-adds."""
    wanted = np.zeros(request.grid.shape, bool)
    wanted.flat[list(cells)] = True
    layout = Layout.make(
        network, request.scene, (roi,), request.grid, wanted,
        clip_and_round if request.rounded else clip, tuple(request.scores.values()),
        margin=request.margin, draws=(samples, samples),
    )  # fmt: skip
    sweep = Sweep.make(layout)
    each = np.repeat(np.asarray(cells), samples)
    draws = np.tile(np.arange(samples), len(cells))
    near = np.flatnonzero(layout.reach.flat[each])
    one = np.zeros(1, np.int64)
    outcomes, restored = sweep.baseline(request.interventions(sweep, one, one))
    start = float(outcomes[0])
    if network is request.network and np.isfinite(start):  # of the others, it is what is held
        other = request.interventions(sweep, each[near[:1]], one) if len(near) else None
        sweep.check(outcomes, restored, other)
    values = np.full(len(each), start)
    if len(near):
        for part, found in sweep.evaluate(request.interventions(sweep, each[near], draws[near])):
            values[near[part]] = found[:, 0]
    if not np.isfinite(values).all():
        raise ValueError(f"network={network.name}: an outcome is not finite")
    return (start - values).reshape(len(cells), samples), start, layout.cost * samples


def _distances(request: Request, roi: ROI, cells: Sequence[int]) -> Float[np.ndarray, " k"]:
    """Input pixels between blocks and the region, [k]."""
    place = places_of(request, cells) * request.grid.block
    inner = roi.in_input(request.scene.scale)
    lo, hi = np.array([inner.y, inner.x]), np.array([inner.y + inner.height, inner.x + inner.width])
    gap = np.maximum(lo - place - request.grid.block, place - hi)
    return np.maximum(gap, 0).max(axis=1).astype(float)
