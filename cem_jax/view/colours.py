"""Colours of effects: which look, how strong an effect has the last colour, what uncertain is."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from cem_jax.map.effect_map import EffectMap

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

LIMITS = {"SR": 2.5, "DN": 1.0, "DR": 2.0}
"""Effects at which the paper's colours end, in dB, by task."""

STOPS = (
    (5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (255, 255, 255),
    (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31),
)  # fmt: skip
"""RdBu of ColorBrewer, which the colour-blind can read, with a white middle; as in the report."""

_EXPONENT = 1 / 1.2
_SHARES_OF_SEISMIC = ("#d7191c", "#2c4bb7", "white")
"""Of the pie: softer than those of the map."""


@dataclasses.dataclass(frozen=True)
class Look:
    """How maps are drawn.

    Args:
        name: of the look.
        filled: the region is a green area; else an outline, inside which the input shows.
        hatched: blocks are hatched whose sign is uncertain.
        pies: shares are a pie; else bars.
        input_share: how much of the input shows through the map.
        colour_map: name of matplotlib's; None takes `STOPS`.
    """

    name: str
    filled: bool
    hatched: bool
    pies: bool
    input_share: float
    colour_map: str | None


LOOKS = {
    "clear": Look("clear", False, True, False, 0.15, None),
    "paper": Look("paper", True, False, True, 0.1, "seismic"),
}
"""Ours, and that of the paper's figures."""


def find_look(name: str, colour_map: str | None = None) -> Look:
    """A look by its name, with colours of one's own.

    Args:
        name: "clear" or "paper".
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes those of
            the look.

    Raises:
        ValueError: there is no such look, or no such colours.
    """
    if not isinstance(name, str) or name not in LOOKS:
        raise ValueError(f"look={name!r}: expected one of {', '.join(LOOKS)}")
    if colour_map is None:
        return LOOKS[name]
    find_colours(colour_map)
    return dataclasses.replace(LOOKS[name], colour_map=colour_map)


def find_colours(name: str | None) -> "Colormap":
    """Diverging colours by their name.

    Args:
        name: one of matplotlib's; None takes `STOPS`.

    Raises:
        ValueError: there is none of this name.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    if name is None:
        return LinearSegmentedColormap.from_list("cem", np.array(STOPS) / 255, N=1024)
    if not isinstance(name, str) or name not in colormaps:
        raise ValueError(
            f"colour_map={name!r}: expected one of matplotlib's diverging colormaps, such as "
            "'seismic', or 'PuOr_r' (orange helps, purple harms) for readers who are colour-blind"
        )
    return colormaps[name]


def colour_limit(effect_map: EffectMap) -> float:
    """The effect at which the colours end, in the outcome's unit.

    It is the map's largest effect, but in dB never more than the paper's limit for the task.

    Args:
        effect_map: the map.

    Returns:
        A positive number.
    """
    low, high = effect_map.range
    largest = float(np.nanmax([-low, high, effect_map.tolerance]))
    limits = LIMITS if effect_map.unit == "dB" else {}
    return min(largest, limits.get(effect_map.task, largest)) or 1.0


def bend(share: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """sign(v) |v|^(1/1.2), as the paper's code colours effects.

    Args:
        share: effects over the limit, any shape.
    """
    return np.sign(share) * np.abs(share) ** _EXPONENT


def straighten(level: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """What `bend` undoes.

    Args:
        level: any shape.
    """
    return np.sign(level) * np.abs(level) ** (1 / _EXPONENT)


def colours(
    effect: Float[np.ndarray, "*axes"], limit: float, colour_map: str | None = None
) -> Float[np.ndarray, "*axes 3"]:
    """Colours of effects: a colour map over sign(v) |v|^(1/1.2), v the effect over the limit.

    Args:
        effect: any shape, in the outcome's unit.
        limit: effect at which the colours end, in the same unit.
        colour_map: name of matplotlib's; None takes `STOPS`.

    Returns:
        RGB in [0, 1], [..., 3].

    Raises:
        ValueError: there is no such colour map.
    """
    return find_colours(colour_map)(0.5 + bend(np.clip(effect / limit, -1, 1)) / 2)[..., :3]


def share_colours(colour_map: str | None = None) -> tuple[Any, Any, Any]:
    """Colours that stand for blocks that help, that harm, and that do neither.

    Args:
        colour_map: name of matplotlib's diverging colours, the upper end helps; None takes `STOPS`.

    Raises:
        ValueError: there is no such colour map.
    """
    found = find_colours(colour_map)
    return _SHARES_OF_SEISMIC if colour_map == "seismic" else tuple(found([0.85, 0.15, 0.5]))
