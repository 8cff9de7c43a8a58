"""Where windows are pasted into the baseline: at the operand that has the fewest elements.

An operation that reads more of a value than its window holds reads a copy of the baseline with the
window pasted in. Pasting costs the time of memory, for every element, and a value may be several
times as large as what it was computed from: queries, keys and values of attention are three times
the tokens. Where it costs less, all that is read is computed, from an operand that is pasted.
"""

import dataclasses
import math
from collections.abc import Container, Mapping

import numpy as np

from .analyse import at_once, need
from .counts import ELEMENT, multiply_adds
from .graph import Equation, Graph
from .regions import Boxes
from .rules import rule_for

_PASTE = 200.0
"""As `ELEMENT`, of one that is pasted: baseline and window are copied, and read once more."""

_WORTH = 0.8
"""Share of the cost of a paste below which another way is taken."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """What an operation reads of a value.

    Args:
        box: which part.
        inside: whether it lies inside the value; what lies beyond is padded, so never computed.
    """

    box: Boxes
    inside: bool

    def paste(self, window: Boxes) -> float:
        """What pasting costs where that is the value's window; nothing if it covers the part."""
        return 0.0 if window.cover(self.box) else _PASTE * float(self.box.count().max())


def pasted_early(graph: Graph, windows: Mapping[int, Boxes]) -> dict[int, Boxes]:
    """Larger windows for values whose paste costs more than that of what they are computed from.

    Args:
        graph: the function.
        windows: of every value that an intervention changes and the region needs, each of one size
            at all positions.

    Returns:
        Those that are larger.
    """
    planned, larger = _Planned(graph, dict(windows)), {}
    for eq in reversed(graph.equations):
        for number in eq.outputs:
            found = planned.other_way(number)
            planned.windows |= found
            larger |= found
        planned.add(eq)
    return larger


class _Planned:
    """Windows, and what the operations behind the current one read of every value."""

    def __init__(self, graph: Graph, windows: dict[int, Boxes]):
        self.graph, self.windows = graph, windows
        self.makers = {number: eq for eq in graph.equations for number in eq.outputs}
        self.wide = _wide(graph)
        self.parts: dict[int, list[_Part]] = {}

    def add(self, eq: Equation) -> None:
        """What this operation reads, its own windows being settled."""
        if any(number in self.windows for number in eq.outputs):
            some = next(self.windows[n] for n in eq.outputs if n in self.windows)
            outputs = [self.windows.get(n, some) for n in eq.outputs]
            for number, part in self._reads(eq, outputs, self.wide):
                self.parts.setdefault(number, []).append(part)

    def _reads(
        self, eq: Equation, outputs: list[Boxes], of: Container[int]
    ) -> list[tuple[int, _Part]]:
        """What it reads of some of the values that have windows, to give these parts."""
        numbers = [n if isinstance(n, int) and n in self.windows else -1 for n in eq.inputs]
        if not any(number in of for number in numbers if number >= 0):
            return []
        whole, found = at_once(eq, outputs), []
        for index, number in enumerate(numbers):
            if number >= 0 and number in of:
                shape = np.asarray(self.graph.shapes[number], np.int64)
                box = need(eq, index, whole).evened(self.graph.shapes[number])
                found.append((number, _Part(box, bool(((box.lo >= 0) & (box.hi <= shape)).all()))))
        return found

    def other_way(self, number: int) -> dict[int, Boxes]:
        """Windows of the value and of some that it is computed from; empty to let all be as it is.

        One operand after the other is followed while it is the only one that changes.
        """
        parts = self.parts.get(number, [])  # none of a value that is not wide
        pasted = sum(part.paste(self.windows[number]) for part in parts)
        if not pasted or not all(part.inside for part in parts):
            return {}
        box = self.windows[number]
        for part in parts:
            box = box.hull(part.box)
        larger: dict[int, Boxes] = {}
        best, spent, found = _WORTH * pasted, 0.0, larger
        while (eq := self.makers.get(number)) is not None and rule_for(eq) is not None:
            box = box.evened(self.graph.shapes[number])
            before = self._reads(eq, [self.windows[number]], self.windows)
            after = self._reads(eq, [box], self.windows)
            if len(after) != 1:
                break
            old, new = (self._work(eq, one) for one in (self.windows[number], box))
            larger = {**larger, number: box}
            [(operand, was)], [(_, part)] = before, after
            window = self.windows[operand]
            spent += new - old - was.paste(window)
            if spent + part.paste(window) < best:
                best, found = spent + part.paste(window), larger
            if window.cover(part.box) or not part.inside:
                break
            number, box = operand, window.hull(part.box)
        return found

    def _work(self, eq: Equation, output: Boxes) -> float:
        """Multiply-adds of an operation that gives a part of its output."""
        size = at_once(eq, [output])[0].size().max(axis=0)
        return float(multiply_adds(eq, size, ELEMENT))


def _wide(graph: Graph) -> frozenset[int]:
    """Values with more elements than one that they alone are computed from."""
    least: dict[int, float] = {}
    for eq in graph.equations:
        operands = [n for n in eq.inputs if isinstance(n, int) and graph.depends[n]]
        if rule_for(eq) is not None and len(operands) == 1:
            [one] = operands
            least[eq.outputs[0]] = min(math.prod(graph.shapes[one]), least.get(one, math.inf))
    return frozenset(
        number for number, size in least.items() if size < _WORTH * math.prod(graph.shapes[number])
    )
