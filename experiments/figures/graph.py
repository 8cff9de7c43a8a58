"""The causal graph behind a map, and the way from a photograph to it.

Claim: every block of the input is a cause of the region's quality through the network; do() cuts
the block from the rest of the image, so that the difference is an effect (Hu et al., the causal
graph).

    cem-jax figures graph

Numbers: docs/results/graph.json (preset compact, 0 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt

from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STEPS = (
    ("clean image", "and region"),
    ("do(block = p)", "p from the pool"),
    ("degradation", "SR, DN, DR"),
    ("network f", "computed where it can\nmatter: causal cone"),
    ("PSNR", "of the region: without\ndo() minus with it"),
    ("mean over p", "effect and standard\nerror, for each block"),
)
_INK = "#222222"
_CUT = "#b2182b"


def compute(study: Study) -> dict[str, Any]:
    """Nothing: it is drawn."""
    return {}


def _node(ax: "Axes", x: float, y: float, text: str, colour: str = _INK) -> None:
    ax.text(
        x, y, text, ha="center", va="center", color=colour, fontsize=8,
        bbox={"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": colour},
    )  # fmt: skip


def _arrow(ax: "Axes", start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    ax.annotate(
        "", end, start,
        arrowprops={"arrowstyle": "-|>", "color": _INK, "shrinkA": 13, "shrinkB": 13, **style},
    )  # fmt: skip


def _causes(ax: "Axes", title: str, block: str | None) -> None:
    """The graph, without an intervention or with one on a block."""
    ax.set_title(title)
    ax.set(xlim=(-0.2, 4.2), ylim=(-0.5, 2.5))
    ax.axis("off")
    clean, network, quality = (0.2, 1), (2.7, 1), (3.9, 1)
    blocks = {"$x_1$": (1.4, 2), "$x_i$": (1.4, 1), "$x_n$": (1.4, 0)}
    _node(ax, *clean, "$C$")
    for name, place in blocks.items():
        chosen = name == block
        _node(ax, *place, "$p$" if chosen else name, _CUT if chosen else _INK)
        if chosen:
            ax.plot((0.72, 0.84), (0.88, 1.12), color=_CUT, linewidth=1.2)
        _arrow(ax, clean, place, linestyle=":" if chosen else "-")
        _arrow(ax, place, network)
    _node(ax, *network, "$f$")
    _node(ax, *quality, "$Y$")
    _arrow(ax, network, quality)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """The graph without and with an intervention, and the steps of a map below."""
    figure = plt.figure(figsize=(WIDTH, 3.5), layout="constrained")
    places = figure.add_gridspec(2, 2, height_ratios=(2.1, 1))
    left, right = (figure.add_subplot(places[0, column]) for column in (0, 1))
    title = "$C$ clean image, $x_1 .. x_n$ blocks of the input, $f$ network, $Y$ PSNR"
    _causes(left, title, None)
    _causes(right, "do$(x_i = p)$: the block no longer depends on the image", "$x_i$")
    ax = figure.add_subplot(places[1, :])
    ax.set(xlim=(-0.6, len(_STEPS) - 0.4), ylim=(-0.9, 0.6))
    ax.axis("off")
    for number, (name, note) in enumerate(_STEPS):
        ax.text(
            number, 0.2, name, ha="center", va="center", fontsize=7,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "#f2f2f2", "edgecolor": _INK},
        )  # fmt: skip
        ax.text(number, -0.2, note, ha="center", va="top", fontsize=6)
        if number:
            ax.annotate(
                "", (number - 0.42, 0.2), (number - 0.58, 0.2),
                arrowprops={"arrowstyle": "-|>", "color": _INK},
            )  # fmt: skip
    return figure


def expected(results: dict[str, Any]) -> str:
    """It has no numbers."""
    return "a drawing, without numbers."
