"""Maps in numbers: the table that goes with a figure."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
        largest standard error (dB), evaluations, seconds.
    """
    counts = effect_map.counts
    total = max(sum(counts), 1)
    errors = effect_map.standard_error[np.isfinite(effect_map.standard_error)]
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


def markdown_table(rows: Sequence[dict[str, float | int | str]]) -> str:
    """Rows of equal keys as a Markdown table; dB with three digits, shares with one.

    Args:
        rows: at least one, see `summarise`.

    Returns:
        The table, without a line break at its end.

    Examples:
        >>> import cem_jax as cem
        >>> print(cem.markdown_table([{"network": "EDSR", "positive": 12.34, "max": 0.5}]))
        | network | positive | max   |
        | ------- | -------- | ----- |
        | EDSR    | 12.3 %   | 0.500 |
    """

    def cell(key: str, value: float | int | str) -> str:
        if not isinstance(value, float):
            return str(value)
        if key in ("positive", "negative", "zero"):
            return f"{value:.1f} %"
        return f"{value:.1f}" if key == "seconds" else f"{value:.3f}"

    keys = list(rows[0])
    body = [[cell(key, row[key]) for key in keys] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(keys, *body, strict=True)]
    lines = [keys, ["-" * width for width in widths], *body]
    return "\n".join(
        "| " + " | ".join(text.ljust(n) for text, n in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def as_json(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as a JSON list for scripts.

    Args:
        records: of JSON values.

    Returns:
        The text; numbers that are not finite become null.
    """

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    found = [{key: finite(value) for key, value in record.items()} for record in records]
    return json.dumps(found, indent=1, allow_nan=False)
