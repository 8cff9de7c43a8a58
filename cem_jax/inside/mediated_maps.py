"""What `mediated_maps` found: three maps that share their draws, and what is between them."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from cem_jax.by_shape import by_shape
from cem_jax.inside.path_effects import PathEffects
from cem_jax.inside.rounding import rounding
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import map_paths
from cem_jax.plain_text import path_text
from cem_jax.show import html
from cem_jax.store.objects import AnyPath, as_place

PARTS = ("total", "direct", "pure_indirect")
"""The maps; each is a map like any other."""


def part_paths(folder: AnyPath) -> dict[str, AnyPath]:
    """Where the maps of a folder are: `map.npz`, the total one, and two beside it."""
    return map_paths(folder, list(PARTS))


class Share(NamedTuple):
    """A share of the summed effects, with its standard error over draws."""

    value: float
    standard_error: float


@dataclasses.dataclass(frozen=True, eq=False)
class MediatedMaps:
    """Effects of every block along all paths, along those past a mediator, and through it.

    total = direct + indirect, and indirect = pure indirect + interaction, exactly.

    Args:
        total: the map of the network: Q(f(X)) - E Q(f(do)).
        direct: natural direct effects, with the mediator held at the unperturbed image's values:
            Q(f(X)) - E Q(g(do)).
        pure_indirect: the unperturbed image with the mediator as do() makes it.
        through: names of the operations that are the mediator.
    """

    total: EffectMap
    direct: EffectMap
    pure_indirect: EffectMap
    through: tuple[str, ...]

    __repr__ = by_shape
    _repr_html_ = html

    @property
    def indirect(self) -> PathEffects:
        """Natural indirect effects, total minus direct: what passes the mediator."""
        return self._contrast((self.total, 1), (self.direct, -1))

    @property
    def interaction(self) -> PathEffects:
        """Total minus direct minus pure indirect: what takes both ways together."""
        return self._contrast((self.total, 1), (self.direct, -1), (self.pure_indirect, -1))

    def share(self, blocks: np.ndarray | None = None) -> Share:
        """How much of the summed effect passes the mediator: sum of indirect over sum of total.

        Args:
            blocks: which count, bool [rows, columns]; None takes all outside of the region.

        Returns:
            The share, below 0 or above 1 where direct and indirect effects have opposite signs, and
            its standard error, by the linear approximation of a ratio (the delta method).
        """
        outside = ~self.total.inside_roi
        chosen = outside if blocks is None else outside & np.asarray(blocks, bool)
        indirect = self.indirect
        total = float(self.total.effect[chosen].sum())
        if not total:
            return Share(float("nan"), float("nan"))
        value = float(indirect.effect[chosen].sum()) / total
        # indirect - value * total of every draw: its mean's error over the total is the ratio's.
        rest = self._contrast((self.total, 1 - value), (self.direct, -1))
        squares = np.square(rest.standard_error[chosen])
        return Share(value, float(np.sqrt(squares.sum()) / abs(total)))

    def _contrast(self, *terms: tuple[EffectMap, float]) -> PathEffects:
        """A weighted sum of the maps' effects, with the standard error of its draws."""
        first, shape = self.total, self.total.effect.shape
        drawn = first.values.reshape(first.effect.size, -1)
        change, effect = np.zeros(drawn.shape), np.zeros(shape)
        for one, weight in terms:
            values = one.values.reshape(drawn.shape).astype(np.float64)
            change += weight * (one.baseline - values)
            effect = effect + weight * one.effect
        if not np.nanmax(np.abs(change), initial=0) > rounding(self.total.baseline):
            change = np.where(np.isnan(change), np.nan, 0.0)
            effect = np.where(np.isnan(effect), np.nan, 0.0)
        drawing, counted = first.plan.drawing, first.plan.counted(drawn)
        weighted = (np.isnan(first.standard_error) & (first.samples > 1)).any()
        if weighted:  # a plan without standard errors
            error = np.where(first.samples > 0, np.nan, 0.0)
        else:
            error = drawing.means(change, counted, None).standard_error.reshape(shape)
        blank = np.where(first.inside_roi, np.nan, 0.0)
        return PathEffects(
            effect=effect,
            standard_error=error + blank,
            samples=first.samples,
            degrees=first.degrees,
            selected=first.selected & ~first.inside_roi,
            inside_roi=first.inside_roi,
            tolerance=first.tolerance,
            unit=first.unit,
        )

    def save(self, folder: str | AnyPath) -> None:
        """Writes each as a map like any other.

        They are `map.npz` (total), `map.direct.npz` and `map.pure_indirect.npz`.

        Args:
            folder: where; it is made if it is not there.

        Raises:
            ValueError: a file cannot be written.
        """
        place = as_place(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"folder={path_text(folder)} cannot be made: {error.strerror}"
            ) from error
        for name, path in part_paths(place).items():
            getattr(self, name).save(path)

    @classmethod
    def load(cls, folder: str | AnyPath) -> "MediatedMaps":
        """Reads what `save` wrote.

        Args:
            folder: where it was written.

        Raises:
            ValueError: a file is missing, damaged, or none of mediated maps.
        """
        maps = [EffectMap.load(path) for path in part_paths(as_place(folder)).values()]
        total, direct, pure_indirect = maps
        through: Any = total.provenance.get("through")
        same = all(one.provenance.get("through") == through for one in maps)
        named = isinstance(through, list) and all(isinstance(name, str) for name in through)
        shapes = {one.values.shape for one in maps}
        if not same or not named or len(shapes) > 1:
            raise ValueError(f"folder={path_text(folder)}: its maps are not of one mediation")
        return cls(total, direct, pure_indirect, tuple(through))
