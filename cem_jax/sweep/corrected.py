"""A sweep whose draws are computed by two windows, and some of them again on the whole image."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from cem_jax import cone as cones
from cem_jax.scene.intervene import Intervene
from cem_jax.sweep.layout import Layout, found_or_made
from cem_jax.sweep.source import Interventions
from cem_jax.sweep.sweep import Sweep

_WORTH = 0.4
"""Share of the exact work from which windows are not worth their corrections: they take up to 1.5
times as long as their multiply-adds say."""


def close_layout(layout: Layout) -> Layout | None:
    """The same interventions by two windows; None where the exact way costs hardly more.

    Args:
        layout: how they are computed exactly.
    """
    if not layout.dense or not layout.reach.any() or not layout.work.crop:
        return None
    network, crop, plan = layout.network, layout.crop, layout.plan
    function = network.apply
    if network.params is None:
        function = functools.partial(network.apply, None)
    params = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.numpy.result_type(a)), network.params
    )
    inner = crop.roi
    rectangle = (inner.y, inner.x, inner.height, inner.width)

    def made() -> cones.ConePlan | None:
        return cones.two_windows(
            function, plan.shape, rectangle, plan.block, origins=plan.origins, params=params
        )

    parts = ("two windows", plan.shape, rectangle, plan.block, plan.origins.tobytes())
    found, name = found_or_made(network.apply, params, plan.shape, plan.origins, parts, made)
    if found is None or float(found.multiply_adds.programs.mean()) > _WORTH * layout.work.crop:
        return None
    # Blocks that do not reach the region are not asked for.
    return dataclasses.replace(layout, plan=found, name=name)


@dataclasses.dataclass(frozen=True, eq=False)
class _Interventions(Interventions):
    """Interventions of which some are to be computed exactly.

    Args:
        exact: which, bool [n].
    """

    exact: np.ndarray

    def part(self, index: np.ndarray) -> Interventions:
        """Some of them."""
        return Interventions(self.source, *self.take(index))


@dataclasses.dataclass(frozen=True, eq=False)
class CorrectedSweep:
    """Two sweeps of the same interventions.

    Args:
        exact: on the whole image.
        close: by two windows; the exact one again where they are not worth it.
        draws: from which number on draws are those before them, computed exactly.
    """

    exact: Sweep
    close: Sweep
    draws: int

    @property
    def layout(self) -> Layout:
        """What is computed for most interventions."""
        return self.close.layout

    @property
    def mesh(self) -> Mesh:
        """The devices."""
        return self.exact.mesh

    @property
    def chunk(self) -> Any:
        """Calls so far, of both."""
        if self.exact is self.close:
            return self.exact.chunk
        return _Calls(self.exact, self.close)

    def from_pool(
        self,
        intervene: Intervene,
        pool: np.ndarray,
        seed: int,
        cells: np.ndarray,
        draws: np.ndarray,
        patches: np.ndarray | None,
    ) -> Interventions:
        """Interventions do(block = a patch drawn from the pool), see `Sweep.from_pool`."""
        own = np.asarray(draws) % self.draws
        found = self.exact.from_pool(intervene, pool, seed, cells, own, patches)
        return _Interventions(found.source, found.cells, found.items, draws >= self.draws)

    def baseline(self, asked: Interventions) -> tuple[np.ndarray, np.ndarray]:
        """Outcomes and what is scored without an intervention, exactly."""
        return self.exact.baseline(asked)

    def check(
        self, outcomes: np.ndarray, restored: np.ndarray, other: Interventions | None
    ) -> None:
        """Refuses a network that is not what it is said to be, see `Sweep.check`."""
        self.exact.check(outcomes, restored, other)

    def evaluate(self, asked: Interventions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Outcomes of interventions, those by windows first."""
        assert isinstance(asked, _Interventions)
        for sweep, which in ((self.close, ~asked.exact), (self.exact, asked.exact)):
            index = np.flatnonzero(which)
            if len(index):
                for part, values in sweep.evaluate(asked.part(index)):
                    yield index[part], values

    def regions(self, asked: Interventions) -> np.ndarray:
        """What is scored after interventions, exactly."""
        return self.exact.regions(asked)


@dataclasses.dataclass(frozen=True)
class _Calls:
    exact: Sweep
    close: Sweep

    @property
    def calls(self) -> int:
        return self.exact.chunk.calls + self.close.chunk.calls

    @property
    def evaluated(self) -> int:
        return self.exact.chunk.evaluated + self.close.chunk.evaluated


def corrected_sweep(layout: Layout, draws: int, **how: Any) -> CorrectedSweep:
    """Puts on the devices what is needed there.

    Args:
        layout: how interventions are computed exactly.
        draws: of a block, at most.
        **how: as of `Sweep.make`.
    """
    exact, close = Sweep.make(layout, **how), close_layout(layout)
    return CorrectedSweep(exact, exact if close is None else Sweep.make(close, **how), draws)
