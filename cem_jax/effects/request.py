"""What maps are asked for with: a network, a scene, a pool, a plan, outcomes; checked."""

import dataclasses
import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Int, UInt8

from cem_jax.arguments import check_kind, truth, whole_number
from cem_jax.cone.digest import (
    NoFingerprintError,
    digest_apply,
    digest_arrays,
    digest_function,
    digest_text,
)
from cem_jax.effects.compute import Compute
from cem_jax.effects.fitting import check_pair, do_shapes, grid_of, margin_of_do
from cem_jax.grid import ROI, Grid
from cem_jax.held.as_read import as_read
from cem_jax.held.on_scene import on_scene
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, as_outcome, clip, clip_and_round, tolerance
from cem_jax.plain_text import quoted
from cem_jax.plans.coarse_to_fine import CoarseToFine
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.names import as_plan, plan_record
from cem_jax.plans.plan import Plan, with_tolerance
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene
from cem_jax.store.objects import AnyPath, as_place
from cem_jax.sweep.chunks import Chunk
from cem_jax.sweep.corrected import corrected_sweep
from cem_jax.sweep.facts import named_errors
from cem_jax.sweep.layout import Layout, mixes_blocks
from cem_jax.sweep.score import Score, as_it_is, scored_shapes
from cem_jax.sweep.source import Interventions
from cem_jax.sweep.sweep import Sweep

_SEEDS = 2**32 - 1
"""The largest seed; JAX's keys hold 32 bits of it."""


@runtime_checkable
class Sweeps(Protocol):
    """What is asked of a sweep, see `cem_jax.sweep.sweep.Sweep`."""

    @property
    def layout(self) -> Layout:
        """What is computed."""
        ...

    @property
    def chunk(self) -> Chunk:
        """How many interventions go together."""
        ...

    @property
    def mesh(self) -> Mesh:
        """The devices."""
        ...

    def from_pool(
        self, intervene: Any, pool: Any, seed: int, cells: Any, draws: Any, patches: Any
    ) -> Interventions:
        """Interventions do(block = a patch drawn from the pool)."""
        ...

    def baseline(self, asked: Interventions) -> tuple[np.ndarray, np.ndarray]:
        """Outcomes without an intervention, and what is scored."""
        ...

    def check(self, outcomes: Any, restored: Any, other: Interventions | None) -> None:
        """Refuses a network that is not what it is said to be."""
        ...

    def evaluate(self, asked: Interventions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Which of the interventions, and their outcomes."""
        ...

    def regions(self, asked: Interventions) -> np.ndarray:
        """What is scored after interventions."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
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
        patches: the pool's patches that draws take, see `Plan.patches`.
        scores: the outcomes by their names; the first one steers the plan.
        seed: seed of all draws.
        rounded: score the output rounded to 8 bits.
        compute: how it is computed.
    """

    network: Network
    scene: Scene
    grid: Grid
    margin: int
    pool: PatchPool
    block: int
    plan: Plan
    patches: Int[np.ndarray, "sequences draws"] | Int[np.ndarray, " draws"] | None
    scores: Mapping[str, Outcome]
    seed: int
    rounded: bool
    compute: Compute

    @classmethod
    def make(
        cls,
        network: Network,
        scene: Scene,
        rois: Sequence[ROI],
        outcomes: Sequence[Outcome | str],
        *,
        pool: PatchPool | None = None,
        block: int = 8,
        plan: Plan | str | None = None,
        seed: int = 0,
        rounded: bool = False,
        compute: Compute | None = None,
        **how: Any,
    ) -> "Request":
        """Checks what a user asks for, and fills in the defaults.

        Raises:
            ValueError: arguments that do not fit; the message names them.
        """
        for roi in rois:
            check_pair(network, scene, roi)
        grid = grid_of(scene, block)
        block = whole_number("block", block, 1)
        margin = margin_of_do(scene, block, grid.block)
        pool = PatchPool.default(block) if pool is None else pool
        check_kind("pool", pool, PatchPool)
        if pool.size != block:
            raise ValueError(
                f"pool: its patches have {pool.size} x {pool.size} pixels; block={block}. "
                f"PatchPool.default({block}) and PatchPool.from_images(folder, size={block}) fit"
            )
        channels = scene.clean.shape[2]
        pool = pool.grey() if channels == 1 else pool
        if pool.channels != channels:
            raise ValueError("pool: its patches are grey, the scene is in colour")
        plan = CoarseToFine() if plan is None else as_plan(plan)
        seed = whole_number("seed", seed, 0, _SEEDS)
        compute = Compute() if compute is None else compute
        check_kind("compute", compute, Compute)
        region = (rois[0].height, rois[0].width, channels)
        given = {name: value for name, value in how.items() if value is not None}
        found = cls(
            on_scene(network, scene), scene, grid, margin, pool, block, plan, plan.patches(pool),
            _by_name(outcomes, region, scene.scale), seed, truth("rounded", rounded),
            dataclasses.replace(compute, **given),
        )  # fmt: skip
        for roi in rois:
            if found.inside(roi).all():
                raise ValueError(f"roi={roi}: it leaves no block of {block} pixels outside of it")
        for size in dict.fromkeys((roi.height, roi.width) for roi in rois):
            Score(clip, tuple(found.scores.values()), (size,)).check(channels, scene.scale)
        return found

    @property
    def directory(self) -> AnyPath | None:
        """Where it is kept."""
        return (
            None
            if self.compute.directory is None
            else as_place(self.compute.directory, "directory")
        )

    def inside(self, roi: ROI) -> Bool[np.ndarray, "rows columns"]:
        """The blocks that share a pixel with a region, bool [rows, columns]."""
        return self.grid.near(roi.in_input(self.scene.scale), 0)

    @functools.cached_property
    def intervene(self) -> Any:
        """The scene's do(), as it is now."""
        assert self.scene.intervene is not None
        given = do_shapes(self.block, self.scene.clean.shape[2])
        return as_read(self.scene.intervene, *given)

    @functools.cached_property
    def degraded(self) -> UInt8[np.ndarray, "h w c"]:
        """The scene's input as maps keep it."""
        return to_bytes(self.scene.degraded)

    @functools.cached_property
    def _digests(self) -> dict[str, str]:
        """Of what is large: maps so far need them again and again."""
        scene = self.scene
        return {
            "parameters": digest_arrays(jax.tree.leaves(self.network.params)),
            "images": digest_arrays(
                [scene.clean, scene.degraded, *jax.tree.leaves(scene.intervene)]
            ),
            "patches": "random" if self.patches is None else digest_arrays([self.patches]),
        }

    @functools.cached_property
    def _fingerprints(self) -> dict[str, str | NoFingerprintError]:
        """Of what holds code, whatever the region."""
        network = self.network
        given = do_shapes(self.block, self.scene.clean.shape[2])
        found = {
            "do": _fingerprint("scene", digest_function, self.intervene, *given),
            "plan": _fingerprint("plan", digest_text, plan_record(self.plan)),
        }
        if self.compute.directory is not None:  # to trace a network takes a while
            shape = (1, *self.scene.degraded.shape)
            with named_errors(network, shape):
                found["function"] = _fingerprint(
                    f"network={network.name}", digest_apply, network.apply, network.params, shape
                )
        return found

    def _scored(self, roi: ROI) -> dict[str, str | NoFingerprintError]:
        """Fingerprints of the outcomes of a region."""
        region, scale = (roi.height, roi.width, self.scene.clean.shape[2]), self.scene.scale
        return {
            name: _fingerprint(
                f"outcome={name}", digest_function, score, *scored_shapes(score, region, scale)
            )
            for name, score in self.scores.items()
        }

    def unknown(self, rois: Sequence[ROI]) -> str:
        """Why this request cannot be told from others, in words; empty if it can."""
        found = [
            *self._fingerprints.values(),
            *(one for roi in rois for one in self._scored(roi).values()),
        ]
        why = dict.fromkeys(str(one) for one in found if isinstance(one, NoFingerprintError))
        return "; ".join(why)

    def configuration(self, rois: Sequence[ROI]) -> dict[str, Any]:
        """All that the outcomes depend on, as JSON values."""
        network, scene = self.network, self.scene
        corners = [[roi.y, roi.x, roi.height, roi.width] for roi in rois]
        scored = [_shown(one) for roi in rois for one in self._scored(roi).values()]
        record = plan_record(self.plan)
        return {
            "network": network.name,
            "parameters": self._digests["parameters"],
            "scene": {"task": scene.task, "scale": scene.scale, **scene.facts},
            "images": self._digests["images"],
            "roi": corners[0] if len(corners) == 1 else corners,
            "pool": f"{self.pool.name} {self.pool.digest}",
            "patches": self._digests["patches"],
            "block": self.block,
            "outcomes": list(self.scores),
            "scores": list(dict.fromkeys(scored)),
            "rounded": self.rounded,
            "seed": self.seed,
            **{name: _shown(one) for name, one in self._fingerprints.items()},
            **({"plan": record} if isinstance(record, dict) else {}),
        }

    def steering(self, baseline: float) -> Plan:
        """The plan, with the tolerance of the first outcome where it has none of its own.

        Args:
            baseline: the first outcome of a region without an intervention.
        """
        score = next(iter(self.scores.values()))
        return with_tolerance(self.plan, tolerance(score, baseline))

    def layout(self, rois: Sequence[ROI]) -> Layout:
        """What is computed to score these regions, at every block outside of one of them."""
        outside = ~np.all([self.inside(roi) for roi in rois], axis=0)
        # What every block gets at first, and what those that matter may get at most.
        nothing = np.full((outside.size, self.plan.capacity), np.nan, np.float32)
        begins = self.plan.wanted(nothing, 0.0, outside.reshape(-1)).sum() / max(outside.sum(), 1)
        expected = (max(round(float(begins)), 1), self.plan.capacity)
        return Layout.make(
            self.network, self.scene, rois, self.grid, outside,
            clip_and_round if self.rounded else clip, tuple(self.scores.values()),
            margin=self.margin, draws=expected,
            mixed=mixes_blocks(self.compute.chunk, expected[1], self._devices),
        )  # fmt: skip

    @property
    def _devices(self) -> int:
        given = self.compute.devices
        return jax.local_device_count() if given is None else len(given)

    def sweep(self, layout: Layout) -> Sweeps:
        """A layout on the devices."""
        how = {"chunk": self.compute.chunk, "devices": self.compute.devices}
        if isinstance(self.plan, Corrected):
            return corrected_sweep(layout, self.plan.draws, **how)
        return Sweep.make(layout, **how)

    def interventions(
        self, sweep: Sweeps, cells: Int[np.ndarray, " n"], draws: Int[np.ndarray, " n"]
    ) -> Interventions:
        """Draws int [n] of cells int [n], for a sweep."""
        pool = self.pool.patches
        return sweep.from_pool(self.intervene, pool, self.seed, cells, draws, self.patches)


def _fingerprint(
    subject: str, digest: Callable[..., str], *arguments: Any
) -> str | NoFingerprintError:
    """A fingerprint, or why there is none."""
    try:
        return digest(*arguments)
    except NoFingerprintError as error:
        return NoFingerprintError(f"{subject}: {error}")


def _shown(found: str | NoFingerprintError) -> str:
    return found if isinstance(found, str) else "unknown"


def written_by() -> str:
    """The versions that compute, in words."""
    return ", ".join(f"{name} {version}" for name, version in versions().items())


def _by_name(
    outcomes: Sequence[Outcome | str], region: tuple[int, ...], scale: int
) -> dict[str, Outcome]:
    """Outcomes of regions of some shape by their names, which differ."""
    if isinstance(outcomes, str) or not isinstance(outcomes, Sequence):
        raise ValueError(f"outcomes={quoted(outcomes)}: expected a sequence of outcomes")
    functions = [as_outcome(one) for one in outcomes]
    scores = {str(getattr(one, "__name__", repr(one))): one for one in functions}
    if not scores or len(scores) != len(functions):
        raise ValueError(f"outcomes={quoted(outcomes)}: expected functions with different names")
    return {name: as_it_is(one, region, scale) for name, one in scores.items()}


def versions() -> dict[str, str]:
    """Of this package and those that its numbers come from."""
    return {name: importlib.metadata.version(name) for name in ("cem-jax", "jax", "flax", "numpy")}
