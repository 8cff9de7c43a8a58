"""Maps in numbers: what goes into the table beside a figure."""

from typing import TYPE_CHECKING

import numpy as np

from cem_jax.arguments import check_kind
from cem_jax.map.effect_map import EffectMap

if TYPE_CHECKING:
    from cem_jax.scene.scene import Scene


def input_psnr(scene: "Scene", effect_map: EffectMap) -> float:
    """PSNR of the region before restoration; a small input is enlarged bicubically.

    Args:
        scene: the scene.
        effect_map: a map of it.

    Returns:
        dB.
    """
    import jax.numpy as jnp

    from cem_jax.outcome import psnr
    from cem_jax.scene.degrade.bicubic import upsample

    roi = effect_map.roi
    image = np.asarray(upsample(effect_map.degraded, scene.scale))
    rows, columns = slice(roi.y, roi.y + roi.height), slice(roi.x, roi.x + roi.width)
    region = jnp.asarray(image[rows, columns] / 255, jnp.float32)
    return float(psnr(region, jnp.asarray(scene.clean[rows, columns])))


def summarise(effect_map: EffectMap) -> dict[str, float | int | str]:
    """A map's numbers.

    Args:
        effect_map: the map.

    Returns:
        Task, network, baseline (dB), shares of positive, negative and zero blocks (%), range (dB),
        largest standard error (dB; nan where a single draw tells none), evaluations, seconds.

    Raises:
        ValueError: something else is given.
    """
    check_kind("effect_map", effect_map, EffectMap)
    counts = effect_map.counts
    total = max(sum(counts), 1)
    errors = effect_map.standard_error[np.isfinite(effect_map.effect) & ~effect_map.inside_roi]
    return {
        "task": effect_map.task,
        "network": effect_map.provenance.get("network", ""),
        "psnr_out": effect_map.baseline,
        "positive": 100 * counts.positive / total,
        "negative": 100 * counts.negative / total,
        "zero": 100 * counts.zero / total,
        "min": effect_map.range.min,
        "max": effect_map.range.max,
        "largest_standard_error": float(errors.max()) if errors.size else float("nan"),
        "evaluations": effect_map.evaluations,
        "seconds": effect_map.provenance.get("seconds", float("nan")),
    }
