"""The page: scripts, style, data and static pictures put into one HTML file."""

import base64
import hashlib
import html
import json
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cem_jax.arguments import several
from cem_jax.inside.mediated_maps import MediatedMaps
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.summary import summarise
from cem_jax.plain_text import quoted, visible
from cem_jax.store.atomic import write_file
from cem_jax.store.objects import AnyPath, as_place
from cem_jax.view.figure_file import figure_bytes
from cem_jax.view.plot import plot_teaser
from cem_jax.view.report.inside import belonging, scenes_inside, unfolded
from cem_jax.view.report.pack import data_url
from cem_jax.view.report.values import scene_values
from cem_jax.view.report.whole import Pictures, place_of_region
from cem_jax.view.scenes import by_scene, digits, network_names, photograph_name, scene_name

if TYPE_CHECKING:
    from cem_jax.inside.interactions import Interactions
    from cem_jax.inside.layers import Layers

PARTS = (
    "arrays.js", "colour.js", "parts.js", "save.js", "map.js", "strip.js", "block.js", "paths.js",
    "viewer.js",
)  # fmt: skip
"""Scripts of every page that shows maps."""
_SCRIPTS = (*PARTS, "address.js", "choose.js", "report.js")
_PICTURE_BYTES = 2**22
"""Room for the compressed regions of all maps."""
_STATIC_SCENES = 8
"""Scenes that are drawn for browsers without scripts."""


def report(
    maps: EffectMap | MediatedMaps | Sequence[EffectMap | MediatedMaps],
    path: str | AnyPath,
    inside: "Sequence[Layers | Interactions]" = (),
) -> None:
    """Writes maps as one interactive HTML file that opens from disk, without a network.

    Maps of the same input, region, blocks and outcome stand side by side as one scene; several
    scenes can be chosen from. Everything is drawn from the maps, nothing from networks. Without
    scripts the file shows a picture and a table. Of mediated maps the total effects are shown, and
    a switch shows direct and indirect ones.

    Args:
        maps: one map or several, of one scene or several, of which some may be mediated.
        path: the file to write.
        inside: layers, which the page shows as a table, and interactions, which it tells of two
            pinned blocks, of these maps' networks.

    Raises:
        ValueError: there are no maps, something else is among them, `inside` holds what belongs to
            none of them, or the file cannot be written.
    """
    given = [maps] if isinstance(maps, EffectMap | MediatedMaps) else maps
    maps = several("maps", given, (EffectMap, MediatedMaps), "effect maps")
    path = as_place(path)
    if isinstance(path, Path) and (not path.parent.is_dir() or path.is_dir()):
        raise ValueError(f"path={quoted(str(path))}: expected a file in a folder that exists")
    write_file(path, render(maps, inside=inside).encode())


def render(
    maps: Sequence[EffectMap | MediatedMaps],
    room: int = _PICTURE_BYTES,
    inside: "Sequence[Layers | Interactions]" = (),
) -> str:
    """The report's HTML.

    Args:
        maps: one or more.
        room: for the compressed regions of all maps, in bytes.
        inside: see `report`.

    Raises:
        ValueError: `inside` holds what belongs to none of the maps.
    """
    maps, mediated = unfolded(maps)
    others = belonging(maps, inside)
    scenes, pictures, room = by_scene(maps), Pictures.of(maps), room // len(maps)
    style, script = part("style.css"), as_script(map(part, _SCRIPTS))
    return string.Template(part("page.html")).substitute(
        policy=policy(style, script),
        style=style,
        main=part("main.html"),
        static="\n".join(_static_picture(scene) for scene in scenes[:_STATIC_SCENES]),
        table="\n".join(_table(scene) for scene in scenes),
        pictures="\n".join(map(_picture, pictures.drawn())),
        data="\n".join(_data(scene, pictures, room) for scene in scenes),
        inside="\n".join(_inside(scenes_inside(scenes, maps, mediated, others))),
        script=script,
    )


def part(name: str) -> str:
    """A part of the page.

    Args:
        name: of the file.
    """
    return (resources.files(__spec__.parent) / name).read_text("utf-8")


def as_script(texts: Iterable[str]) -> str:
    """Scripts as one, whose names are its own.

    Args:
        texts: in their order.
    """
    return f'(() => {{\n"use strict";\n{"".join(texts)}}})();\n'


def policy(style: str, script: str, more: str = "") -> str:
    """A content security policy: pictures within the page, and this style and script alone.

    Args:
        style: of the page.
        script: of the page.
        more: that is allowed besides.
    """
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'{more}"
    )


def _picture(addresses: Mapping[str, str]) -> str:
    """A whole image, once for all scenes of it, in an element that browsers do not run."""
    return f'<script type="application/json" class="picture">{as_json(addresses)}</script>'


def _data(maps: Sequence[EffectMap], pictures: Pictures, room: int) -> str:
    """A scene's values; beside them its name, its region, and the numbers of its pictures."""
    first, told = maps[0], {"name": scene_name(maps[0]), "place": place_of_region(maps[0])}
    told |= {"input": pictures.number(first.degraded), "title": photograph_name(first)}
    kept = next((one.images for one in maps if one.images is not None), None)
    values = scene_values(maps, room, pictures.longest)
    values["cleanPicture"] = None if kept is None else pictures.number(kept.clean)
    for entry, one in zip(values["maps"], maps, strict=False):  # a difference has no image
        if one.images is not None:
            entry["restoredPicture"] = pictures.number(one.images.restored)
    beside = " ".join(f'data-{key}="{html.escape(str(value))}"' for key, value in told.items())
    return f'<script type="application/json" class="scene" {beside}>{as_json(values)}</script>'


def _inside(scenes: Sequence[Mapping[int, Any]]) -> Iterator[str]:
    """What is known of the inside of networks, for the scenes that have some of it."""
    for number, found in enumerate(scenes):
        if found:
            tag = f'<script type="application/json" class="inside" data-scene="{number}">'
            yield f"{tag}{as_json(found)}</script>"


def as_json(values: Any) -> str:
    """JSON that no name can end or begin a tag in.

    Args:
        values: what it holds.
    """
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """What a content security policy calls an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _static_picture(maps: Sequence[EffectMap]) -> str:
    """The paper's figure of a scene, for browsers without scripts."""
    import matplotlib.pyplot as plt

    figure = plot_teaser(maps)
    drawn = figure_bytes(figure, "png", dpi=90)
    plt.close(figure)
    name = html.escape(scene_name(maps[0]))
    return f'<img class="static" alt="Maps: {name}" src="{data_url(drawn)}">'


def _table(maps: Sequence[EffectMap]) -> str:
    """The numbers of a scene's maps, each at its own tolerance."""
    unit = f" ({visible(maps[0].unit)})" if maps[0].unit else ""
    heads = [
        "network", f"outcome on the region{unit}", "help", "harm", "neither", f"tolerance{unit}",
        f"smallest effect{unit}", f"largest effect{unit}", f"largest standard error{unit}", "draws",
    ]  # fmt: skip
    places, rows = digits(maps), []
    for one, name in zip(maps, network_names(maps), strict=True):
        negative, positive, zero = one.counts
        numbers = [
            f"{one.baseline:.{places}f}", positive, negative, zero, f"{one.tolerance:g}",
            f"{one.range.min:+.{places}f}", f"{one.range.max:+.{places}f}",
            f"{summarise(one)['largest_standard_error']:.{places}f}".replace("nan", "unknown"),
            one.evaluations,
        ]  # fmt: skip
        cells = "".join(f"<td>{number}</td>" for number in numbers).replace(">-", ">\u2212")
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    caption = html.escape(scene_name(maps[0]))
    return (
        f'<div class="wide"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
