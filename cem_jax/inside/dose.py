"""Of what a block's effect is made: effects of draws against what they pasted.

No network runs: a map keeps the outcome of every draw, and a draw knows its patch.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Integer

from cem_jax.arguments import check_kind, one_of, several
from cem_jax.by_shape import by_shape
from cem_jax.grid import Grid
from cem_jax.inside.features import FEATURES
from cem_jax.map.effect_map import CONFIDENCE, EffectMap
from cem_jax.plain_text import quoted
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.estimate import interval
from cem_jax.pool.pool import PatchPool
from cem_jax.pool.strata import patches_at
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene
from cem_jax.sweep.source import draw_patches

_BINS = 6
"""Parts of equal numbers of draws along a curve."""

_DISTANCES = (0, 1, 2, 4, 8, 16, 32, 64)
"""Edges of the classes of distance, in blocks between a block and the region."""

_LEAST = 3
"""Draws of a block that tell anything of a slope."""


class Slope(NamedTuple):
    """By how much the effect of a draw grows with a feature of what it pasted.

    Args:
        feature: its name.
        distance: of the blocks from the region, in blocks: from, and less than; None: all.
        value: effect per unit of the feature, in the outcome's unit.
        standard_error: from the scatter between blocks (clustered by block).
        low: lower end of the 95 % interval.
        high: its upper end.
        per_deviation: `value` times the feature's standard deviation within blocks.
        draws: behind it.
        blocks: behind it.
    """

    feature: str
    distance: tuple[int, int] | None
    value: float
    standard_error: float
    low: float
    high: float
    per_deviation: float
    draws: int
    blocks: int


class Curve(NamedTuple):
    """Mean effects of draws by a feature, differences between blocks taken out.

    Args:
        feature: mean of the feature in each part, [parts].
        effect: mean effect, [parts] in the outcome's unit.
        low: lower ends of 95 % intervals, from the scatter between blocks.
        high: their upper ends.
        draws: in each part.
    """

    feature: Float[np.ndarray, " parts"]
    effect: Float[np.ndarray, " parts"]
    low: Float[np.ndarray, " parts"]
    high: Float[np.ndarray, " parts"]
    draws: Int[np.ndarray, " parts"]


@dataclasses.dataclass(frozen=True, eq=False)
class Dose:
    """Effects of draws against what they pasted.

    Args:
        slopes: for all blocks, and by distance, of every feature.
        curves: by feature, of all blocks.
        unit: of the outcome.
        blocks: how many blocks took part.
        draws: how many draws.
    """

    slopes: tuple[Slope, ...]
    curves: Mapping[str, Curve]
    unit: str
    blocks: int
    draws: int

    __repr__ = by_shape

    def slope(self, feature: str, distance: tuple[int, int] | None = None) -> Slope:
        """One of the slopes.

        Args:
            feature: its name.
            distance: one of the classes in `slopes`, in blocks; None: of all blocks.

        Returns:
            The slope.

        Raises:
            ValueError: there is none of that name and distance.
        """
        for one in self.slopes:
            if (one.feature, one.distance) == (feature, distance):
                return one
        known = sorted({one.feature for one in self.slopes})
        raise ValueError(
            f"feature={quoted(feature)}, distance={distance}: expected one of {', '.join(known)}, "
            "and a distance of `slopes`"
        )

    def rows(self) -> list[dict[str, float | int | str]]:
        """The slopes as rows of a table.

        Returns:
            A row for each slope, see `markdown_table`.
        """
        return [
            {
                "feature": one.feature,
                "distance": "all" if one.distance is None else "{} to {}".format(*one.distance),
                "slope": one.value, "low": one.low, "high": one.high,
                "per_deviation": one.per_deviation, "draws": one.draws, "blocks": one.blocks,
            }
            for one in self.slopes
        ]  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class _Draws:
    """Draws of one map that count, one behind the other.

    Args:
        block: number of the block.
        distance: of the block from the region, in blocks.
        effect: baseline minus outcome.
        features: by name.
    """

    block: Integer[np.ndarray, " draws"]
    distance: Integer[np.ndarray, " draws"]
    effect: Float[np.ndarray, " draws"]
    features: Mapping[str, Float[np.ndarray, " draws"]]


def dose(
    maps: EffectMap | Sequence[EffectMap],
    scene: Scene | Sequence[Scene] | None = None,
    *,
    pool: PatchPool | None = None,
    blocks: str = "all",
) -> Dose:
    """What the effects of a map's draws depend on: brightness, contrast, ... of what they pasted.

    The effect of a draw is what it takes from the outcome: where a slope is negative, more of the
    feature leaves the region better. Slopes compare draws of one block with each other; their
    intervals come from how blocks differ (least squares with an intercept for each block, errors
    clustered by block).

    Args:
        maps: a map, or several of one unit and outcome. At least 3 draws of a block are needed.
        scene: of each map, for the pixels that were replaced; None takes them from the degraded
            input, which has its noise.
        pool: that the maps drew from; None takes the default pool.
        blocks: "all", or "helpful" or "harmful" ones by their effect at the map's tolerance.

    Returns:
        Slopes, by distance too, and curves.

    Raises:
        ValueError: arguments that do not fit, another pool or scene, draws that are not exact, or
            too few of them.
    """
    given = [maps] if isinstance(maps, EffectMap) else maps
    maps = several("maps", given, EffectMap, "effect maps")
    if len({(one.unit, one.outcome) for one in maps}) > 1:
        raise ValueError("maps: expected maps of one outcome")
    blocks = one_of("blocks", blocks, ("all", "helpful", "harmful"))
    scenes: list[Scene | None]
    if scene is None or isinstance(scene, Scene):
        scenes = [scene] * len(maps)
    else:
        scenes = several("scene", scene, Scene, "scenes")
    if len(scenes) != len(maps):
        raise ValueError(f"scene: {len(scenes)} scenes for {len(maps)} maps")
    pool = PatchPool.default(maps[0].block * maps[0].scale) if pool is None else pool
    check_kind("pool", pool, PatchPool)
    for effect_map, own in zip(maps, scenes, strict=True):
        _check_map(effect_map, own)
    found = [_drawn(m, s, pool, blocks) for m, s in zip(maps, scenes, strict=True)]
    shift = np.cumsum([0, *(m.effect.size for m in maps[:-1])])
    block = np.concatenate([one.block + k for one, k in zip(found, shift, strict=True)])
    if not len(block):
        raise ValueError(
            f"maps, blocks={quoted(blocks)}: no such block has {_LEAST} draws that count; a larger "
            "plan gives them"
        )
    distance = np.concatenate([one.distance for one in found])
    effect = np.concatenate([one.effect for one in found])
    slopes, curves = [], {}
    for name in FEATURES:
        feature = np.concatenate([one.features[name] for one in found])
        known = np.isfinite(feature)
        whole = _slope(name, None, block[known], feature[known], effect[known])
        if whole is None:
            continue
        slopes.append(whole)
        for edges in itertools.pairwise(_DISTANCES):
            here = known & (distance >= edges[0]) & (distance < edges[1])
            one = _slope(name, edges, block[here], feature[here], effect[here])
            slopes += [] if one is None else [one]
        curves[name] = _curve(block[known], feature[known], effect[known])
    return Dose(tuple(slopes), curves, maps[0].unit, len(np.unique(block)), len(block))


def _check_map(effect_map: EffectMap, scene: Scene | None) -> None:
    """Refuses draws that are not exact, and a scene that is not the map's."""
    if isinstance(effect_map.plan, Corrected):
        raise ValueError("maps: expected a plan whose draws are exact, not `Corrected`")
    if scene is None:
        return
    given = to_bytes(scene.degraded)
    if scene.scale != effect_map.scale or not np.array_equal(given, effect_map.degraded):
        raise ValueError(
            f"scene={quoted(scene.name or scene.task)}: its input is not that of the map"
        )


def _drawn(effect_map: EffectMap, scene: Scene | None, pool: PatchPool, blocks: str) -> _Draws:
    """A map's draws with their features."""
    channels = effect_map.degraded.shape[2]
    pool = pool.grey() if channels == 1 else pool
    told = effect_map.provenance.get("pool")
    if told != f"{pool.name} {pool.digest}":
        raise ValueError(f"pool: the map drew from {told}, this is {pool.name} {pool.digest}")
    plan, seed = effect_map.plan, effect_map.provenance.get("seed")
    if not isinstance(seed, int):
        raise ValueError("maps: a map's provenance does not tell its seed")
    values = effect_map.values.reshape(effect_map.effect.size, -1)
    counted = plan.counted(values) & ~effect_map.selected.reshape(-1, 1)
    if blocks != "all":
        effect = np.nan_to_num(effect_map.thresholded).reshape(-1, 1)
        counted = counted & ((effect > 0) if blocks == "helpful" else (effect < 0))
    counted = counted & (counted.sum(axis=1, keepdims=True) >= _LEAST)
    cells, draws = (one.astype(np.int32) for one in np.nonzero(counted))
    sequences = plan.patches(pool)
    if sequences is None:
        which = draw_patches(jax.random.key(seed), cells, draws, len(pool))
    else:
        which = patches_at(sequences, cells, draws)
    pasted = pool.patches[which].astype(np.float64) / 255
    replaced = _replaced(effect_map, scene)
    if scene is None and effect_map.scale > 1:  # in the input's own pixels
        side, s = effect_map.block, effect_map.scale
        small = pasted.reshape(len(pasted), side, s, side, s, channels).mean((2, 4))
    else:
        small = pasted
    own = replaced[cells]
    compared = ("colour distance", "similarity", "turn")
    features = {
        name: np.asarray(function(small if name in compared else pasted, own))
        for name, function in FEATURES.items()
    }
    effect = effect_map.baseline - values[cells, draws].astype(np.float64)
    return _Draws(cells, _distances(effect_map)[cells], effect, features)


def _replaced(effect_map: EffectMap, scene: Scene | None) -> Float[np.ndarray, "cells side side c"]:
    """What stands at each block, float64 [cells, side, side, c]; beyond the border it repeats."""
    side = effect_map.block
    if scene is None:
        image = effect_map.degraded / 255
    else:
        image, side = np.asarray(scene.clean, np.float64), side * effect_map.scale
    rows, columns = effect_map.effect.shape
    below, right = rows * side - image.shape[0], columns * side - image.shape[1]
    image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
    parts = image.reshape(rows, side, columns, side, image.shape[2]).swapaxes(1, 2)
    return parts.reshape(rows * columns, side, side, image.shape[2])


def _distances(effect_map: EffectMap) -> Int[np.ndarray, " cells"]:
    """Whole blocks that lie between each block and the region, [cells]."""
    height, width = effect_map.degraded.shape[:2]
    grid = Grid(height, width, effect_map.block)
    roi = effect_map.roi.in_input(effect_map.scale)
    found = np.full(grid.shape, -1)
    step = 0
    while (found < 0).any():
        near = grid.near(roi, step * grid.block) & (found < 0)
        found[near] = max(step - 1, 0)
        step += 1
    return found.reshape(-1)


def _centred(
    block: Integer[np.ndarray, " draws"], values: Float[np.ndarray, " draws"]
) -> tuple[Float[np.ndarray, " draws"], Int[np.ndarray, " draws"]]:
    """Values less their block's mean, and each draw's block as a number from 0 on."""
    _, number = np.unique(block, return_inverse=True)
    means = np.bincount(number, values) / np.bincount(number)
    return values - means[number], number


def _slope(
    name: str,
    distance: tuple[int, int] | None,
    block: Integer[np.ndarray, " draws"],
    feature: Float[np.ndarray, " draws"],
    effect: Float[np.ndarray, " draws"],
) -> Slope | None:
    """The slope within blocks; None where fewer than two blocks tell it."""
    if not len(block):
        return None
    x, number = _centred(block, feature)
    y, _ = _centred(block, effect)
    squares = np.square(x).sum()
    count = number.max() + 1
    if count < 2 or squares <= 1e-12:
        return None
    value = float((x * y).sum() / squares)
    scores = np.bincount(number, x * (y - value * x))
    error = float(np.sqrt(np.square(scores).sum() * count / (count - 1)) / squares)
    low, high = interval(np.asarray(value), np.asarray(error), np.asarray(count - 1.0), CONFIDENCE)
    deviation = float(np.sqrt(squares / max(len(x) - count, 1)))
    return Slope(
        name, distance, value, error, float(low), float(high), value * deviation, len(x),
        int(count),
    )  # fmt: skip


def _curve(
    block: Integer[np.ndarray, " draws"],
    feature: Float[np.ndarray, " draws"],
    effect: Float[np.ndarray, " draws"],
) -> Curve:
    """Mean effects in parts of equal numbers of draws."""
    y, number = _centred(block, effect)
    edges = np.quantile(feature, np.arange(1, _BINS) / _BINS)
    part = np.searchsorted(edges, feature, "right")
    kept = [k for k in range(_BINS) if (part == k).any()]
    centres, means, errors, draws, clusters = [], [], [], [], []
    for k in kept:
        here = part == k
        n = int(here.sum())
        mean = y[here].mean()
        scores = np.bincount(number[here], y[here] - mean)
        many = len(np.unique(number[here]))
        centres.append(feature[here].mean())
        means.append(mean + effect.mean())
        errors.append(np.sqrt(np.square(scores).sum() * many / max(many - 1, 1)) / n)
        draws.append(n)
        clusters.append(max(many - 1.0, 1.0))
    low, high = interval(np.asarray(means), np.asarray(errors), np.asarray(clusters), CONFIDENCE)
    return Curve(np.asarray(centres), np.asarray(means), low, high, np.asarray(draws))
