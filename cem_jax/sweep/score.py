"""What becomes of what is restored: it is finished (clipped, rounded), then its regions scored."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, UInt8

from cem_jax.held.as_read import as_read
from cem_jax.outcome import Outcome, is_known, sees_degraded
from cem_jax.plain_text import quoted
from cem_jax.sweep import kept


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """What a restoration is compared with.

    Args:
        clean: the true pixels of all that is restored, [h, w, c].
        corners: first row and column of each region in it, int [r, 2].
        degraded: the input's pixels of all that is restored, [h / scale, w / scale, c].
    """

    clean: Float[jax.Array, "H W c"]
    corners: Int[jax.Array, "regions 2"]
    degraded: Float[jax.Array, "h w c"]


def scored_shapes(
    outcome: Outcome, region: tuple[int, ...], scale: int
) -> tuple[jax.ShapeDtypeStruct, ...]:
    """The shapes of an outcome's arguments.

    Args:
        outcome: the score.
        region: shape of the region, [h, w, c].
        scale: output pixels per input pixel.
    """
    height, width, channels = region
    one = jax.ShapeDtypeStruct(region, jnp.float32)
    small = jax.ShapeDtypeStruct((height // scale, width // scale, channels), jnp.float32)
    return (one, one, small) if sees_degraded(outcome) else (one, one)


def as_it_is(outcome: Outcome, region: tuple[int, ...], scale: int) -> Outcome:
    """An outcome of the user by what it computes now; the others read nothing from outside.

    Args:
        outcome: the score.
        region: shape of the region, [h, w, c].
        scale: output pixels per input pixel.
    """
    if is_known(outcome):
        return outcome
    return as_read(outcome, *scored_shapes(outcome, region, scale))


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

    def check(self, channels: int, scale: int) -> None:
        """Refuses outcomes that do not turn two regions [h, w, c] into one number.

        Args:
            channels: of the images.
            scale: output pixels per input pixel.

        Raises:
            ValueError: the message names the outcome.
        """
        region = jax.ShapeDtypeStruct((*self.sizes[0], channels), jnp.float32)
        for outcome in self.outcomes:
            try:
                found = jax.eval_shape(outcome, *scored_shapes(outcome, region.shape, scale))
            except Exception as error:  # a user's function may raise anything
                text = " ".join(str(error).split())[:300]
                if isinstance(error, ValueError) and text.startswith("roi: "):
                    raise  # one of ours, which needs a larger region
                raise ValueError(
                    f"outcome={quoted(outcome)}: it cannot score two regions {region.shape}: "
                    f"{type(error).__name__}: {text}"
                ) from error
            if getattr(found, "shape", None) != () or not jnp.issubdtype(found.dtype, jnp.floating):
                returned = f"it returned {quoted(found)}; expected a scalar"
                raise ValueError(f"outcome={quoted(outcome)}: {returned}")

    def fingerprint(self, restored: jax.ShapeDtypeStruct, target: Target) -> str | None:
        """What is computed of a restoration of that shape; None if it cannot be told."""
        like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), target)
        leaves, tree = jax.tree.flatten((restored, like))
        return kept.fingerprint(self, tree, tuple(leaves))

    def __call__(
        self, restored: Float[jax.Array, "n h w c"], target: Target
    ) -> tuple[Float[jax.Array, "n outcomes"], UInt8[jax.Array, "n h w c"]]:
        """Scores what was restored.

        Args:
            restored: as it comes from the network, [n, h, w, c].
            target: what it should be.

        Returns:
            The outcomes [n, r * k], region by region, and the finished pixels in 8 bits
            [n, h, w, c], which stay on the devices unless somebody asks for them.
        """

        def one(
            pixels: Float[jax.Array, "h w c"],
        ) -> tuple[Float[jax.Array, " outcomes"], UInt8[jax.Array, "h w c"]]:
            finished = self.finish(pixels)
            values = []
            for number, size in enumerate(self.sizes):
                corner, channels = target.corners[number], pixels.shape[2]
                region, clean = (
                    jax.lax.dynamic_slice(image, (*corner, 0), (*size, channels))
                    for image in (finished, target.clean)
                )
                scale = target.clean.shape[0] // target.degraded.shape[0]
                small = tuple(side // scale for side in size)
                degraded = jax.lax.dynamic_slice(
                    target.degraded, (*(corner // scale), 0), (*small, channels)
                )
                for outcome in self.outcomes:
                    more = (degraded,) if sees_degraded(outcome) else ()
                    values.append(outcome(region, clean, *more))
            return jnp.stack(values), jnp.round(255 * jnp.clip(finished, 0, 1)).astype(jnp.uint8)

        return jax.vmap(one)(restored)
