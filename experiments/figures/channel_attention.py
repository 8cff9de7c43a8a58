"""Channel attention, a global operation: what it adds in super-resolution, and in denoising.

Claim: in SR the attention's global statistic spreads effects over the image and raises PSNR; in
denoising effects stay local and PSNR hardly changes, with or without it (Hu et al., finding 2).
Variants: RCAN with it, with it in half of the groups, without it, and with statistics pooled over
4x4 or 16x16 pixels, or to 2x2 or 3x3 values. Means over scenes, with 95 % intervals.

    cem-jax figures channel-attention

Numbers: docs/results/channel-attention.json (preset compact, 6288 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

from cem_jax.experiments.figures import counted
from cem_jax.experiments.figures.panels import gallery
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIANTS = {
    "SR": {
        "CA": "RCAN", "half CA": "RCAN_half_ca", "no CA": "RCAN_no_ca",
        "pooling 4": "RCAN_pooling4", "pooling 16": "RCAN_pooling16",
        "2x2": "RCAN_pooling2x2", "3x3": "RCAN_pooling3x3",
    },
    "DN": {
        "CA": "RCAN_DN", "no CA": "RCAN_DN_no_ca", "pooling 4": "RCAN_DN_pooling4",
        "2x2": "RCAN_DN_pooling2x2",
    },
}  # fmt: skip
NUMBERS = ("psnr", "positive", "negative", "involved", "strength", "reach", "reliability")
WITHOUT = "no CA"


def compute(study: Study) -> dict[str, Any]:
    """Every variant's map of one scene, and its measures at the counted places."""
    tasks = {}
    there = study.subjects([name for names in VARIANTS.values() for name in names.values()])
    for task, variants in VARIANTS.items():
        found: dict[str, Any] = {}
        for variant, name in variants.items():
            if name in there and len(found) < study.preset.most:
                rows = counted.compared(study, there[name], task)
                key = study.map(there[name], task, study.shown(task)[0])
                found[variant] = {"map": key, "rows": rows}
        for one in found.values():
            one["means"] = {number: counted.mean(one["rows"], number) for number in NUMBERS}
        if found:
            tasks[task] = found
    scenes = {place.name for place in study.counted}
    return {"scene": study.shown("SR")[0].name, "scenes": len(scenes), "places": len(study.counted),
            "tasks": tasks}  # fmt: skip


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row of maps for each task; under a map's name its mean reach."""

    def title(variant: str, one: dict[str, Any]) -> str:
        reach = one["means"]["reach"]["mean"]
        return variant if reach is None else f"{variant}, reach {reach:.0f} px"

    rows = [
        (task, [(title(variant, one), store.map(one["map"])) for variant, one in found.items()])
        for task, found in results["tasks"].items()
    ]
    return gallery(rows, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    parts = []
    for task, found in results["tasks"].items():
        for variant, one in found.items():
            psnr, involved, reach = (
                one["means"][number]["mean"] for number in ("psnr", "involved", "reach")
            )
            parts.append(
                f"{task} {variant} {psnr:.2f} dB, {involved:.0f} % of the blocks, "
                f"reach {reach or 0:.0f} px"
            )
    return f"{results['places']} regions of {results['scenes']} scenes: " + "; ".join(parts) + "."
