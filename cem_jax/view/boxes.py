"""Boxes of known size that become a figure: what is measured before it is placed cannot overlap.

Sizes are in inches. Texts are measured in the font that they are drawn in, and broken into lines,
so that they stay within their boxes whatever the settings.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Draw = Callable[["Figure", float, float], None]

_DPI = (72, 100, 200)
"""At which texts are measured; letters are rounded to pixels, so that they are wider at some."""
_LINE = 1.3
"""Height of a line over the size of its font."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A part of a figure.

    Args:
        width: in inches.
        height: in inches.
        draw: draws it into a figure, its left and upper end at so many inches from the figure's.
    """

    width: float
    height: float
    draw: Draw


def as_written(text: "Text") -> None:
    """Draws a text as it is: dollars and backslashes begin no formula, whatever the settings.

    Args:
        text: of a figure.
    """
    text.set_parse_math(False)
    text.set_usetex(False)


def points(share: float = 1.0) -> float:
    """A size of font, as a share of the size that is set.

    Args:
        share: of `rcParams["font.size"]`.
    """
    from matplotlib import rcParams

    return share * rcParams["font.size"]


def _extent(text: str, size: float, weight: str) -> float:
    """Width of a line in inches; families that are set are part of what it depends on."""
    from matplotlib import rcParams

    family = rcParams["font.family"]
    names = tuple(family) if isinstance(family, list) else (family,)
    every = cast(Mapping[str, Any], rcParams)
    specific = tuple(tuple(every[f"font.{one}"]) for one in names if f"font.{one}" in every)
    return _measured(text, size, weight, (names, specific))


@functools.lru_cache(maxsize=4096)
def _measured(text: str, size: float, weight: str, _families: Any) -> float:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def at(dpi: int) -> float:
        figure = Figure(figsize=(1, 1), dpi=dpi)
        drawn = figure.text(0, 0, text, fontsize=size, weight=weight)
        as_written(drawn)
        return drawn.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width / dpi

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        return max(map(at, _DPI))


def _fitting(word: str, width: float, size: float, weight: str) -> list[str]:
    """A word in pieces that fit."""
    pieces, piece = [], ""
    for letter in word:
        if piece and _extent(piece + letter, size, weight) > width:
            pieces.append(piece)
            piece = letter
        else:
            piece += letter
    return [*pieces, piece]


def lines_of(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """A text in lines that fit a width.

    Args:
        text: words on one line or several.
        width: in inches.
        size: of the font, in points.
        weight: of the font.
    """
    lines = []
    for given in text.split("\n"):
        line = ""
        for word in given.split(" "):
            longer = f"{line} {word}" if line else word
            if _extent(longer, size, weight) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *full, line = _fitting(word, width, size, weight)
            lines += full
        lines.append(line)
    return lines


def words(
    text: str,
    width: float | None = None,
    *,
    share: float = 1.0,
    weight: str = "normal",
    align: str = "left",
    most: int = 4,
) -> Box:
    """A text.

    Args:
        text: one line or several.
        width: of the box; None takes what the text needs.
        share: size of its font over the one that is set.
        weight: of the font.
        align: "left", "center" or "right".
        most: lines; what goes beyond is left out.
    """
    size = points(share)
    if width is None:
        lines = text.split("\n")
        width = max(_extent(line, size, weight) for line in lines)
    else:
        lines = lines_of(text, width, size, weight)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1][:-1]}\u2026"]
    step, across = size * _LINE / 72, {"left": 0.0, "center": width / 2, "right": width}[align]

    def draw(figure: "Figure", x: float, y: float) -> None:
        wide, high = figure.get_size_inches()
        for number, line in enumerate(lines):
            middle = y + (number + 0.5) * step
            drawn = figure.text(
                (x + across) / wide, 1 - middle / high, line, ha=align, va="center",
                fontsize=size, weight=weight,
            )  # fmt: skip
            as_written(drawn)

    return Box(width, step * len(lines), draw)


def picture(width: float, height: float, draw: Callable[["Axes"], Any]) -> Box:
    """Axes that a function draws into.

    Args:
        width: in inches.
        height: in inches.
        draw: what is drawn.
    """

    def into(figure: "Figure", x: float, y: float) -> None:
        wide, high = figure.get_size_inches()
        bottom = 1 - (y + height) / high
        draw(figure.add_axes((x / wide, bottom, width / wide, height / high)))

    return Box(width, height, into)


def space(width: float, height: float) -> Box:
    """Nothing, of a size.

    Args:
        width: in inches.
        height: in inches.
    """
    return Box(width, height, lambda figure, x, y: None)


def beside(boxes: Sequence[Box], gap: float, align: float = 0.0) -> Box:
    """Boxes from left to right.

    Args:
        boxes: at least one.
        gap: between two, in inches.
        align: 0 aligns their upper ends, 1 their lower ones.
    """
    height = max(box.height for box in boxes)

    def draw(figure: "Figure", x: float, y: float) -> None:
        for box in boxes:
            box.draw(figure, x, y + align * (height - box.height))
            x += box.width + gap

    return Box(sum(box.width for box in boxes) + gap * (len(boxes) - 1), height, draw)


def above(boxes: Sequence[Box], gap: float, align: float = 0.0) -> Box:
    """Boxes from the top down.

    Args:
        boxes: at least one.
        gap: between two, in inches.
        align: 0 aligns their left ends, 0.5 their middles.
    """
    width = max(box.width for box in boxes)

    def draw(figure: "Figure", x: float, y: float) -> None:
        for box in boxes:
            box.draw(figure, x + align * (width - box.width), y)
            y += box.height + gap

    return Box(width, sum(box.height for box in boxes) + gap * (len(boxes) - 1), draw)


def grid(columns: Sequence[Sequence[Box]], across: float, down: float) -> Box:
    """Boxes in columns of which those of one row begin at one height.

    Args:
        columns: at least one, all of the same number of boxes.
        across: gap between two columns, in inches.
        down: gap between two rows, in inches.
    """
    heights = [max(box.height for box in row) for row in zip(*columns, strict=True)]
    tall = [
        above(
            [Box(box.width, height, box.draw) for box, height in zip(column, heights, strict=True)],
            down,
        )
        for column in columns
    ]
    return beside(tall, across)


def flow(boxes: Sequence[Box], width: float, gap: float) -> Box:
    """Boxes in lines, as words are.

    Args:
        boxes: at least one, none wider than the width.
        width: of the lines, in inches.
        gap: between two boxes of a line, in inches.
    """
    lines: list[list[Box]] = [[]]
    for box in boxes:
        taken = sum(one.width + gap for one in lines[-1])
        if lines[-1] and taken + box.width > width:
            lines.append([])
        lines[-1].append(box)
    return above([beside(line, gap, 0.5) for line in lines], 0.03)


def on_figure(figure: "Figure", box: Box, margin: float) -> None:
    """Gives a figure the size of a box, and draws the box.

    Args:
        figure: without axes.
        box: what is drawn.
        margin: around it, in inches.
    """
    size = np.array([box.width, box.height]) + 2 * margin
    figure.set_size_inches(*size)
    box.draw(figure, margin, margin)
