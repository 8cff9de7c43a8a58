"""What becomes of what is restored: it is finished (clipped, rounded), then its regions scored."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from cem_jax.outcome import Outcome


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Target:
    """What a restoration is compared with.

    Args:
        clean: the true pixels of all that is restored, [h, w, c].
        corners: first row and column of each region in it, int [r, 2].
    """

    clean: jax.Array
    corners: jax.Array


@dataclasses.dataclass(frozen=True)
class Score:
    """Several outcomes of one or more regions.

    Args:
        finish: what happens to the pixels before they are scored.
        outcomes: the scores.
        sizes: height and width of each region.
    """

    finish: Callable[[jax.Array], jax.Array]
    outcomes: tuple[Outcome, ...]
    sizes: tuple[tuple[int, int], ...]

    def check(self, channels: int) -> None:
        """Refuses outcomes that do not turn two regions [h, w, c] into one number.

        Raises:
            ValueError: the message names the outcome.
        """
        region = jax.ShapeDtypeStruct((*self.sizes[0], channels), jnp.float32)
        for outcome in self.outcomes:
            try:
                found = jax.eval_shape(outcome, region, region)
            except (TypeError, AttributeError, IndexError) as error:  # as a user's function raises
                raise ValueError(
                    f"outcome={outcome!r}: it cannot score two regions {region.shape}: {error}"
                ) from error
            if getattr(found, "shape", None) != () or not jnp.issubdtype(found.dtype, jnp.floating):
                raise ValueError(f"outcome={outcome!r}: it returned {found}; expected a scalar")

    def __call__(self, restored: jax.Array, target: Target) -> tuple[jax.Array, jax.Array]:
        """Scores what was restored.

        Args:
            restored: as it comes from the network, [n, h, w, c].
            target: what it should be.

        Returns:
            The outcomes [n, r * k], region by region, and the finished pixels in 8 bits
            [n, h, w, c], which stay on the devices unless somebody asks for them.
        """

        def one(pixels: jax.Array) -> tuple[jax.Array, jax.Array]:
            finished = self.finish(pixels)
            values = []
            for number, size in enumerate(self.sizes):
                at, size = (*target.corners[number], 0), (*size, pixels.shape[2])
                region, clean = (
                    jax.lax.dynamic_slice(image, at, size) for image in (finished, target.clean)
                )
                values += [outcome(region, clean) for outcome in self.outcomes]
            return jnp.stack(values), jnp.round(255 * jnp.clip(finished, 0, 1)).astype(jnp.uint8)

        return jax.vmap(one)(restored)
