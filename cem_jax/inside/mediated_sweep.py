"""Outcomes of the same interventions along all paths, along some, and along the others.

Of every draw: f(do), the network g with the mediator held at the unperturbed image's values, g(do),
and g at the unperturbed image with the mediator as do() makes it. Where the network runs on every
changed image anyway, the first run gives the mediator to the last one, of which only what the
region needs is computed.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from cem_jax import cone as cones
from cem_jax.cone.baseline import Baseline
from cem_jax.cone.regions import Boxes
from cem_jax.effects.request import Request, Sweeps
from cem_jax.grid import ROI
from cem_jax.held.apply import Held
from cem_jax.held.freeze import chosen, given, held_at_input
from cem_jax.held.operations import selected, traced_on
from cem_jax.network.network import Network
from cem_jax.plain_text import quoted
from cem_jax.sweep.chunks import Chunk
from cem_jax.sweep.dense import Dense, DenseProgram
from cem_jax.sweep.devices import on_every_device
from cem_jax.sweep.facts import check_range
from cem_jax.sweep.layout import Layout
from cem_jax.sweep.score import Score, Target
from cem_jax.sweep.source import Interventions
from cem_jax.sweep.sweep import Sweep

TOTAL, DIRECT, PURE = range(3)
"""Columns of the outcomes."""


@dataclasses.dataclass(frozen=True)
class Mediator:
    """A network, and operations of it through which effects may pass.

    Args:
        network: the network.
        frozen: the same with the operations held; the network itself where nothing passes them.
        held: how the operations are held.
        names: of the operations.
    """

    network: Network
    frozen: Network
    held: Held | None
    names: tuple[str, ...]

    @classmethod
    def make(cls, request: Request, through: str | Sequence[str]) -> "Mediator":
        """Finds the operations.

        Raises:
            ValueError: they cannot be named or held; see `cem_jax.held`.
        """
        network, scene = request.network, request.scene
        traced = traced_on(network, scene)
        names = selected(traced, network, scene, through, "through")
        if not names:
            return cls(network, network, None, names)
        held = chosen(network, traced, names)
        if held.constant:  # all passes: what is left along other paths is the output as it is
            raise ValueError(
                f"through={quoted(through)}: with it held nothing in network {network.name} "
                "depends on the image: its effects are the total ones"
            )
        frozen = held_at_input(network, scene, held)
        return cls(network, frozen, held, names)

    @property
    def passes(self) -> bool:
        """Whether anything passes it."""
        return self.frozen is not self.network

    @property
    def before(self) -> tuple[Held | None, Any, Any]:
        """What of the network was held already, its own parameters, the values held already."""
        network = self.network
        if isinstance(network.apply, Held):
            return network.apply, *network.params
        return None, network.params, ()

    def pure(self, image: np.ndarray) -> Network:
        """The unperturbed image, restored with the mediator as another image makes it."""
        before, own, kept = self.before
        assert self.held is not None
        apply = _Pure(self.held, before)
        return dataclasses.replace(
            self.frozen, apply=apply, params=(own, kept, jnp.asarray(image)[None])
        )


@dataclasses.dataclass(frozen=True)
class _Pure:
    """`apply` of a network that sees an image through the mediator alone."""

    held: Held
    before: Held | None

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        own, kept, image = params

        def one(changed: jax.Array) -> jax.Array:
            made = given(self.held, self.before, own, kept, changed[None])[1]
            return self.held((own, made), image)

        return one(x[0]) if len(x) == 1 else jax.vmap(one)(x)[:, 0]


@dataclasses.dataclass(frozen=True)
class _Program(DenseProgram):
    """f(do), and under it the unperturbed image with the mediators of do()."""

    held: Held | None = None
    before: Held | None = None

    def regions(self, params: Any, images: jax.Array, corner: jax.Array) -> jax.Array:
        """Both regions of the images [n, h, w, c], one above the other."""
        own, kept, image = params
        held, before = self.held, self.before
        assert held is not None and self.corner is not None
        top, left = self.corner
        height, width = self.region[0] // 2, self.region[1]

        def one(x: jax.Array) -> tuple[jax.Array, Any]:
            if before is None:
                return _region_and_mediators(held, (top, left, height, width), own, x[None])
            restored, made = given(held, before, own, kept, x[None])
            return restored[0, top : top + height, left : left + width], made

        def pure(made: Any) -> jax.Array:
            return cones.restricted(held, (own, made), image, (top, left, height, width))[0]

        total, made = jax.vmap(one)(images)
        return jnp.concatenate([total, jax.vmap(pure)(made)], axis=1)


def _region_and_mediators(
    held: Held, roi: tuple[int, int, int, int], params: Any, x: jax.Array
) -> tuple[jax.Array, tuple[tuple[jax.Array, ...], ...]]:
    """What `given` says, of the output the region alone: behind the mediators less is computed."""
    graph, (top, left, height, width) = held.graph, roi
    assert isinstance(graph.output, int)
    channels = graph.shapes[graph.output][3]
    outputs = {eq.outputs[0]: eq.outputs for eq in graph.equations}
    extents = {
        (number, None): Boxes.whole(graph.shapes[number])
        for first in held.exits
        for number in outputs[first]
    }
    box = Boxes.of(np.array([[0, top, left, 0]]), (1, height, width, channels))
    baseline = Baseline.make(graph, extents, box)
    leaves, constants = jax.tree.leaves(params), list(graph.constants.values())
    arrays, region = baseline.run(leaves, constants, x)
    found = {number: array for (number, _), array in zip(extents, arrays, strict=True)}
    return region[0], tuple(tuple(found[n] for n in outputs[first]) for first in held.exits)


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """A sweep of its own, for some of the columns.

    Args:
        sweep: what it computes.
        columns: which outcomes these are.
        reach: blocks that can change them, bool [cells].
    """

    sweep: Sweeps
    columns: tuple[int, ...]
    reach: np.ndarray

    @classmethod
    def make(cls, request: Request, roi: ROI, network: Network, column: int) -> "_Part":
        layout = dataclasses.replace(request, network=network).layout((roi,))
        return cls(request.sweep(layout), (column,), layout.reach.reshape(-1))

    def all(self, asked: Interventions, baseline: np.ndarray) -> np.ndarray:
        """The outcomes [n, columns] of all interventions."""
        found = np.tile(baseline[list(self.columns)].astype(np.float32), (len(asked.cells), 1))
        near = np.flatnonzero(self.reach[asked.cells])
        if len(near):
            own = Interventions(asked.source, *asked.take(near))
            for part, values in self.sweep.evaluate(own):
                found[near[part]] = values
        return found


@dataclasses.dataclass(frozen=True)
class MediatedSweep:
    """Total, direct and pure indirect outcomes of interventions.

    Args:
        main: gives its outcomes chunk by chunk.
        others: give theirs before.
        region: height of the region, in pixels.
        passes: whether anything passes the mediator; else only total outcomes are computed.
    """

    main: _Part
    others: tuple[_Part, ...]
    region: int
    passes: bool

    @classmethod
    def make(cls, request: Request, roi: ROI, mediator: Mediator) -> "MediatedSweep":
        """Plans the sweeps of a region."""
        layout = request.layout((roi,))
        if not mediator.passes:
            main = _Part(request.sweep(layout), (TOTAL,), layout.reach.reshape(-1))
            return cls(main, (), roi.height, False)
        direct = _Part.make(request, roi, mediator.frozen, DIRECT)
        if layout.dense:
            main = _together(request, layout, roi, mediator)
            return cls(main, (direct,), roi.height, True)
        main = _Part(request.sweep(layout), (TOTAL,), layout.reach.reshape(-1))
        pure = _Part.make(request, roi, mediator.pure(request.scene.degraded), PURE)
        return cls(main, (direct, pure), roi.height, True)

    @property
    def mesh(self) -> Mesh:
        """The devices."""
        return self.main.sweep.mesh

    @property
    def layout(self) -> Layout:
        """What is computed for total outcomes."""
        return self.main.sweep.layout

    @property
    def chunk(self) -> Chunk:
        """How many interventions go together for total outcomes."""
        return self.main.sweep.chunk

    @property
    def note(self) -> str:
        """What is computed, in words."""
        names = {TOTAL: "total", DIRECT: "direct", PURE: "pure indirect"}
        return " ".join(
            f"{' and '.join(names[k] for k in part.columns)}: {part.sweep.layout.note}"
            for part in (self.main, *self.others)
        )

    def from_pool(
        self, intervene: Any, pool: Any, seed: int, cells: Any, draws: Any, patches: Any
    ) -> Interventions:
        """See `Sweep.from_pool`."""
        return self.main.sweep.from_pool(intervene, pool, seed, cells, draws, patches)

    def baseline(self, asked: Interventions) -> tuple[np.ndarray, np.ndarray]:
        """The three outcomes without an intervention, and what is scored of the total one."""
        values, restored = self.main.sweep.baseline(asked)
        found = np.full(3, values[0], np.float32)
        found[list(self.main.columns)] = values
        for part in self.others:
            found[list(part.columns)] = part.sweep.baseline(asked)[0]
        return found, restored[: self.region]

    def regions(self, asked: Interventions) -> np.ndarray:
        """What is scored of the total outcome after interventions."""
        return self.main.sweep.regions(asked)[:, : self.region]

    def check(
        self, outcomes: np.ndarray, restored: np.ndarray, other: Interventions | None
    ) -> None:
        """Refuses a network that is not what it is said to be, as `Sweep.check`."""
        if len(self.main.columns) == 1:
            self.main.sweep.check(outcomes[list(self.main.columns)], restored, other)
            return
        layout = self.main.sweep.layout
        roi = layout.rois[0]
        clean = layout.scene.clean[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        check_range(layout.network, layout.scene, restored, clean)

    def evaluate(self, asked: Interventions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Which interventions, int [m], and their three outcomes [m, 3]; in any order."""
        baseline = self._baselines(asked)
        columns = {
            column: part.all(asked, baseline)[:, place]
            for part in self.others
            for place, column in enumerate(part.columns)
        }
        for index, values in self.main.sweep.evaluate(asked):
            found = np.empty((len(index), 3), np.float32)
            for place, column in enumerate(self.main.columns):
                found[:, column] = values[:, place]
            if not self.passes:
                found[:, DIRECT], found[:, PURE] = values[:, 0], baseline[PURE]
            for column, own in columns.items():
                found[:, column] = own[index]
            yield index, found

    def _baselines(self, asked: Interventions) -> np.ndarray:
        one = Interventions(asked.source, *asked.take(np.zeros(1, np.int64)))
        return self.baseline(one)[0]


def _together(request: Request, layout: Layout, roi: ROI, mediator: Mediator) -> _Part:
    """Total and pure indirect outcomes by one program on every changed image."""
    before, own, kept = mediator.before
    scene, grid, scale = request.scene, request.grid, request.scene.scale
    plain = Sweep.make(layout, chunk=request.compute.chunk, devices=request.compute.devices)
    score = Score(layout.score.finish, layout.score.outcomes, ((roi.height, roi.width),) * 2)
    side = grid.block + 2 * layout.margin
    program = _Program(
        layout.network.apply, side, (2 * roi.height, roi.width), (roi.y, roi.x), score,
        mediator.held, before,
    )  # fmt: skip
    clean = scene.clean[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
    part = roi.in_input(scale)
    degraded = scene.degraded[part.y : part.y + part.height, part.x : part.x + part.width]
    twice = [jnp.asarray(np.concatenate([one, one])) for one in (clean, degraded)]
    target = Target(twice[0], jnp.asarray([[0, 0], [roi.height, 0]], jnp.int32), twice[1])
    image = jnp.asarray(scene.degraded)
    origin = np.full(2, layout.margin, np.int32)
    fixed = ((own, kept, image[None]), image, target, np.array([roi.y, roi.x], np.int32), origin)
    method = Dense(program, plain.mesh, grid, on_every_device(fixed, plain.mesh))
    sweep = Sweep(layout, method, plain.chunk, plain.mesh)
    return _Part(sweep, (TOTAL, PURE), layout.reach.reshape(-1))
