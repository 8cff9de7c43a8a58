"""Width and depth: whether a larger network restores better because it sees or computes more.

Claim: an EDSR and an FSRCNN, each in three widths and three depths and trained alike here, restore
better when they are deeper, which lets them see more, and when they are wider, which does not; only
depth makes effects reach farther. Of every photograph the region of most structure, and scenes that
hold all that the deepest network sees around it. Differences between the largest and the smallest
are averaged over the networks of the other dimension; intervals take the scene as the unit.

    cem-jax figures capacity

Numbers: docs/results/capacity.json (preset compact, 1447 s on 1 cpu).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

import cem_jax as cem
from cem_jax.experiments.figures.counted import by_scene, mean
from cem_jax.experiments.figures.intervals import ANYTHING, apart, surround, upright
from cem_jax.experiments.figures.measures import measure
from cem_jax.experiments.figures.panels import WIDTH
from cem_jax.experiments.figures.statistics import (
    between,
    from_their_mean,
    joined,
    of_differences,
    over_scenes,
    written,
)
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study, load
from cem_jax.experiments.figures.subjects import of_series
from cem_jax.experiments.registered import families
from cem_jax.experiments.series import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REGIONS = 1
"""Of each photograph: that of most structure."""
CLAIMS = {
    "depth_psnr": ("depth", "psnr", 1), "width_psnr": ("width", "psnr", 1),
    "depth_reach": ("depth", "reach", 1), "width_reach": ("width", "reach", -1),
}  # fmt: skip
"""By the names of the claims: what grows, what is measured, and the sign under which it is said."""
_OTHER = {"depth": "width", "width": "depth"}
_SHADES = ("#74b4da", "#2f7fbc", "#08306b")
_MARKERS = "ovs"
"""Of depths, the deepest darkest."""
_APART = 0.02
"""Between networks of one width and neighbouring depths, in powers of ten of the parameters."""
_BOUND: dict[str, Any] = {"color": "#b2182b", "linewidth": 0.6, "linestyle": "--"}
_PANELS = {
    "psnr": ("PSNR less mean (dB)", "PSNR"), "reach": ("reach (px)", "reach"),
    "positive": ("blocks (%)", "blocks that help"), "negative": ("blocks (%)", "blocks that harm"),
}  # fmt: skip
"""Of a series: what is measured, the label of its axis and its title."""
_SHARES = ("positive", "negative")
_NOTE = (
    "Upright lines: 95 % intervals, the scene is the unit. PSNR is that of the region, less the "
    "mean of the series' networks in the same scene, since scenes differ by more than networks "
    "do; its axis is another in each series. Reach and shares have one axis each. Networks of one "
    "width stand slightly apart."
)


def files() -> list[Path]:
    """The weights of all networks."""
    return [member.weights for members in SERIES.values() for member in members]


def compute(study: Study) -> dict[str, Any]:
    """The measures of every network of both series in every scene."""
    side, plan = study.preset.side, cem.Fixed(study.preset.compared_draws)
    places = study.places(REGIONS, side)
    series = {}
    for architecture, members in SERIES.items():
        series[architecture] = networks = []
        for member in members:
            chosen = of_series(member)
            network = load(chosen)
            keys = study.counted_maps(chosen, "SR", plan, each=REGIONS, side=side)
            state = cem.models.read_state_dict(member.weights)
            networks.append(
                {
                    "network": member.name,
                    "width": member.width,
                    "depth": member.depth,
                    "parameters": sum(value.size for value in state.values()),
                    "sees": (network.receptive_radius or 0) * network.scale,
                    "rows": [
                        {
                            "scene": place.name,
                            "region": [place.roi.y, place.roi.x],
                            "map": key,
                            **measure(study.store.map(key)),
                        }
                        for place, key in zip(places, keys, strict=True)
                    ],
                }
            )
    return {
        "scenes": len(places),
        "side": side,
        "draws": study.preset.compared_draws,
        "series": series,
    }


def growth(networks: Sequence[dict[str, Any]], along: str, number: str) -> dict[str, list[float]]:
    """What the largest has more than the smallest, by scene, a value for each such pair.

    Args:
        networks: of one series.
        along: "depth", between networks of one width; or "width", between those of one depth.
        number: that is compared.
    """
    sizes = sorted({one[along] for one in networks})
    by_size = {(one[along], one[_OTHER[along]]): one["rows"] for one in networks}
    pairs = [
        between(by_scene(by_size[sizes[-1], other], number), by_scene(rows, number))
        for (size, other), rows in by_size.items()
        if size == sizes[0]
    ]
    return joined(pairs)


def numbers(results: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Means and intervals of all that is claimed, by series and by the names of the claims."""
    return {
        architecture: {
            name: of_differences(
                {
                    scene: [sign * value for value in each]
                    for scene, each in growth(networks, along, number).items()
                }
            )
            for name, (along, number, sign) in CLAIMS.items()
        }
        for architecture, networks in results["series"].items()
    }


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """PSNR, reach and shares against parameters, a row for each series; under them the claims."""
    del store, colour_map
    series = results["series"]
    figure = plt.figure(figsize=(WIDTH, 1.65 * (len(series) + 1) + 0.6), layout="constrained")
    grid = figure.add_gridspec(len(series) + 1, 2 * len(_PANELS))
    first: list[Axes] = []
    for row, (architecture, networks) in enumerate(series.items()):
        axes = [
            figure.add_subplot(grid[row, 2 * k : 2 * k + 2], sharey=shared)
            for k, shared in enumerate([None, *(first or [None] * len(_PANELS))[1:]])
        ]
        first = first or axes
        for ax, (number, (label, title)) in zip(axes, _PANELS.items(), strict=True):
            _lines(ax, networks, number)
            ax.set(ylabel=label, title=f"{architecture}: {title}", xscale="log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_xlabel("parameters")
            ax.margins(x=0.08)
        axes[0].axhline(0, color="0.7", linewidth=0.6, zorder=0)
    half = len(_PANELS)
    of_psnr, of_reach = figure.add_subplot(grid[-1, :half]), figure.add_subplot(grid[-1, half:])
    bounds = {line.number: line.bound for line in families()["capacity"].lines}
    _claims(of_psnr, results, "psnr", bounds["depth_psnr"])
    _claims(of_reach, results, "reach", bounds["depth_reach"])
    of_psnr.set(
        ylabel="PSNR, difference (dB)", title="largest less smallest; claimed above the bound"
    )
    of_reach.set(
        ylabel="reach, difference (px)",
        title="the same; claimed above it by depth, below it by width",
    )
    handles = [*_depth_handles(series), Line2D([], [], label="bound of the claims", **_BOUND)]
    surround(figure, handles, len(handles), _sees(series) + _NOTE)
    return figure


def _depths(networks: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """The networks of each depth, the narrowest first."""
    found: dict[int, list[dict[str, Any]]] = {}
    for one in sorted(networks, key=lambda one: (one["depth"], one["width"])):
        found.setdefault(one["depth"], []).append(one)
    return found


def _depth_handles(series: dict[str, Any]) -> list[Line2D]:
    """Of the legend: each depth."""
    depths = sorted({one["depth"] for networks in series.values() for one in networks})
    return [
        Line2D([], [], color=colour, marker=marker, markersize=3, label=f"depth {depth}")
        for colour, marker, depth in zip(_SHADES, _MARKERS, depths, strict=False)
    ]


def _sees(series: dict[str, Any]) -> str:
    """How far networks see by their depth, in words."""
    told = []
    for architecture, networks in series.items():
        depths = [(depth, found[0]["sees"]) for depth, found in _depths(networks).items()]
        each = ", ".join(f"{sees} px" for _, sees in depths)
        told.append(f"{architecture} of depth {', '.join(str(d) for d, _ in depths)} sees {each}")
    return "; ".join(told) + ". "


def shown(networks: Sequence[dict[str, Any]], number: str) -> list[dict[str, Any]]:
    """What a panel shows of each network: a mean with its interval over scenes.

    Args:
        networks: of one series.
        number: "psnr", which is taken less the networks' mean in the same scene; or another.
    """
    values = [by_scene(one["rows"], number) for one in networks]
    return [over_scenes(one) for one in (from_their_mean(values) if number == "psnr" else values)]


def _lines(ax: "Axes", networks: Sequence[dict[str, Any]], number: str) -> None:
    """A mean over scenes against parameters; lines join networks of one depth."""
    found = dict(zip((one["network"] for one in networks), shown(networks, number), strict=True))
    depths = list(_depths(networks).values())
    bounds = (0.0, 100.0) if number in _SHARES else ANYTHING
    looks = zip(_SHADES, _MARKERS, apart(len(depths), _APART), depths, strict=False)
    for colour, marker, shift, members in looks:
        x = [one["parameters"] * 10**shift for one in members]
        means = [found[one["network"]] for one in members]
        y = [float("nan") if one["mean"] is None else one["mean"] for one in means]
        ax.plot(x, y, f"{marker}-", color=colour, markersize=3, linewidth=0.8)
        for place, one in zip(x, means, strict=True):
            upright(ax, place, one, colour, bounds)


def _claims(ax: "Axes", results: dict[str, Any], number: str, bound: float) -> None:
    """Growth from the smallest to the largest, with its interval, and the bound it is told by."""
    names = []
    for architecture, networks in results["series"].items():
        for along in ("depth", "width"):
            found = of_differences(growth(networks, along, number))
            x = len(names)
            sizes = sorted({one[along] for one in networks})
            names.append(f"{architecture}\n{along} {sizes[0]} to {sizes[-1]}")
            if found["mean"] is None:
                continue
            ax.plot(x, found["mean"], "o", color="0.1", markersize=2)
            upright(ax, x, found, "0.1")
    ax.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    ax.axhline(bound, zorder=0, **_BOUND)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_xticks(range(len(names)), names)


def _value(network: dict[str, Any], number: str) -> float:
    value = mean(network["rows"], number)["mean"]
    return float("nan") if value is None else value


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for architecture, networks in results["series"].items():
        told = [
            f"{along}, {written(of_differences(growth(networks, along, number)), unit)} of {word}"
            for along in ("depth", "width")
            for number, unit, word in (("psnr", "+dB", "PSNR"), ("reach", "+px", "reach"))
        ]
        parts.append(f"{architecture}: " + "; ".join(f"by {one}" for one in told))
        parts += [
            f"{one['network']} {_value(one, 'psnr'):.2f} dB, reach {_value(one, 'reach'):.1f} px, "
            f"{_value(one, 'positive'):.1f} % help and {_value(one, 'negative'):.1f} % harm"
            for one in networks
        ]
    return (
        f"{results['scenes']} scenes of {results['side']} x {results['side']} pixels, "
        f"{results['draws']} draws, the largest less the smallest. " + ". ".join(parts) + "."
    )
