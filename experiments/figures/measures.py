"""What is counted of a map: shares, range, reach, and how well it agrees with itself."""

from typing import Any

import numpy as np
from jaxtyping import Float64

import cem_jax as cem


def halves(
    effect_map: cem.EffectMap,
) -> tuple[Float64[np.ndarray, "rows columns"], Float64[np.ndarray, "rows columns"]]:
    """Effects by the first and by the second half of the draws of a `Fixed` plan.

    Returns:
        Two arrays [rows, columns], in dB: 0 where nothing reaches the region, NaN inside it.
    """
    values = effect_map.values.astype(np.float64)
    middle = values.shape[2] // 2
    drawn = np.isfinite(values).all(axis=2)
    first, second = (
        np.where(drawn, effect_map.baseline - part.mean(axis=2), 0.0)
        for part in (values[:, :, :middle], values[:, :, middle:])
    )
    inside = effect_map.inside_roi
    return np.where(inside, np.nan, first), np.where(inside, np.nan, second)


def distance(effect_map: cem.EffectMap) -> Float64[np.ndarray, "rows columns"]:
    """From each block's centre to the region's border, in output pixels, [rows, columns]."""
    side, roi = effect_map.block * effect_map.scale, effect_map.roi
    y, x = (np.indices(effect_map.effect.shape) + 0.5) * side
    dy = np.maximum(np.maximum(roi.y - y, y - roi.y - roi.height), 0)
    dx = np.maximum(np.maximum(roi.x - x, x - roi.x - roi.width), 0)
    return np.hypot(dy, dx)


def measure(effect_map: cem.EffectMap) -> dict[str, Any]:
    """The numbers of a map of a `Fixed` plan with at least two draws.

    Returns:
        "psnr" (dB); "positive", "negative", "involved": shares of the blocks outside the region, in
        %, at the tolerance; "low", "high": the range in dB; "strength": root of the mean squared
        effect, dB; "reach": mean distance from the region weighted by the squared effect, output
        pixels; "reliability": of the whole map, from the correlation of its halves
        (Spearman-Brown). Squared effects are products of the halves, whose errors are independent,
        so that noise adds nothing to them on average.
    """
    counts, span = effect_map.counts, effect_map.range
    total = sum(counts)
    outside = ~effect_map.inside_roi
    first, second = (half[outside] for half in halves(effect_map))
    power = first * second
    reach = np.nan
    if power.sum() > 0:
        reach = float((power * distance(effect_map)[outside]).sum() / power.sum())
    both = np.corrcoef(first, second)[0, 1] if first.std() and second.std() else np.nan
    numbers = {
        "psnr": effect_map.baseline,
        "positive": 100 * counts.positive / total,
        "negative": 100 * counts.negative / total,
        "involved": 100 * (counts.positive + counts.negative) / total,
        "low": span.min,
        "high": span.max,
        "strength": float(np.sqrt(max(power.mean(), 0.0))),
        "reach": reach,
        "reliability": float(2 * both / (1 + both)) if both > -1 else np.nan,
    }
    return {key: value if np.isfinite(value) else None for key, value in numbers.items()}
