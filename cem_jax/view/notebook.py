"""What notebooks show of a result: maps as the report in a frame, the others as small tables.

All of it is within the HTML: it survives nbconvert and opens without a network.
"""

import functools
import html
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cem_jax.attribution.record import Attribution
from cem_jax.inside.mediated_maps import MediatedMaps
from cem_jax.map.difference import Difference
from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import shortened, visible
from cem_jax.scene.image import to_bytes
from cem_jax.view.attribution import plot_attribution
from cem_jax.view.figure_file import figure_bytes
from cem_jax.view.plot import plot
from cem_jax.view.report.pack import data_url, picture
from cem_jax.view.report.page import render

_LONGEST = 320
"""Longest side of a picture of a scene, in pixels."""
_ROOM = 2**20
"""Bytes for the compressed regions of a map's report."""
_HEIGHT = 760
"""Of the frame that holds a report, in pixels; it can be pulled larger."""


@functools.singledispatch
def html_of(shown: Any) -> str:
    """What a notebook shows of a result.

    Args:
        shown: an `EffectMap`, `MediatedMaps`, `Difference`, `Attribution`, `Interactions`,
            `Layers`, `Scene` or `Network`.
    """
    name = type(shown).__name__
    # All of these need JAX, which saved maps do not.
    tables = {
        "Scene": _scene, "Network": _network, "Interactions": _interactions, "Layers": _layers
    }  # fmt: skip
    if name not in tables:
        raise TypeError(f"{name} has nothing to show")
    return tables[name](shown)


@html_of.register
def _(shown: EffectMap) -> str:
    return _framed(render([shown], _ROOM))


@html_of.register
def _(shown: MediatedMaps) -> str:
    return _framed(render([shown], _ROOM))


@html_of.register
def _(shown: Difference) -> str:
    return _framed(render([shown.first, shown.second], _ROOM))


@html_of.register
def _(shown: Attribution) -> str:
    return _drawn(plot_attribution(shown), shown.method)


def _drawn(axes: Any, name: str) -> str:
    """A picture of a result."""
    import matplotlib.pyplot as plt

    figure = axes.get_figure(root=True)
    assert figure is not None
    drawn = figure_bytes(figure, "png", dpi=80, bbox_inches="tight")
    plt.close(figure)
    return f'<img alt="{_text(name)}" src="{data_url(drawn)}">'


def _interactions(shown: Any) -> str:
    from cem_jax.view.inside import plot_interactions

    return _drawn(plot_interactions(shown), "interactions of pairs of blocks")


def _layers(shown: Any) -> str:
    from cem_jax.view.inside import plot_layers

    return _drawn(plot_layers(shown), "how much of the mean effect passes each module")


def drawing_of(shown: Any) -> Callable[..., Any]:
    """The function that draws a result.

    Args:
        shown: an `EffectMap`, `Difference` or `Attribution`.
    """
    return plot_attribution if isinstance(shown, Attribution) else plot


def _framed(page: str) -> str:
    """A page in a frame of its own, whose scripts see nothing of what is around."""
    return (
        f'<iframe title="Causal Effect Maps" sandbox="allow-scripts allow-downloads" '
        f'style="width: 100%; height: {_HEIGHT}px; resize: vertical; border: 1px solid #8884" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def _text(value: Any) -> str:
    return html.escape(shortened(visible(str(value)), 80))


def _table(title: str, facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th style="text-align: left">{_text(name)}</th>'
        f'<td style="text-align: left">{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table><caption>{_text(title)}</caption><tbody>{rows}</tbody></table>"


def _scene(scene: Any) -> str:
    height, width = scene.clean.shape[:2]
    facts = {
        "task": scene.task, "size": f"{height} \u00d7 {width} pixels", "scale": scene.scale,
        **scene.facts, "do()": "none" if scene.intervene is None else "known",
    }  # fmt: skip
    images = "".join(
        f'<figure style="display: inline-block; margin: 0 1em 0 0"><img alt="{name}" '
        f'style="height: 200px" src="{picture(to_bytes(np.asarray(image)), _LONGEST)}">'
        f"<figcaption>{name}</figcaption></figure>"
        for name, image in (("clean", scene.clean), ("degraded", scene.degraded))
    )
    return f"<div>{images}{_table(scene.name or 'scene', facts)}</div>"


def _network(network: Any) -> str:
    import jax

    leaves = [leaf for leaf in jax.tree.leaves(network.params) if hasattr(leaf, "size")]
    radius = network.receptive_radius
    facts = {
        "parameters": f"{sum(leaf.size for leaf in leaves):,}",
        "scale": network.scale,
        "receptive radius": "any pixel may reach any other" if radius is None else f"{radius} px",
        "channels": "unknown" if network.channels is None else network.channels,
        **({"how it runs": network.note} if network.note else {}),
    }
    return _table(network.name, facts)
