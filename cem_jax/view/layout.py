"""How the parts of a figure stand: one map with its input, maps of a scene, maps of many scenes."""

import math
from collections.abc import Sequence

from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.view.boxes import Box, above, beside, grid, space, words
from cem_jax.view.colours import Look
from cem_jax.view.panels import (
    SMALL,
    Shown,
    input_panel,
    map_panel,
    region_panel,
    scale_panel,
    shares_panel,
    signs_panel,
)
from cem_jax.view.parts import named
from cem_jax.view.scenes import scene_name

GAP = 0.25
_WIDTH = 9.6
"""Inches of a figure of one map, at most."""
_HEIGHT = 3.3
"""Inches of its pictures, at most."""
_LOW = 1.3
"""Height of its pictures below which the input gets a line of its own."""
_COLUMN = 2.6
"""Inches of a column where maps stand side by side."""
_TALLEST = 1.4
"""Height of a picture in a column over its width, at most."""
_LEAST = 1.9
"""Inches of a column that small print needs."""
LONGEST_SCENE = 64
"""Characters of a photograph's name, a task's and an outcome's above a map."""
_IN_A_ROW = 5
"""Columns, at most."""


def heading_of(effect_map: EffectMap) -> str:
    """A map's scene, each of its names no longer than fits, its region whole."""
    return scene_name(effect_map, LONGEST_SCENE)


def heading(shown: Shown) -> str:
    """The scene of what is shown."""
    return heading_of(shown.first)


def _quality(effect_map: EffectMap) -> str:
    if effect_map.unit:
        return f"{effect_map.baseline:.2f} {named(effect_map.unit)} on the region"
    return f"{named(effect_map.outcome)} {effect_map.baseline:.4g} on the region"


def _map_title(shown: Shown, width: float) -> Box:
    """What is shown, and how well the region is restored."""
    told = [words(named(shown.title), width, weight="bold", most=2)]
    if isinstance(shown.found, EffectMap):
        told.append(words(_quality(shown.found), width, share=SMALL, most=2))
    else:
        text = "difference of the effects, from draws that both share"
        told.append(words(text, width, share=SMALL))
    return above(told, 0.02)


def single(shown: Shown, look: Look) -> Box:
    """One map: the input, the map and the region beside each other, or below a very wide input."""
    behind = shown.first.extremes
    whole, part = shown.layer.whole, shown.part
    wide = whole.width / whole.height, part.width / part.height
    third = 0.0 if behind is None else 0.45
    height = min(_HEIGHT, (_WIDTH - 2 * GAP) / (sum(wide) + third))
    below = min(_HEIGHT, (_WIDTH - GAP) / (wide[1] + third))
    apart = height < _LOW and below > 1.5 * height
    size = (_WIDTH, _HEIGHT) if apart else (max(height * wide[0], _LEAST), height)
    given = _input_column(shown, look, *size)
    height = below if apart else height
    columns = [_map_column(shown, look, max(height * wide[1], _LEAST), height)]
    if behind is not None:
        each = max(height / 2 - 0.15, 0.6)
        columns.append(
            above(
                [
                    region_panel(behind.restored, "region restored", 1.5 * each, each),
                    region_panel(behind.clean, "true region", 1.5 * each, each),
                ],
                0.08,
            )
        )  # fmt: skip
    body = above([given, beside(columns, GAP)], GAP) if apart else beside([given, *columns], GAP)
    return above(
        [_map_title(shown, body.width), words(heading(shown), body.width, share=SMALL), body], 0.06
    )


def _input_column(shown: Shown, look: Look, width: float, height: float) -> Box:
    """The input above the counts of blocks."""
    return above(
        [
            words("input", width, share=SMALL), input_panel(shown, width, height),
            shares_panel(shown, look, width),
        ],
        0.08,
    )  # fmt: skip


def _map_column(shown: Shown, look: Look, width: float, height: float) -> Box:
    """The map above its scale."""
    return above(
        [
            words("effects over the input", width, share=SMALL),
            map_panel(shown, look, width, height), scale_panel(shown, look, width),
        ],
        0.08,
    )  # fmt: skip


def _tallest(shown: Sequence[Shown]) -> float:
    """Inches that the pictures of a row take in its columns."""
    parts = [one.part for one in shown] + [one.layer.whole for one in shown]
    most = max(part.height / part.width for part in parts)
    return _COLUMN * min(most, _TALLEST)


def in_rows(columns: Sequence[Sequence[Box]]) -> list[Box]:
    """Columns side by side, in rows of one length where they are many."""
    rows = math.ceil(len(columns) / _IN_A_ROW)
    each = math.ceil(len(columns) / max(rows, 1))
    starts = range(0, len(columns), each) if columns else ()
    return [grid(columns[start : start + each], GAP, 0.08) for start in starts]


def column(shown: Shown, look: Look) -> list[Box]:
    """One map of several scenes: its input above it."""
    height = _tallest([shown])
    return [
        words(heading(shown), _COLUMN, share=SMALL, most=5),
        input_panel(shown, _COLUMN, height),
        _map_title(shown, _COLUMN),
        map_panel(shown, look, _COLUMN, height),
        _regions(shown, ("restored", "clean")),
        _numbers(shown, look),
    ]


def _numbers(shown: Shown, look: Look) -> Box:
    """Scale and shares; the paper's bar is a scale too."""
    shares = shares_panel(shown, look, _COLUMN)
    pie = look.pies and isinstance(shown.found, EffectMap)
    return shares if pie else above([scale_panel(shown, look, _COLUMN), shares], 0.08)


def _regions(shown: Shown, which: Sequence[str]) -> Box:
    """The region restored and true, if they were kept."""
    behind = shown.first.extremes
    if behind is None or isinstance(shown.found, Difference):
        return space(_COLUMN, 0)
    names, each = {"restored": "region restored", "clean": "true region"}, (_COLUMN - GAP) / 2
    found = [region_panel(getattr(behind, one), names[one], each, 1.4 * each) for one in which]
    return beside(found, GAP)


def group(maps: Sequence[Shown], look: Look, heading: str) -> Box:
    """Maps of one scene in a row behind their input."""
    height = _tallest(maps)
    kept = [one for one in maps if one.first.extremes is not None]
    columns = [
        [
            words("input", _COLUMN, share=SMALL),
            input_panel(maps[0], _COLUMN, height),
            _regions(kept[0], ("clean",)) if kept else space(_COLUMN, 0),
            space(_COLUMN, 0),
        ]
    ]
    columns += [
        [
            _map_title(one, _COLUMN),
            map_panel(one, look, _COLUMN, height),
            _regions(one, ("restored",)),
            _numbers(one, look),
        ]
        for one in maps
    ]
    body = above(in_rows(columns), GAP)
    return above([words(heading, body.width, most=5), body], 0.08)


def with_signs(box: Box, shown: Sequence[Shown], look: Look, notes: list[str]) -> Box:
    """A figure's parts, and under them what its signs mean."""
    width = max(box.width, 3.0)
    below = [signs_panel(shown, look, width)]
    if any(one.clipped for one in shown):
        notes = [*notes, "Effects beyond the ends of a scale have the colours of its ends."]
    if any(isinstance(one.found, Difference) for one in shown):
        notes = [*notes, "A and B have one scale, their difference has its own."]
    if notes:
        below.append(words(" ".join(notes), width, share=SMALL))
    return above([box, above(below, 0.05)], 0.15)
