"""Outcomes of several blocks replaced at once, from the draws that each of them has alone."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Integer

from cem_jax import cone as cones
from cem_jax.effects.request import Request
from cem_jax.grid import ROI, Crop
from cem_jax.network.compiler_options import jitted
from cem_jax.network.network import Apply
from cem_jax.network.zoo import has_known_facts
from cem_jax.outcome import clip, clip_and_round
from cem_jax.sweep.facts import check_alone, check_output, check_region
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import FromPool, Source, draw_patches

_TOGETHER = 4
"""Images that the network restores at once."""

_MOST = 0.6
"""Share of the image's shorter side up to which a square around blocks is tried as a cone."""


@dataclasses.dataclass(frozen=True, eq=False)
class Joint:
    """Evaluates sets of blocks: each gets the patch of the same draw as alone.

    Args:
        request: network, scene, blocks, pool, seed.
        roi: the region.
        samples: draws of every set.
        patches: what do() writes, by cell: float32 [samples, side, side, c].
    """

    request: Request
    roi: ROI
    samples: int
    patches: dict[int, Float32[np.ndarray, "samples side side c"]]

    @classmethod
    def make(cls, request: Request, roi: ROI, cells: Sequence[int], samples: int) -> "Joint":
        """Draws the patches of cells.

        Args:
            request: network, scene, blocks, pool, seed.
            roi: the region.
            cells: row * columns + column, each once.
            samples: draws of every cell.
        """
        scene, grid = request.scene, request.grid
        height, width, _ = scene.degraded.shape
        check_output(request.network, scene, height, width)
        whole = Crop.make(height, width, roi, scene.scale, None, None)
        check_region(request.network, scene, roi, whole)
        key = jax.random.key(request.seed)
        each = np.repeat(np.asarray(cells, np.int32), samples)
        draws = np.tile(np.arange(samples, dtype=np.int32), len(cells))
        which = draw_patches(key, each, draws, len(request.pool.patches))
        source = FromPool(request.intervene, jnp.asarray(request.pool.patches), key)
        y, x = np.divmod(each, grid.columns)
        made = np.asarray(_made(source, y * grid.block, x * grid.block, (each, draws, which)))
        split = made.reshape(len(cells), samples, *made.shape[1:])
        return cls(request, roi, samples, dict(zip(map(int, cells), split, strict=True)))

    def corner(self, cell: int) -> tuple[int, int]:
        """First row and column of what is written for a cell, in input pixels."""
        grid, margin = self.request.grid, self.request.margin
        row, column = divmod(cell, grid.columns)
        return row * grid.block - margin, column * grid.block - margin

    @property
    def side(self) -> int:
        """Of what is written for a cell, in input pixels."""
        return self.request.grid.block + 2 * self.request.margin

    def check_apart(self, cells: Sequence[int]) -> None:
        """Refuses cells that would write over each other's margins.

        Raises:
            ValueError: the message names two of them.
        """
        if not self.request.margin:
            return
        for k, one in enumerate(cells):
            for other in cells[:k]:
                (a, b), (c, d) = self.corner(one), self.corner(other)
                if abs(a - c) < self.side and abs(b - d) < self.side:
                    columns = self.request.grid.columns
                    raise ValueError(
                        f"blocks: do() writes {self.side} x {self.side} pixels for a block, so "
                        f"that {divmod(other, columns)} and {divmod(one, columns)} overlap; choose "
                        "blocks further apart"
                    )

    def changes(self, sets: Sequence[tuple[int, ...]]) -> Float64[np.ndarray, "sets samples"]:
        """What replacing all blocks of a set takes from the outcome.

        Args:
            sets: cells, at least one in each.

        Returns:
            Q(none) - Q(do set) for each draw, float64 [sets, samples].

        Raises:
            ValueError: an outcome is not finite.
        """
        found = np.zeros((len(sets), self.samples))
        groups: dict[int | None, list[int]] = {}
        for number, cells in enumerate(sets):
            self.check_apart(cells)
            groups.setdefault(self._square(cells), []).append(number)
        for square, members in groups.items():
            chosen = [sets[number] for number in members]
            values = None
            if square is not None and self.samples * len(chosen) > self._least:
                values = self._by_cones(chosen, square)
            found[members] = self._whole(chosen) if values is None else values
        if not np.isfinite(found).all():
            bad = sets[int(np.argwhere(~np.isfinite(found))[0][0])]
            named = [divmod(cell, self.request.grid.columns) for cell in bad]
            raise ValueError(
                f"network={self.request.network.name}: an outcome is not finite after "
                f"interventions at blocks {named}"
            )
        return found

    @functools.cached_property
    def _least(self) -> float:
        """Evaluations below which a cone is not worth its compiling."""
        network, shape = self.request.network, self.request.scene.degraded[None].shape
        call = _with_params(network.apply, network.params)
        return cones.evaluations_worth_compiling(call, shape, network.params)

    def _hull(self, cells: Sequence[int]) -> tuple[Int[np.ndarray, "2"], Int[np.ndarray, "2"]]:
        """First row and column of all that is written, and those behind it."""
        corners = np.array([self.corner(cell) for cell in cells])
        return corners.min(axis=0), corners.max(axis=0) + self.side

    def _square(self, cells: Sequence[int]) -> int | None:
        """Side of the square for a set, of few different ones; None where the image is better."""
        lo, hi = self._hull(cells)
        need, side = int((hi - lo).max()), self.side
        while side < need:
            side += max(side // 2, 1)
        return side if side <= _MOST * min(self.request.scene.degraded.shape[:2]) else None

    def _pasted(
        self, cells: Sequence[int], lo: Int[np.ndarray, "2"], shape: Sequence[int]
    ) -> Float32[np.ndarray, "samples h w c"]:
        """A part of the input that begins at `lo`, with the blocks replaced, for each draw."""
        image = self.request.scene.degraded
        canvas = np.zeros((*shape, image.shape[2]), np.float32)
        (h, w), (top, left) = image.shape[:2], lo
        ends = min(h, top + shape[0]), min(w, left + shape[1])
        y, x = max(top, 0), max(left, 0)
        canvas[y - top : ends[0] - top, x - left : ends[1] - left] = image[y : ends[0], x : ends[1]]
        found = np.tile(canvas, (self.samples, 1, 1, 1))
        for cell in cells:
            a, b = np.array(self.corner(cell)) - lo
            skip = max(-a, 0), max(-b, 0)
            part = self.patches[cell][:, skip[0] :, skip[1] :]
            rows, columns = (part.shape[k] for k in (1, 2))
            a, b = max(a, 0), max(b, 0)
            room = found[:, a : a + rows, b : b + columns]
            room[...] = part[:, : room.shape[1], : room.shape[2]]
        return found

    def _by_cones(
        self, sets: Sequence[tuple[int, ...]], side: int
    ) -> Float64[np.ndarray, "sets samples"] | None:
        """The changes by cones of squares around the sets; None where they do not pay."""
        request, size = self.request, self.request.scene.degraded.shape[:2]
        origins = []
        for cells in sets:
            lo, hi = self._hull(cells)
            # Inside the image where it fits, so that squares are of one size.
            fitted = np.clip(lo, 0, np.maximum(np.array(size) - side, 0))
            origins.append(np.where(fitted + side >= hi, np.minimum(fitted, lo), lo))
        network, image = request.network, request.scene.degraded[None]
        plan = cones.plan(
            _with_params(network.apply, network.params), image.shape, _rectangle(self.roi), side,
            origins=np.unique(origins, axis=0), params=network.params,
            draws=(self.samples, self.samples),
        )  # fmt: skip
        if plan.dense and (plan.program_of >= 0).any():
            return None
        cone = plan.prepare(jnp.asarray(image), network.params)
        score, target = self._scoring
        start = float(_scored(score, cone.region[None], target)[0])
        found = np.zeros((len(sets), self.samples))
        for number, (cells, origin) in enumerate(zip(sets, origins, strict=True)):
            if plan.program_of[plan.index(origin)] < 0:
                continue
            patches = self._pasted(cells, origin, (side, side))
            regions = cone.evaluate(origin, jnp.asarray(patches))
            found[number] = start - np.asarray(_scored(score, regions, target), np.float64)
        return found

    def _whole(self, sets: Sequence[tuple[int, ...]]) -> Float64[np.ndarray, "sets samples"]:
        """The changes by the network on every changed image."""
        image, network = self.request.scene.degraded, self.request.network
        start = self._outcomes(image[None])[0]
        if np.isfinite(start) and not has_known_facts(network):
            beside = self._pasted(sets[0], np.zeros(2, int), image.shape[:2])
            both = self._outcomes(np.concatenate([image[None], beside[: _TOGETHER - 1]]))
            check_alone(network, start[None], both[:1])
        pasted = (self._pasted(one, np.zeros(2, int), image.shape[:2]) for one in sets)
        return np.stack([start - self._outcomes(images) for images in pasted])

    def _outcomes(self, images: Float32[np.ndarray, "n h w c"]) -> Float64[np.ndarray, " n"]:
        """Of whole images, some of them at once; compiled once for all regions of one size."""
        network, (score, target), found = self.request.network, self._scoring, []
        corner, size = (self.roi.y, self.roi.x), (self.roi.height, self.roi.width)
        for start in range(0, len(images), _TOGETHER):
            index = np.minimum(np.arange(start, start + _TOGETHER), len(images) - 1)
            regions = jitted(_region, (0, 1))(
                network.apply, size, network.params, jnp.asarray(images[index]), jnp.array(corner)
            )
            found.append(np.asarray(_scored(score, regions, target), np.float64))
        return np.concatenate(found)[: len(images)]

    @functools.cached_property
    def baseline(self) -> float:
        """The outcome without an intervention."""
        return float(self._outcomes(self.request.scene.degraded[None])[0])

    @functools.cached_property
    def _scoring(self) -> tuple[Score, Target]:
        roi, scene = self.roi, self.request.scene
        clean = scene.clean[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        part = roi.in_input(scene.scale)
        small = scene.degraded[part.y : part.y + part.height, part.x : part.x + part.width]
        corner = jnp.zeros((1, 2), jnp.int32)
        target = Target(jnp.asarray(clean), corner, jnp.asarray(small))
        return request_score(self.request, roi), target


def request_score(request: Request, roi: ROI) -> Score:
    """What becomes of a restored region."""
    finish = clip_and_round if request.rounded else clip
    return Score(finish, tuple(request.scores.values())[:1], ((roi.height, roi.width),))


def _rectangle(roi: ROI) -> tuple[int, int, int, int]:
    return roi.y, roi.x, roi.height, roi.width


def _with_params(apply: Apply, params: Any) -> Any:
    return functools.partial(apply, None) if params is None else apply


def _region(
    apply: Apply,
    size: tuple[int, int],
    params: Any,
    images: Float[jax.Array, "n h w c"],
    corner: Int[jax.Array, "2"],
) -> Float[jax.Array, "n H W C"]:
    restored = apply(params, images)
    start = (0, corner[0], corner[1], 0)
    return jax.lax.dynamic_slice(restored, start, (len(images), *size, restored.shape[3]))


@functools.partial(jax.jit, static_argnums=0)
def _scored(
    score: Score, regions: Float[jax.Array, "n h w c"], target: Target
) -> Float[jax.Array, " n"]:
    return score(regions, target)[0][:, 0]


@jax.jit
def _made(
    source: Source, y: Integer[jax.Array, " n"], x: Integer[jax.Array, " n"], items: Any
) -> Float[jax.Array, "n side side c"]:
    return jax.vmap(source)(y, x, items)
