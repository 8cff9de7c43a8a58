"""What maps are asked for with: a network, a scene, a pool, a plan, outcomes; checked."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.grid import ROI, Grid
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, clip, clip_and_round
from cem_jax.plans.plan import CoarseToFine, Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.scene import Scene
from cem_jax.sweep.source import Work
from cem_jax.sweep.sweep import Sweep

_REMEDY = {
    1: "; make a grey scene: cem.to_grey(clean)",
    3: "; a grey photograph gets three equal channels by np.repeat(grey, 3, axis=2)",
}
"""How a scene gets the channels that a network takes."""


def check_pair(network: Network, scene: Scene, roi: ROI) -> None:
    """Refuses a network, a scene and a region that do not belong together."""
    for name, value, kind in (
        ("network", network, Network), ("scene", scene, Scene), ("roi", roi, ROI)
    ):  # fmt: skip
        if not isinstance(value, kind):
            raise ValueError(f"{name}={value!r}: expected a cem_jax.{kind.__name__}")
    if network.scale != scene.scale:
        raise ValueError(
            f"network={network.name}: its scale {network.scale} is not the scene's {scene.scale}"
        )
    takes, channels = getattr(network, "channels", None), scene.degraded.shape[2]
    if takes not in (None, channels):
        raise ValueError(
            f"network={network.name}: it takes images of {takes} channels, the scene has {channels}"
            f"{_REMEDY.get(takes, '')}"
        )
    height, width = scene.clean.shape[:2]
    roi.check(height, width, scene.scale)


def grid_of(scene: Scene, block: int) -> Grid:
    """The blocks of a scene's input; `block` is in output pixels."""
    height, width = scene.degraded.shape[:2]
    return Grid.make(height, width, block, scene.scale)


def check_chunk(chunk: int | None) -> int | None:
    """Refuses a chunk below one."""
    return None if chunk is None else whole_number("chunk", chunk, 1)


def _margin_of_do(scene: Scene, block: int, side: int) -> int:
    """Input pixels by which what do() writes exceeds the block, by the shapes alone.

    Raises:
        ValueError: there is no do(), or it cannot take the pool's patches.
    """
    if scene.intervene is None:
        raise ValueError("scene: it has no do() (intervene=None), so only outcomes() is possible")
    channels = scene.clean.shape[2]
    patch = jax.ShapeDtypeStruct((block, block, channels), np.float32)
    corner = jax.ShapeDtypeStruct((), np.int32)
    found = jax.eval_shape(scene.intervene, patch, corner, corner, jax.random.key(0)).shape
    margin = (found[0] - side) // 2 if found else 0
    if margin < 0 or found != (side + 2 * margin, side + 2 * margin, channels):
        raise ValueError(
            f"scene: do() made {found} of a patch; expected {(side, side, channels)}, or as many "
            "pixels more on every side"
        )
    return margin


@dataclasses.dataclass(frozen=True)
class Request:
    """Everything that maps depend on, but for their regions; see `causal_effect_map`.

    Args:
        network: the network.
        scene: with a do().
        grid: its blocks.
        margin: input pixels by which what do() writes exceeds a block.
        pool: patches of the blocks' size.
        block: side of a block, in output pixels.
        plan: how many draws each block gets.
        patches: the pool's patch that draw k takes, int [capacity]; None: a random one.
        scores: the outcomes by their names; the first one steers the plan.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.
        chunk: interventions evaluated together; None chooses.
        devices: that compute; None takes all.
    """

    network: Network
    scene: Scene
    grid: Grid
    margin: int
    pool: PatchPool
    block: int
    plan: Plan
    patches: np.ndarray | None
    scores: Mapping[str, Outcome]
    seed: int
    rounded: bool
    chunk: int | None
    devices: Sequence[Any] | None

    @classmethod
    def make(
        cls,
        network: Network,
        scene: Scene,
        rois: Sequence[ROI],
        outcomes: Sequence[Outcome],
        *,
        pool: PatchPool | None,
        block: int,
        plan: Plan | None,
        seed: int,
        rounded: bool,
        chunk: int | None,
        devices: Sequence[Any] | None,
    ) -> "Request":
        """Checks what a user asks for, and fills in the defaults.

        Raises:
            ValueError: arguments that do not fit; the message names them.
        """
        for roi in rois:
            check_pair(network, scene, roi)
        grid = grid_of(scene, block)
        margin = _margin_of_do(scene, block, grid.block)
        pool = PatchPool.default(block) if pool is None else pool
        if pool.size != block:
            raise ValueError(
                f"pool: its patches have {pool.size} x {pool.size} pixels; block={block}. "
                f"PatchPool.default({block}) and PatchPool.from_images(folder, size={block}) fit"
            )
        channels = scene.clean.shape[2]
        pool = pool.grey() if channels == 1 else pool
        if pool.channels != channels:
            raise ValueError("pool: its patches are grey, the scene is in colour")
        plan = CoarseToFine() if plan is None else plan
        seed = whole_number("seed", seed, 0)
        scores = {getattr(score, "__name__", repr(score)): score for score in outcomes}
        if not scores or len(scores) != len(outcomes):
            raise ValueError(f"outcomes={outcomes!r}: expected functions with different names")
        return cls(
            network, scene, grid, margin, pool, block, plan, plan.patches(pool), scores, seed,
            rounded, check_chunk(chunk), devices,
        )  # fmt: skip

    @property
    def shared(self) -> bool:
        """Whether several processes work on one map together."""
        return self.devices is None and jax.process_count() > 1

    def inside(self, roi: ROI) -> np.ndarray:
        """The blocks that share a pixel with a region, bool [rows, columns]."""
        return self.grid.near(roi.in_input(self.scene.scale), 0)

    def configuration(self, rois: Sequence[ROI]) -> dict[str, Any]:
        """All that the outcomes depend on, as JSON values."""
        network, scene = self.network, self.scene
        corners = [[roi.y, roi.x, roi.height, roi.width] for roi in rois]
        return {
            "network": network.name,
            "parameters": _digest(jax.tree.leaves(network.params)),
            "scene": {"task": scene.task, "scale": scene.scale, **scene.facts},
            "images": _digest([scene.clean, scene.degraded, *jax.tree.leaves(scene.intervene)]),
            "roi": corners[0] if len(corners) == 1 else corners,
            "pool": f"{self.pool.name} {self.pool.digest}",
            "block": self.block,
            "plan": repr(self.plan),
            "outcomes": list(self.scores),
            "rounded": self.rounded,
            "seed": self.seed,
        }

    def sweep(self, rois: Sequence[ROI]) -> Sweep:
        """The sweep that scores these regions, of every block outside of one of them."""
        outside = ~np.all([self.inside(roi) for roi in rois], axis=0)
        # What every block gets at first, and what those that matter may get at most.
        nothing = np.full((outside.size, self.plan.capacity), np.nan, np.float32)
        begins = self.plan.wanted(nothing, 0.0, outside.reshape(-1)).sum() / max(outside.sum(), 1)
        expected = (max(round(float(begins)), 1), self.plan.capacity)
        return Sweep.make(
            self.network, self.scene, rois, self.grid, outside,
            clip_and_round if self.rounded else clip, tuple(self.scores.values()),
            margin=self.margin, draws=expected, chunk=self.chunk, devices=self.devices,
        )  # fmt: skip

    def work(self, sweep: Sweep, cells: np.ndarray, draws: np.ndarray) -> Work:
        """Draws int [n] of cells int [n], for a sweep."""
        assert self.scene.intervene is not None
        intervene, pool = self.scene.intervene, self.pool.patches
        return sweep.work(intervene, pool, self.seed, cells, draws, self.patches)


def _digest(arrays: list[Any]) -> str:
    """A fingerprint of arrays: their shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        value = np.ascontiguousarray(np.asarray(array))
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]
