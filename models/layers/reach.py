"""How far an output pixel sees, for networks whose layers do not treat all pixels alike.

A stage maps an interval of a layer's output pixels, on one axis and with both ends included, to the
interval of the layer's input pixels that it is computed from. Images are taken as unbounded;
padding by reflection or replication only brings in pixels that are nearer.
"""

from collections.abc import Callable, Sequence

Interval = tuple[int, int]
Stage = Callable[[Interval], Interval]


def neighbours(radius: int) -> Stage:
    """A convolution that reaches `radius` pixels to each side."""
    return lambda i: (i[0] - radius, i[1] + radius)


def windows(size: int, shift: int = 0) -> Stage:
    """Windows of `size` pixels inside which everything meets; one starts at pixel `shift`."""

    def stage(i: Interval) -> Interval:
        first, last = ((end - shift) // size for end in i)
        return first * size + shift, last * size + size - 1 + shift

    return stage


def either(*stages: Stage) -> Stage:
    """Branches side by side."""

    def stage(i: Interval) -> Interval:
        ends = [branch(i) for branch in stages]
        return min(low for low, _ in ends), max(high for _, high in ends)

    return stage


def enlarged(factor: int) -> Stage:
    """Every pixel becomes a cell of `factor` pixels: pixel shuffle, nearest, strided transpose."""
    return lambda i: (i[0] // factor, i[1] // factor)


def reduced(factor: int) -> Stage:
    """Every cell of `factor` pixels becomes one: pixel unshuffle, strided convolution."""
    return lambda i: (i[0] * factor, i[1] * factor + factor - 1)


def reach(stages: Sequence[Stage], period: int, scale: int = 1) -> int:
    """Farthest input pixel that reaches an output pixel, counted from its own input pixel.

    Args:
        stages: the network's layers, from input to output.
        period: input pixels after which the layers' grids repeat.
        scale: output pixels per input pixel.
    """
    farthest = 0
    for output in range(period * scale):
        low, high = output, output
        for stage in reversed(stages):
            low, high = stage((low, high))
        farthest = max(farthest, output // scale - low, high - output // scale)
    return farthest
