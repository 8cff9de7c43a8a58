"""Maps as figures: the whole input, the part that matters, what colours mean, what is uncertain.

Red helps, blue harms, white does neither. The colours are readable for the colour-blind; the look
"paper" has those of the paper's figures, with its green region and its pies.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from cem_jax.arguments import one_of, positive_number
from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.view.boxes import Box, above, beside, grid, on_figure, space, words
from cem_jax.view.colours import Look, find_look
from cem_jax.view.layer import Zoom, layer_of, part_to_show
from cem_jax.view.panels import (
    MAP_AXES,
    SMALL,
    Shown,
    input_panel,
    limit_of,
    map_panel,
    region_panel,
    scale_panel,
    shares_panel,
    signs_panel,
)
from cem_jax.view.parts import draw_layer, named
from cem_jax.view.scenes import by_scene, network_names, scene_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scale = Literal["shared", "own"]
SCALES = ("shared", "own")
MOST_MAPS = 24
"""In one figure."""
MOST_ON_PAGE = 10
"""Maps of a page, where there are several."""

_MARGIN = 0.15
_GAP = 0.25
_WIDTH = 9.6
"""Inches of a figure of one map, at most."""
_HEIGHT = 3.3
"""Inches of its pictures, at most."""
_COLUMN = 2.6
"""Inches of a column where maps stand side by side."""
_TALLEST = 1.4
"""Height of a picture in a column over its width, at most."""
_LEAST = 1.9
"""Inches of a column that small print needs."""
_IN_A_ROW = 5
"""Columns, at most."""


def plot(
    found: EffectMap | Difference,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str | None = None,
    *,
    look: str = "clear",
    zoom: Zoom = "auto",
) -> "Axes":
    """Draws a map, or the difference of two, over its input.

    Effects below the tolerance have the colour of zero: white. Blocks whose sign is uncertain,
    since their 95 % interval holds 0, are hatched. Without axes it makes a figure with the whole
    input, the region restored and true where the map has kept them, scale, counts and legend; where
    few blocks matter, the map is of their part. A difference stands beside both of its maps.

    Args:
        found: the map, or the difference.
        ax: where to draw the map alone; None makes a figure.
        limit: effect at which the colours end, in the outcome's unit; None takes the map's largest
            effect, or the paper's limit for the task if that is smaller.
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes those of
            the look.
        look: "clear", or "paper": its colours, the region as an area, pies, nothing hatched.
        zoom: "whole", "near" for the region and the blocks with an effect, or "auto": in a figure
            of its own near where that is less than half of the image, in given axes whole.

    Returns:
        The axes of the map.

    Raises:
        ValueError: there is no such colour map, look or zoom, or the limit is not positive.
    """
    import matplotlib.pyplot as plt

    chosen = find_look(look, colour_map)
    limit = _checked(limit)
    if ax is not None:
        layer = layer_of(found)
        part = part_to_show([layer], "whole" if zoom == "auto" else zoom)
        draw_layer(layer, ax, limit_of(found) if limit is None else limit, chosen, part)
        return ax
    if isinstance(found, Difference):
        shown = _difference(found, limit, zoom)
        box = _group(shown, chosen, _told_apart(found))
    else:
        shown = _together([found], limit, zoom, "shared")
        box = _single(shown[0], chosen)
    figure = plt.figure()
    on_figure(figure, _with_signs(box, shown, chosen, []), _MARGIN)
    return [one for one in figure.axes if one.get_label() == MAP_AXES][-1]


def plot_teaser(
    maps: Sequence[EffectMap],
    colour_map: str | None = None,
    *,
    look: str = "clear",
    limit: float | None = None,
    zoom: Zoom = "auto",
    scale: Scale = "shared",
) -> "Figure":
    """Several maps side by side, each with its input, scale and shares.

    Maps of one scene stand in a row behind their input, and show the same part of it.

    Args:
        maps: one map for each column.
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes those of
            the look.
        look: "clear", or "paper" for the paper's own, with its colours and pies.
        limit: effect at which the colours of all maps end, in the outcome's unit.
        zoom: "whole", "near" for the region and the blocks with an effect, or "auto".
        scale: "shared" gives maps of one scene one scale, "own" each its own.

    Returns:
        The figure.

    Raises:
        ValueError: there is no such colour map, look, zoom or scale, the limit is not positive, or
            there are no maps or more than a figure can hold.
    """
    import matplotlib.pyplot as plt

    chosen = find_look(look, colour_map)
    one_of("scale", scale, SCALES)
    maps, limit = list(maps), _checked(limit)
    if not 0 < len(maps) <= MOST_MAPS:
        raise ValueError(f"maps: {len(maps)} of them; expected 1 to {MOST_MAPS} in one figure")
    scenes = [_together(scene, limit, zoom, scale) for scene in by_scene(maps)]
    shown = [one for scene in scenes for one in scene]
    if len(shown) == 1 and not chosen.pies:
        box = _single(shown[0], chosen)
    else:
        alone = [scene[0] for scene in scenes if len(scene) == 1]
        rows = _rows([_column(one, chosen) for one in alone])
        rows += [_group(scene, chosen, _heading(scene[0])) for scene in scenes if len(scene) > 1]
        box = above(rows, 2 * _GAP)
    figure = plt.figure()
    on_figure(figure, _with_signs(box, shown, chosen, _about_scales(scenes, limit, scale)), _MARGIN)
    return figure


def pages(
    maps: Sequence[EffectMap], colour_map: str | None = None, **options: Any
) -> "list[Figure]":
    """Any number of maps as figures; maps of one scene stay together where they fit.

    Args:
        maps: at least one.
        colour_map: as for `plot_teaser`.
        **options: of `plot_teaser`.

    Returns:
        The figures, of at most `MOST_ON_PAGE` maps each where there is more than one.

    Raises:
        ValueError: as `plot_teaser`.
    """
    maps = list(maps)
    if len(maps) <= MOST_ON_PAGE:
        return [plot_teaser(maps, colour_map, **options)]
    found: list[list[EffectMap]] = [[]]
    for scene in by_scene(maps):
        for start in range(0, len(scene), MOST_ON_PAGE):
            part = scene[start : start + MOST_ON_PAGE]
            if found[-1] and len(found[-1]) + len(part) > MOST_ON_PAGE:
                found.append([])
            found[-1] += part
    return [plot_teaser(page, colour_map, **options) for page in found]


def _checked(limit: float | None) -> float | None:
    return None if limit is None else positive_number("limit", limit)


def _about_scales(
    scenes: Sequence[Sequence[Shown]], limit: float | None, scale: Scale
) -> list[str]:
    """How far the colours of several maps can be compared."""
    if sum(map(len, scenes)) == 1:
        return []
    if limit is not None:
        return ["All maps have one scale."]
    if scale == "own":
        return ["Each map has a scale of its own."]
    if len(scenes) == 1:
        return ["All maps have one scale."]
    if any(len(scene) > 1 for scene in scenes):
        return ["The maps of one scene have one scale; scenes have different ones."]
    return ["Each map has a scale of its own: they are of different scenes."]


def _together(
    maps: Sequence[EffectMap], limit: float | None, zoom: Zoom, scale: Scale
) -> list[Shown]:
    """Maps of one scene: the same part, and one scale if it is shared."""
    layers = [layer_of(one) for one in maps]
    part, names = part_to_show(layers, zoom), network_names(maps)
    limits = [limit_of(one) for one in maps]
    if limit is not None or scale == "shared":
        limits = [max(limits) if limit is None else limit] * len(maps)
    return [
        Shown(one, layer, part, end, name)
        for one, layer, end, name in zip(maps, layers, limits, names, strict=True)
    ]


def _difference(found: Difference, limit: float | None, zoom: Zoom) -> list[Shown]:
    """Both maps on one scale, and their difference on its own."""
    maps = (found.first, found.second)
    layers = [layer_of(one) for one in (*maps, found)]
    part = part_to_show(layers, zoom)
    both = max(map(limit_of, maps)) if limit is None else limit
    names = [f"{letter}: {name}" for letter, name in zip("AB", _two_names(found), strict=True)]
    shown = [
        Shown(one, layer, part, both, name)
        for one, layer, name in zip(maps, layers, names, strict=False)
    ]
    own = limit_of(found) if limit is None else limit
    return [*shown, Shown(found, layers[2], part, own, "A \u2212 B")]


def _two_names(found: Difference) -> list[str]:
    names = network_names([found.first, found.second])
    if names[0] == names[1]:
        places = [one.roi.label for one in (found.first, found.second)]
        scores = [one.outcome for one in (found.first, found.second)]
        told = places if places[0] != places[1] else scores
        names = [f"{name}, {what}" for name, what in zip(names, told, strict=True)]
    return names


def _told_apart(found: Difference) -> str:
    first, second = found.first, found.second
    if first.roi == second.roi and first.outcome == second.outcome:
        return _heading_of(first)
    return f"{_heading_of(first)}; {_heading_of(second)}"


def _heading_of(effect_map: EffectMap) -> str:
    return textwrap.shorten(scene_name(effect_map), 120, placeholder="\u2026")


def _heading(shown: Shown) -> str:
    return _heading_of(shown.first)


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


def _single(shown: Shown, look: Look) -> Box:
    """One map: the input, the map and the region beside each other."""
    behind = shown.first.extremes
    whole, part = shown.layer.whole, shown.part
    wide = whole.width / whole.height, part.width / part.height
    third = 0.0 if behind is None else 0.45
    height = min(_HEIGHT, (_WIDTH - 2 * _GAP) / (sum(wide) + third))
    left, right = (max(height * one, _LEAST) for one in wide)
    columns = [
        above(
            [
                words("input", left, share=SMALL), input_panel(shown, left, height),
                shares_panel(shown, look, left),
            ],
            0.08,
        ),
        above(
            [
                words("effects over the input", right, share=SMALL),
                map_panel(shown, look, right, height), scale_panel(shown, look, right),
            ],
            0.08,
        ),
    ]  # fmt: skip
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
    body = beside(columns, _GAP)
    return above(
        [_map_title(shown, body.width), words(_heading(shown), body.width, share=SMALL), body], 0.06
    )


def _tallest(shown: Sequence[Shown]) -> float:
    """Inches that the pictures of a row take in its columns."""
    parts = [one.part for one in shown] + [one.layer.whole for one in shown]
    most = max(part.height / part.width for part in parts)
    return _COLUMN * min(most, _TALLEST)


def _rows(columns: Sequence[Sequence[Box]]) -> list[Box]:
    """Columns side by side, in rows of one length where they are many."""
    rows = math.ceil(len(columns) / _IN_A_ROW)
    each = math.ceil(len(columns) / max(rows, 1))
    starts = range(0, len(columns), each) if columns else ()
    return [grid(columns[start : start + each], _GAP, 0.08) for start in starts]


def _column(shown: Shown, look: Look) -> list[Box]:
    """One map of several scenes: its input above it."""
    height = _tallest([shown])
    return [
        words(_heading(shown), _COLUMN, share=SMALL, most=3),
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
    names, each = {"restored": "region restored", "clean": "true region"}, (_COLUMN - _GAP) / 2
    found = [region_panel(getattr(behind, one), names[one], each, 1.4 * each) for one in which]
    return beside(found, _GAP)


def _group(maps: Sequence[Shown], look: Look, heading: str) -> Box:
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
    body = above(_rows(columns), _GAP)
    return above([words(heading, body.width, most=3), body], 0.08)


def _with_signs(box: Box, shown: Sequence[Shown], look: Look, notes: list[str]) -> Box:
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
