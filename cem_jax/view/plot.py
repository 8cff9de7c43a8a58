"""Maps as figures: the whole input, the part that matters, what colours mean, what is uncertain.

Red helps, blue harms, white does neither. The colours are readable for the colour-blind; the look
"paper" has those of the paper's figures, with its green region and its pies.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.view.boxes import above, on_figure
from cem_jax.view.colours import find_look
from cem_jax.view.layer import Zoom, layer_of, part_to_show
from cem_jax.view.layout import GAP, column, group, heading, heading_of, in_rows, single, with_signs
from cem_jax.view.panels import (
    MAP_AXES,
    Shown,
    limit_of,
)
from cem_jax.view.parts import draw_layer
from cem_jax.view.scenes import by_scene, network_names

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
        box = group(shown, chosen, _told_apart(found))
    else:
        shown = _together([found], limit, zoom, "shared")
        box = single(shown[0], chosen)
    figure = plt.figure()
    on_figure(figure, with_signs(box, shown, chosen, []), _MARGIN)
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
    if scale not in SCALES:
        raise ValueError(f"scale={scale!r}: expected one of {', '.join(SCALES)}")
    maps, limit = list(maps), _checked(limit)
    if not 0 < len(maps) <= MOST_MAPS:
        raise ValueError(f"maps: {len(maps)} of them; expected 1 to {MOST_MAPS} in one figure")
    scenes = [_together(scene, limit, zoom, scale) for scene in by_scene(maps)]
    shown = [one for scene in scenes for one in scene]
    if len(shown) == 1 and not chosen.pies:
        box = single(shown[0], chosen)
    else:
        alone = [scene[0] for scene in scenes if len(scene) == 1]
        rows = in_rows([column(one, chosen) for one in alone])
        rows += [group(scene, chosen, heading(scene[0])) for scene in scenes if len(scene) > 1]
        box = above(rows, 2 * GAP)
    figure = plt.figure()
    on_figure(figure, with_signs(box, shown, chosen, _about_scales(scenes, limit, scale)), _MARGIN)
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
    if limit is not None and not limit > 0:
        raise ValueError(f"limit={limit!r}: expected a number greater than 0")
    return limit


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
        return heading_of(first)
    return f"{heading_of(first)}; {heading_of(second)}"
