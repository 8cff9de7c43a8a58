"""What is global in a network: found on two virtual larger images, of which only shapes exist.

One changed pixel changes some share of every value. If the image gets twice as long sides, that
share falls to a quarter wherever only local operations lie before. It falls to a half behind an
operation that brings whole rows together, and not at all behind one that brings together all of the
image, or a fixed part of it. Where the share stops falling, the operation is global. It is taken as
held, and the search goes on behind it.

On the image's own size nothing tells the two apart: a deep local network sees all of a small image.
"""

import dataclasses
import math
from collections.abc import Generator

import numpy as np
from jaxtyping import Float, Int

from cem_jax.cone.analyse import forward, image_boxes
from cem_jax.cone.factors import apart
from cem_jax.cone.graph import Equation
from cem_jax.cone.regions import Boxes
from cem_jax.held.traced import Traced
from cem_jax.network.network import Network

_TIMES = (8, 16, 32, 64)
"""How many times as long as the image's the sides of the virtual ones are, until that is enough."""

_LONGEST = 8192
"""Side of the largest virtual image, in pixels."""

_PLACES = np.array([1, 3, 4, 5, 7]) / 8
"""Where the pixels lie whose change is followed, as shares of each side: what is pooled over parts
of the image is global in each of them."""

_PERIOD = 64
"""Pixels, a multiple of most periods: the larger images begin, end and are looked at in the same
phase of the network's grid."""

_MOVES = (
    "broadcast_in_dim", "concatenate", "copy", "convert_element_type", "dynamic_slice",
    "dynamic_update_slice", "gather", "pad", "pick", "reshape", "rev", "slice", "squeeze",
    "transpose",
)  # fmt: skip
"""Operations that compute nothing."""


@dataclasses.dataclass(frozen=True)
class Probe:
    """What was found.

    Args:
        held: names of the global operations, in order.
        reach: by name, how far a changed pixel moves what an operation gives, in input pixels, the
            global ones before it held; None for the global ones, and where no distance is known.
        side: of the smaller virtual image, in pixels.
    """

    held: tuple[str, ...]
    reach: dict[str, int | None]
    side: int


def computes(eq: Equation) -> bool:
    """Whether an operation makes numbers, and does not only move them."""
    return eq.name not in _MOVES


def probe(network: Network, height: int, width: int, channels: int) -> Probe:
    """Looks for the global operations of a network.

    Args:
        network: the network.
        height: rows of the image that it is meant for, in pixels.
        width: columns.
        channels: of the image.

    Raises:
        ValueError: it cannot take larger images, or computes otherwise on them.
    """
    period = math.lcm(_PERIOD, network.anchor or 1)
    walks: dict[int, _Walk] = {}

    def walk(times: int) -> _Walk:
        if times not in walks:
            sides = [side + -(-side * (times - 1) // period) * period for side in (height, width)]
            walks[times] = _Walk.make(network, sides, channels, period)
        return walks[times]

    found: Probe | None = None
    for times in _TIMES:
        if found is not None and 2 * times * max(height, width) > _LONGEST:
            break
        try:
            found, clear = _compared(walk(times), walk(2 * times))
        except ValueError as error:
            if found is not None:
                break
            raise ValueError(
                f"network={network.name}: what is global in it is not found, since on larger "
                f"images {error}; name the operations"
            ) from error
        if clear:
            break
    assert found is not None
    return found


Shares = Float[np.ndarray, " positions"]


@dataclasses.dataclass(frozen=True, eq=False)
class _Walk:
    """A network on one virtual image.

    Args:
        traced: its graph.
        sides: height and width of the image.
        pixels: those whose change is followed, int [positions, 2].
    """

    traced: Traced
    sides: tuple[int, int]
    pixels: Int[np.ndarray, "positions 2"]

    @classmethod
    def make(cls, network: Network, sides: list[int], channels: int, period: int) -> "_Walk":
        axes = [(_PLACES * side).astype(int) // period * period + period // 2 for side in sides]
        pixels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        traced = Traced.make(network, sides[0], sides[1], channels)
        return cls(traced, (sides[0], sides[1]), pixels)

    def follow(self) -> Generator[tuple[Equation, str, Shares, Shares], bool, None]:
        """The operations in order, each with the shares of what it takes and gives that change.

        Sent back is whether the operation is held.
        """
        graph, names = apart(self.traced.graph), self.traced.names
        boxes: list[Boxes | None] = [None] * len(graph.shapes)
        boxes[graph.raw] = image_boxes(self.pixels, (1, 1), graph.shapes[graph.raw][3])
        for eq in graph.equations:
            given = [boxes[i] if isinstance(i, int) else None for i in eq.inputs]
            if not eq.depends or all(box is None for box in given):
                continue
            name = names.get(eq.outputs[0])
            if name in self.traced.gone:
                continue
            made = forward(eq, given)
            if name is not None:
                pairs = zip(given, eq.in_shapes, strict=True)
                before = np.max([_shares(box, shape) for box, shape in pairs], axis=0)
                pairs = zip(made, eq.out_shapes, strict=True)
                after = np.max([_shares(box, shape) for box, shape in pairs], axis=0)
                if (yield eq, name, before, after):
                    continue
            for number, box in zip(eq.outputs, made, strict=True):
                boxes[number] = box


def _shares(box: Boxes | None, shape: tuple[int, ...]) -> Shares:
    """How much of a value can change, for each of the pixels; 0 where nothing is known to."""
    if box is None:
        return np.zeros(len(_PLACES) ** 2)
    return box.count() / max(int(np.prod(shape)), 1)


def _compared(small: _Walk, large: _Walk) -> tuple[Probe, bool]:
    """What is found by two images, and whether what is local was small on both."""
    ratio = math.log(math.prod(large.sides) / math.prod(small.sides)) / 2
    held: list[str] = []
    reach: dict[str, int | None] = {}
    clear, answer = True, None
    walks = small.follow(), large.follow()
    while True:
        try:
            steps = [next(w) if answer is None else w.send(answer) for w in walks]
        except StopIteration:
            return Probe(tuple(held), reach, min(small.sides)), clear
        (eq, name, *first), (_, other, *second) = steps
        if name != other:
            raise ValueError(f"it computes otherwise ({other} in place of {name})")
        falls = [_falls(a, b, ratio) for a, b in zip(first, second, strict=True)]
        answer = computes(eq) and bool((falls[1] < falls[0] - 0.5).any())
        if answer:
            held.append(name)
            reach[name] = None
            continue
        clear = clear and not (falls[1] < 1).any()
        share = second[1].max()
        side = np.sqrt(share * math.prod(large.sides))
        reach[name] = None if share == 1 else math.ceil((side - 1) / 2)


def _falls(small: Shares, large: Shares, ratio: float) -> Shares:
    """How shares fall as sides grow, for each pixel: by the power 2 where all is local."""
    some = (small > 0) & (large > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(some, (np.log(small) - np.log(large)) / ratio, 2.0)
