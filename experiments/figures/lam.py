"""The local attribution map beside the causal effect map of the same region.

Claim: LAM shows where a network looks, without sign; effects say that much of what it looks at
harms the region (Hu et al., the comparison with LAM of Gu and Dong, CVPR 2021).

    cem-jax figures lam

Numbers: docs/results/lam.json (preset compact, 728 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine

import cem_jax as cem
from cem_jax.experiments.attribution import rank_correlation
from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.panels import WIDTH, common_limit, note
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("RCAN", "SwinIR", "RNAN", "EDSR", "SRResNet", "SAN", "HAT")
"""Of which the first three that are there are shown."""


def compute(study: Study) -> dict[str, Any]:
    """Map, LAM and their rank correlation over the blocks outside the region."""
    place, columns = study.shown("SR")[0], []
    for subject in study.subjects(NETWORKS, 3).values():
        key = study.map(subject, "SR", place)
        effect_map = study.store.map(key)
        found = study.attribution(subject, "SR", place, key)
        outside = ~effect_map.inside_roi
        effect = effect_map.effect[outside]
        blocks = found.in_blocks(effect_map.block)[outside]
        columns.append(
            {
                "network": subject.label,
                "map": key,
                "diffusion_index": found.diffusion_index,
                "rank": rank_correlation(blocks, effect),
                "rank_of_sizes": rank_correlation(np.abs(blocks), np.abs(effect)),
                **galleries.numbers(study, key),
            }
        )
    return {"scene": place.name, "columns": columns}


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each network: input, LAM, its area of contribution, effects."""
    rows = len(results["columns"])
    height = 2.3 * rows + 0.3
    rect = (0, 0.3 / height, 1, 1 - 0.3 / height)
    figure, axes = plt.subplots(
        rows, 4, figsize=(WIDTH, height), squeeze=False, layout=ConstrainedLayoutEngine(rect=rect)
    )
    limit = common_limit([store.map(column["map"]) for column in results["columns"]])
    for number, (column, row) in enumerate(zip(results["columns"], axes, strict=True)):
        effect_map, found = store.map(column["map"]), store.attribution(column["map"])
        cem.plot_input(effect_map, row[0]).set_ylabel(column["network"])
        cem.plot_attribution(found, row[1], colour_map=colour_map)
        row[1].set_xlabel(f"DI {column['diffusion_index']:.1f}")
        cem.plot_contribution(found, row[2], colour_map=colour_map)
        cem.plot(effect_map, row[3], limit, colour_map)
        row[3].set_xlabel(
            f"[{column['low']:+.2f}, {column['high']:+.2f}] dB\n"
            f"{column['positive']:.0f} % help, {column['negative']:.0f} % harm"
        )
        if number == 0:
            titles = ("input and region", "LAM", "LAM: area of contribution", "causal effects")
            for ax, title in zip(row, titles, strict=True):
                ax.set_title(title)
    text = (
        "LAM: attribution of the region's gradients along a path from a blurred input; DI: its "
        "diffusion index. Effects are in dB of PSNR; red blocks help the region, blue ones harm "
        f"it, and the colours of all maps end at \u00b1{limit:.2f} dB. Hatched: the 95 % interval "
        "holds 0."
    )
    note(figure, text)
    return figure


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = [
        f"{column['network']} DI {column['diffusion_index']:.1f}, rank correlation of |LAM| and "
        f"|effect| {column['rank_of_sizes']:+.2f}, signed {column['rank']:+.2f}"
        for column in results["columns"]
    ]
    return f"{results['scene']}: " + "; ".join(parts) + "."
