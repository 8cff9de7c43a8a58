"""Attributions as figures: signed over the input, and as an area of contribution."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

from cem_jax.attribution.contribution import area_of_contribution
from cem_jax.attribution.record import Attribution
from cem_jax.view.boxes import above, beside, on_figure, picture, words
from cem_jax.view.colours import colours
from cem_jax.view.layer import Part
from cem_jax.view.panels import SMALL, fitted, ramp, rounded
from cem_jax.view.parts import named, outline, show_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INPUT_SHARE = 0.5
_SIDE = 3.3
"""Inches of a picture, at most."""
_LEAST = 2.2
"""Inches that small print needs."""


def _over_input(found: Attribution, rgb: Float[np.ndarray, "rows columns 3"], ax: "Axes") -> None:
    """Draws colours of cells over the input, the region's outline, in output pixels."""

    def enlarge(
        image: Shaped[np.ndarray, "h w c"], factor: int
    ) -> Shaped[np.ndarray, "h*{factor} w*{factor} c"]:
        return image.repeat(factor, 0).repeat(factor, 1)

    image = enlarge(found.degraded, found.scale) / 255
    overlay = enlarge(rgb, found.cell * found.scale)[: image.shape[0], : image.shape[1]]
    ax.imshow((1 - _INPUT_SHARE) * overlay + _INPUT_SHARE * image, origin="upper")
    outline(found.roi, ax, 1.5)
    ax.set_xticks([])
    ax.set_yticks([])


def _figure(
    found: Attribution,
    name: str,
    draw: Callable[["Axes"], None],
    numbers: Float[np.ndarray, "rows columns"],
    limit: float,
    colour_map: str | None,
    sides: Sequence[str],
) -> "Axes":
    """A figure of its own: the input, what is attributed, its scale."""
    import matplotlib.pyplot as plt

    height, width = (side * found.scale for side in found.degraded.shape[:2])
    size = fitted(Part(0, 0, height, width), 1.6 * _SIDE, _SIDE)
    wide = max(size[0], _LEAST)

    def draw_input(ax: "Axes") -> None:
        show_image(found.degraded, found.scale, ax)
        outline(found.roi, ax, 1.5)

    def draw_named(ax: "Axes") -> None:
        ax.set_label(name)
        draw(ax)

    ticks = (rounded(-limit), "0", rounded(limit))
    columns = [
        above([words("input", wide, share=SMALL), picture(*size, draw_input)], 0.05),
        above(
            [
                words(name, wide, share=SMALL),
                picture(*size, draw_named),
                ramp(numbers, limit, colour_map, ticks, sides, wide),
            ],
            0.05,
        ),
    ]
    body = beside(columns, 0.25)
    told = f"{found.outcome:.4g} {named(found.unit)} on the region".replace("  ", " ")
    task = named(str(found.parameters.get("task", "")))
    title = named(str(found.parameters.get("network", "")))
    heads = [
        words(f"{title}: {found.method}", body.width, weight="bold"),
        words(f"{task}, {told}" if task else told, body.width, share=SMALL),
    ]
    figure = plt.figure()
    on_figure(figure, above([*heads, body], 0.06), 0.15)
    return next(ax for ax in figure.axes if ax.get_label() == name)


def plot_attribution(
    found: Attribution,
    ax: "Axes | None" = None,
    limit: float | None = None,
    colour_map: str | None = None,
) -> "Axes":
    """Draws signed attributions over the input: red raises the outcome, blue lowers it.

    Args:
        found: the attribution.
        ax: where to draw it alone; None makes a figure, with the input and a scale.
        limit: attribution at which the colours end, in its unit; None takes the largest in size.
        colour_map: name of matplotlib's diverging colours, the upper end raises the outcome; None
            takes ours.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    largest = float(np.abs(found.attribution).max()) or 1.0
    limit = largest if limit is None else limit
    rgb = colours(found.attribution, limit, colour_map)
    if ax is not None:
        _over_input(found, rgb, ax)
        return ax
    unit = named(found.unit or str(found.parameters.get("outcome", "")))
    sides = ("lowers", f"attribution ({unit})" if unit else "attribution", "raises")
    return _figure(
        found, "attribution", lambda own: _over_input(found, rgb, own), found.attribution, limit,
        colour_map, sides,
    )  # fmt: skip


def plot_contribution(
    found: Attribution, ax: "Axes | None" = None, colour_map: str | None = None
) -> "Axes":
    """Draws the area of contribution over the input, its density in red, sign left out.

    Args:
        found: the attribution.
        ax: where to draw it alone; None makes a figure, with the input and a scale.
        colour_map: name of matplotlib's diverging colours, of which the upper half is used; None
            takes ours.

    Returns:
        The axes.

    Raises:
        ValueError: there is no such colour map.
    """
    density = area_of_contribution(found)
    rgb = colours(density, 1.0, colour_map)
    if ax is not None:
        _over_input(found, rgb, ax)
        return ax
    return _figure(
        found, "area of contribution", lambda own: _over_input(found, rgb, own), density, 1.0,
        colour_map, ("", "density of contribution", "most"),
    )  # fmt: skip
