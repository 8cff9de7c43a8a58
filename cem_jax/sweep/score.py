"""What becomes of a restored region: it is finished (clipped, rounded), then scored."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cem_jax.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Score:
    """Several outcomes of one restored region.

    Args:
        finish: what happens to the region before it is scored.
        outcomes: the scores.
    """

    finish: Callable[[jax.Array], jax.Array]
    outcomes: tuple[Outcome, ...]

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuses outcomes that do not turn two regions [h, w, c] into one number.

        Raises:
            ValueError: the message names the outcome.
        """
        region = jax.ShapeDtypeStruct(shape, jnp.float32)
        for outcome in self.outcomes:
            found = jax.eval_shape(outcome, region, region)
            if getattr(found, "shape", None) != ():
                raise ValueError(f"outcome={outcome!r}: it returned {found}; expected a scalar")

    def __call__(self, regions: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Scores regions.

        Args:
            regions: as the network restored them, [n, h, w, c].
            target: the clean one, [h, w, c].

        Returns:
            The outcomes [n, k], and the finished regions in 8 bits [n, h, w, c], which stay on the
            devices unless somebody asks for them.
        """

        def one(region: jax.Array) -> tuple[jax.Array, jax.Array]:
            finished = self.finish(region)
            values = jnp.stack([outcome(finished, target) for outcome in self.outcomes])
            return values, jnp.round(255 * jnp.clip(finished, 0.0, 1.0)).astype(jnp.uint8)

        return jax.vmap(one)(regions)
