"""Attribution methods beside Causal Effect Maps, block by block: the tables of a page.

    python -m cem_jax.experiments.attribution

The demo's scene, region and networks. A block's attribution is the sum over its pixels. Compared
are the blocks outside the region that can reach it, with the effects of `Fixed(16)`:

- rank: Spearman's correlation of the attribution with the effect;
- size: the same of |attribution| with |effect|;
- sign: share of equal signs among the blocks whose effect is at least 0.01 dB and at least two
  standard errors from 0;
- DI: the diffusion index, over the whole input.

The first row compares the effects of the first half of the draws with those of the second, so that
it says how well the map agrees with itself (its sign column is flattered: all draws chose the
blocks). The second knows no network at all: the nearer a block, the more it helps.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Real

import cem_jax as cem
from cem_jax.experiments.demo import NETWORKS, ROI, make_scene

DRAWS = 16
TOLERANCE = 0.01

METHODS: dict[str, Callable[[cem.Network, cem.Scene, cem.ROI], cem.Attribution]] = {
    "LAM": cem.local_attribution_map,
    "LAM of PSNR": lambda *at: cem.local_attribution_map(*at, outcome=cem.psnr),
    "gradient": cem.gradient_map,
    "integrated gradients, black": cem.integrated_gradients,
    "integrated gradients, mean": lambda *at: cem.integrated_gradients(*at, start="mean"),
    "occlusion, mean": cem.occlusion_map,
    "occlusion, blur": lambda *at: cem.occlusion_map(*at, fill="blur"),
}


def rank_correlation(a: Real[np.ndarray, " n"], b: Real[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation of values [n]; equal values share their mean rank."""

    def ranks(values: Real[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        _, which, count = np.unique(values, return_inverse=True, return_counts=True)
        shared = (np.cumsum(count) - (count - 1) / 2)[which]
        return shared - shared.mean()

    x, y = ranks(a), ranks(b)
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def nearness(effects: cem.EffectMap) -> Float64[np.ndarray, "rows columns"]:
    """1 / distance from the region's centre to each block's, in output pixels, [rows, columns]."""
    side, roi = effects.block * effects.scale, effects.roi
    y, x = (np.indices(effects.effect.shape) + 0.5) * side
    return 1 / np.hypot(y - roi.y - roi.height / 2, x - roi.x - roi.width / 2)


def compare(task: str) -> tuple[str, list[dict[str, float | int | str]]]:
    """Title and rows of the table of one of the demo's networks.

    Args:
        task: "SR", "DN" or "DR".
    """
    network, scene = cem.load(NETWORKS[task]), make_scene(task)
    effects = cem.causal_effect_map(network, scene, ROI, plan=cem.Fixed(DRAWS), progress=False)
    reached = (effects.samples > 0) & ~effects.inside_roi
    effect, error = effects.effect[reached], effects.standard_error[reached]
    clear = (np.abs(effect) >= TOLERANCE) & (np.abs(effect) >= 2 * error)

    def row(
        name: str,
        other: Real[np.ndarray, " n"],
        index: str = "",
        truth: Real[np.ndarray, " n"] = effect,
    ) -> dict[str, float | int | str]:
        same = np.sign(other[clear]) == np.sign(truth[clear])
        return {
            "method": name,
            "rank": f"{rank_correlation(other, truth):+.2f}",
            "size": f"{rank_correlation(np.abs(other), np.abs(truth)):+.2f}",
            "sign": f"{100 * same.mean():.0f} %",
            "DI": index,
        }

    values = effects.values[reached]
    first, second = (effects.baseline - half.mean(1) for half in np.split(values, 2, axis=1))
    rows = [
        row("causal effects, halves", first, truth=second),
        row("nearness", nearness(effects)[reached]),
    ]
    for name, method in METHODS.items():
        found = method(network, scene, ROI)
        blocks = found.in_blocks(effects.block)[reached]
        rows.append(row(name, blocks, f"{found.diffusion_index:.2f}"))
    title = (
        f"{network.name}: {reached.sum()} blocks; {clear.sum()} of clear sign, "
        f"{(effect[clear] < 0).sum()} of them harmful"
    )
    return title, rows


def main() -> None:
    """Command line."""
    cem.use_all_cores()
    for task in NETWORKS:
        title, rows = compare(task)
        print(f"{title}\n\n{cem.markdown_table(rows)}\n", flush=True)


if __name__ == "__main__":
    main()
