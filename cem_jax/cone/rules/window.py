"""Operations that slide over their operand: convolution, pooling, padding, slicing, reversal."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..graph import Equation, Start
from ..regions import Boxes, Interval
from .base import Rule


class _Slide:
    """One axis: output o reads the dilated operand at o * stride - before + t * step, t < taps."""

    def __init__(self, taps: int, stride: int, before: int, step: int = 1, dilation: int = 1):
        self.stride, self.before, self.dilation = stride, before, dilation
        self.span = (taps - 1) * step

    def align(self) -> int:
        """Outputs after which the dilated operand's zeros come round again."""
        return self.dilation // math.gcd(self.dilation, self.stride)

    def need(self, box: Interval) -> Interval:
        lo, hi = (
            box[0] * self.stride - self.before,
            (box[1] - 1) * self.stride - self.before + self.span,
        )
        first = -(-lo // self.dilation)
        # A window between two elements of a dilated operand meets none; one is kept, and cut off.
        return first, np.maximum(hi // self.dilation + 1, first + 1)

    def forward(self, box: Interval) -> Interval:
        lo, hi = box[0] * self.dilation + self.before, (box[1] - 1) * self.dilation + self.before
        return -(-(lo - self.span) // self.stride), hi // self.stride + 1

    def padding(self, size: int) -> tuple[int, int]:
        """Zeros before and behind the operand's part for a window of `size` outputs at 0."""
        first, end = (int(v) for v in self.need((np.int64(0), np.int64(size))))
        last = (size - 1) * self.stride - self.before + self.span
        return first * self.dilation + self.before, last - (end - 1) * self.dilation


class Conv(Rule):
    """conv_general_dilated with any strides, dilations and groups, by a kernel that is given."""

    def _slides(self, eq: Equation) -> list[tuple[int, int, _Slide]]:
        """Axis of the operand, axis of the output, and how one slides along the other."""
        p = eq.params
        dims = p["dimension_numbers"]
        taps = [eq.in_shapes[1][axis] for axis in dims.rhs_spec[2:]]
        return [
            (i, o, _Slide(n, s, int(pad[0]), r, d))
            for i, o, n, s, pad, r, d in zip(
                dims.lhs_spec[2:], dims.out_spec[2:], taps, p["window_strides"], p["padding"],
                p["rhs_dilation"], p["lhs_dilation"], strict=True,
            )
        ]  # fmt: skip

    def _batch(self, eq: Equation) -> list[tuple[int, int]]:
        """Axis of the operand and axis of the output, for each factor of the batch."""
        dims = eq.params["dimension_numbers"]
        factors = range(eq.params.get("batches", 1))
        return [(dims.lhs_spec[0] + k, dims.out_spec[0] + k) for k in factors]

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """All channels of the outputs whose window meets the box."""
        if index:
            return Boxes.stack([(0, n) for n in eq.out_shapes[0]], box.some)
        reach: list[Interval] = [(0, n) for n in eq.out_shapes[0]]
        for i, o in self._batch(eq):
            reach[o] = box.axis(i)
        for i, o, slide in self._slides(eq):
            reach[o] = slide.forward(box.axis(i))
        return Boxes.stack(reach, box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """All channels under the windows; the whole kernel."""
        need: list[Interval] = [(0, n) for n in eq.in_shapes[index]]
        if not index:
            for i, o in self._batch(eq):
                need[i] = box.axis(o)
            for i, o, slide in self._slides(eq):
                need[i] = slide.need(box.axis(o))
        return Boxes.stack(need, box.some)

    def align(self, eq: Equation) -> tuple[int, ...]:
        """All channels; the phases of a transposed convolution."""
        spec = eq.params["dimension_numbers"].out_spec
        align = [1] * len(eq.out_shapes[0])
        align[spec[1]] = eq.out_shapes[0][spec[1]]
        for _, o, slide in self._slides(eq):
            align[o] = slide.align()
        return tuple(align)

    def fill(self, eq: Equation, index: int) -> Any:
        """Zeros."""
        return 0 if not index else None

    def multiply_adds(self, eq: Equation) -> float:
        """Kernel taps that meet an element, times the channels of a group."""
        spec = eq.params["dimension_numbers"].rhs_spec
        taps = math.prod(eq.in_shapes[1][axis] for axis in spec[1:])
        return taps / math.prod(eq.params["lhs_dilation"])

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The convolution with the padding that is left inside the part: between dilated pixels."""
        slides = self._slides(eq)
        padding = [slide.padding(size[o]) for _, o, slide in slides]
        dilation = tuple(eq.params["lhs_dilation"])
        if all(n == 1 for n in dilation):
            return eq.bind(*operands, padding=tuple(padding))[0]
        # XLA swaps a small image with its kernel, and aborts if it has just folded a padding into a
        # dilated convolution (jaxlib 0.10.2). So paddings stay outside, and small images are
        # dilated by hand: then none is smaller than its kernel.
        x, kernel = operands
        taps = math.prod(kernel.shape[k] for k in eq.params["dimension_numbers"].rhs_spec[2:])
        if math.prod(x.shape[i] for i, _, _ in slides) < 4 * taps:
            config = [(0, 0, 0)] * x.ndim
            for (i, _, slide), (lo, hi) in zip(slides, padding, strict=True):
                config[i] = (lo, hi, slide.dilation - 1)
            x = lax.pad(x, jnp.zeros((), x.dtype), config)
            padding, dilation = [(0, 0)] * len(slides), (1,) * len(slides)
        x = lax.optimization_barrier(x)
        return eq.bind(x, kernel, padding=tuple(padding), lhs_dilation=dilation)[0]


class Pooling(Rule):
    """reduce_window_sum, _max and _min."""

    def _slides(self, eq: Equation) -> list[_Slide]:
        p = eq.params
        return [
            _Slide(n, s, int(pad[0]), step)
            for n, s, pad, step in zip(
                p["window_dimensions"], p["window_strides"], p["padding"], p["window_dilation"],
                strict=True,
            )
        ]  # fmt: skip

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The outputs whose window meets the box."""
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.forward(box.axis(k)) for k, slide in slides], box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """What lies under the windows."""
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.need(box.axis(k)) for k, slide in slides], box.some)

    def fill(self, eq: Equation, index: int) -> Any:
        """The value that changes nothing."""
        if eq.name == "reduce_window_sum":
            return 0
        return _loser(eq.dtype, largest=eq.name == "reduce_window_max")

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The reduction without padding."""
        return eq.bind(*operands, padding=((0, 0),) * len(size))[0]


class Pad(Rule):
    """Pad with a known value; negative padding cuts."""

    def _slides(self, eq: Equation) -> list[_Slide]:
        return [
            _Slide(1, 1, int(lo), dilation=int(inner) + 1)
            for lo, _, inner in eq.params["padding_config"]
        ]

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved."""
        if index:
            return Boxes.stack([(0, n) for n in eq.out_shapes[0]], box.some)
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.forward(box.axis(k)) for k, slide in slides], box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved; the padding is what stands beyond the operand's border."""
        if index:
            return Boxes.stack([], box.some)
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.need(box.axis(k)) for k, slide in slides], box.some)

    def align(self, eq: Equation) -> tuple[int, ...]:
        """The phases of interior padding."""
        return tuple(slide.align() for slide in self._slides(eq))

    def fill(self, eq: Equation, index: int) -> Any:
        """The padding value."""
        return None if index else eq.inputs[1].value.item()  # type: ignore[union-attr]

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """Interior padding only: what stands beyond the border is in the part already."""
        x, value = operands
        config = [
            (*slide.padding(n), slide.dilation - 1)
            for slide, n in zip(self._slides(eq), size, strict=True)
        ]
        return x if not any(map(any, config)) else lax.pad(x, lax.convert_element_type(
            value, x.dtype), config)  # fmt: skip


class Slice(Rule):
    """Slice with any strides."""

    def _slides(self, eq: Equation) -> list[_Slide]:
        starts = eq.params["start_indices"]
        strides = eq.params["strides"] or (1,) * len(starts)
        return [_Slide(1, int(n), -int(first)) for first, n in zip(starts, strides, strict=True)]

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The outputs taken from the box."""
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.forward(box.axis(k)) for k, slide in slides], box.some)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The box, moved and stretched."""
        slides = enumerate(self._slides(eq))
        return Boxes.stack([slide.need(box.axis(k)) for k, slide in slides], box.some)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """Every stride-th element of the part."""
        (x,) = operands
        strides = eq.params["strides"]
        return lax.slice(x, (0,) * x.ndim, x.shape, strides) if strides else x


class Reverse(Rule):
    """rev."""

    def _mirror(self, eq: Equation, box: Boxes) -> Boxes:
        flipped = eq.params["dimensions"]
        intervals = []
        for axis, n in enumerate(eq.out_shapes[0]):
            lo, hi = box.axis(axis)
            intervals.append((n - hi, n - lo) if axis in flipped else (lo, hi))
        return Boxes.stack(intervals, box.some)

    def forward(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The mirrored box."""
        return self._mirror(eq, box)

    def need(self, eq: Equation, index: int, box: Boxes) -> Boxes:
        """The mirrored box."""
        return self._mirror(eq, box)

    def evaluate(
        self,
        eq: Equation,
        size: tuple[int, ...],
        starts: Sequence[Start],
        operands: Sequence[jax.Array],
    ) -> jax.Array:
        """The part, reversed."""
        return eq.bind(*operands)[0]


def _loser(dtype: np.dtype, *, largest: bool) -> float | int:
    """What never wins a maximum, or a minimum."""
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).min if largest else np.iinfo(dtype).max)
    return -float("inf") if largest else float("inf")
