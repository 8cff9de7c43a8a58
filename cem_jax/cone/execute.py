"""A program run on arrays: windows are cut, pasted into the baseline, computed and kept.

The draws of one block share their offsets. They are the first axis of every value that depends on
the image; offsets stay scalars without that axis, since slices at batched indices become gathers
and scatters, which are slow on a CPU: `run` is mapped over blocks where they are not.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, Int32, Shaped

from .graph import AnyArray, Known
from .rules import rule_for
from .windows import Offset, Read, Step, WindowProgram


def run(
    program: WindowProgram,
    caches: Sequence[Shaped[jax.Array, "..."]],
    offsets: Int32[AnyArray, " columns"],
    patches: Float[jax.Array, "n block block c"],
) -> Float[jax.Array, "n h w channels"]:
    """A program as a pure function: what `Cone.evaluate` compiles.

    Args:
        program: of a plan.
        caches: `Cone.caches` of that program.
        offsets: `Plan.offsets` of a block, int32 [columns].
        patches: [n, block, block, c], all for that block.

    Returns:
        The region for each patch, [n, h, w, c'].
    """
    return _Run(program, caches, offsets, patches).result()


class _Run:
    """Values of one run; those that depend on the image carry the draws as their first axis."""

    def __init__(
        self,
        program: WindowProgram,
        caches: Sequence[jax.Array],
        offsets: AnyArray,
        patches: jax.Array,
    ):
        self.program, self.draws = program, len(patches)
        self.caches = dict(zip(program.keys, caches, strict=True))
        self.offsets = offsets
        self.values = {program.steps[0].reads[0].number: patches[:, None]}  # type: ignore[union-attr]

    def result(self) -> jax.Array:
        for step in self.program.steps:
            self.step(step)
        out, drawn = self.read(self.program.result)
        if not drawn:
            out = jnp.broadcast_to(out, (self.draws, *out.shape))
        return out[:, 0]

    def step(self, step: Step) -> None:
        operands, axes = [], []
        for read in step.reads:
            known = isinstance(read, Known)
            array, drawn = (jnp.asarray(read.value), False) if known else self.read(read)
            operands.append(array)
            axes.append(0 if drawn else None)
        rule = rule_for(step.eq)

        def compute(*parts: jax.Array) -> Sequence[jax.Array]:
            if rule is None:
                return step.eq.bind(*parts)
            starts = [self.at(start) for start in step.starts]
            return [rule.evaluate(step.eq, step.size, starts, parts)]

        # The hull around two operands' changes may meet the region where none of them does.
        results = jax.vmap(compute, in_axes=axes, axis_size=self.draws)(*operands)
        for keep in step.keeps:
            result = results[step.eq.outputs.index(keep.number)]
            self.values[keep.number] = self.cut(result, keep.at, keep.size)

    def read(self, read: Read) -> tuple[jax.Array, bool]:
        """The part, and whether it has an axis of draws."""
        if read.through is not None:
            eq, inner = read.through
            known = isinstance(inner, Known)
            operand = jnp.asarray(inner.value) if known else self.read(inner)[0]
            rule = rule_for(eq)
            return rule.evaluate(eq, read.size, (), [operand]), False  # type: ignore[union-attr]
        if read.cut is None:
            return self.base(read), False
        own = self.cut(self.values[read.number], read.cut_at, read.cut)
        if read.key is None:
            return own, True
        canvas = self.base(read)
        if any(map(any, read.margins)):
            zero = jnp.zeros((), canvas.dtype)
            canvas = lax.pad(canvas, zero, [(lo, hi, 0) for lo, hi in read.margins])
        canvas = jnp.broadcast_to(canvas, (self.draws, *canvas.shape))
        at = [jnp.int32(0), *(self.at(offset) for offset in read.paste_at)]
        canvas = lax.dynamic_update_slice(canvas, own, at, allow_negative_indices=False)
        lo = [0, *(before for before, _ in read.margins)]
        size = (self.draws, *read.size)
        return lax.slice(canvas, lo, [a + n for a, n in zip(lo, size, strict=True)]), True

    def base(self, read: Read) -> jax.Array:
        array = self.caches[read.key]  # type: ignore[index]
        if array.shape == read.size:
            return array
        if 0 in read.size:  # an empty operand, as padding by nothing concatenates
            return jnp.zeros(read.size, array.dtype)
        pairs = zip(read.base_at, read.size, array.shape, strict=True)
        at = [jnp.int32(0) if n == whole else self.at(offset) for offset, n, whole in pairs]
        return lax.dynamic_slice(array, at, read.size, allow_negative_indices=False)

    def cut(self, array: jax.Array, at: Sequence[Offset], size: tuple[int, ...]) -> jax.Array:
        if array.shape[1:] == size:
            return array
        if all(offset.column is None for offset in at):
            lo = [0, *(offset.value for offset in at)]
            pairs = zip(lo, (self.draws, *size), strict=True)
            return lax.slice(array, lo, [a + n for a, n in pairs])
        start = [jnp.int32(0), *(self.at(offset) for offset in at)]
        size = (self.draws, *size)
        return lax.dynamic_slice(array, start, size, allow_negative_indices=False)

    def at(self, offset: Offset) -> jax.Array:
        return jnp.int32(offset.value) if offset.column is None else self.offsets[offset.column]
