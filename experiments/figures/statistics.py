"""Means over scenes, with intervals that take the scene as the unit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.stats import t

CONFIDENCE = 0.95


def _scene_means(values: Mapping[str, Sequence[float]]) -> Float64[np.ndarray, " scenes"]:
    """The mean of each scene's finite values; scenes without one are left out."""
    finite = [[v for v in each if np.isfinite(v)] for each in values.values()]
    return np.array([np.mean(each) for each in finite if each])


def over_scenes(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Mean of all scenes' means, with its t interval.

    Args:
        values: by scene, one for each of its regions; those that are not finite are left out.

    Returns:
        "mean", "low", "high" (None where there are fewer than two scenes), "scenes".
    """
    means = _scene_means(values)
    if not len(means):
        return {"mean": None, "low": None, "high": None, "scenes": 0}
    mean = float(means.mean())
    if len(means) == 1:
        return {"mean": mean, "low": None, "high": None, "scenes": 1}
    half = float(
        t.ppf((1 + CONFIDENCE) / 2, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    )
    return {"mean": mean, "low": mean - half, "high": mean + half, "scenes": len(means)}


def between(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]]
) -> dict[str, list[float]]:
    """The differences first - second, region by region.

    Args:
        first: by scene, one value for each of its regions.
        second: the same scenes and regions.
    """
    return {
        scene: [a - b for a, b in zip(first[scene], second[scene], strict=True)] for scene in first
    }


def joined(several: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Values of several networks as if they were regions of their scene.

    Args:
        several: of the same scenes.
    """
    return {scene: [v for values in several for v in values[scene]] for scene in several[0]}


def from_their_mean(
    several: Sequence[Mapping[str, Sequence[float]]],
) -> list[dict[str, list[float]]]:
    """What each of several networks has more than their mean, region by region.

    Args:
        several: of the same scenes and regions.
    """
    middle = {
        scene: np.mean([values[scene] for values in several], axis=0).tolist()
        for scene in several[0]
    }
    return [between(values, middle) for values in several]


def of_differences(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The mean of paired differences, with its interval over scenes.

    Returns:
        As `over_scenes`, and "effect_size": the mean over the scenes' standard deviation.
    """
    means = _scene_means(values)
    spread = means.std(ddof=1) if len(means) > 1 else np.nan
    size = float(means.mean() / spread) if spread > 0 else None
    return {**over_scenes(values), "effect_size": size}


def _sums(values: Mapping[str, Sequence[float]]) -> np.ndarray:
    return np.array([np.sum(each) for each in values.values()])


def _around_ratio(
    parts: Mapping[str, Sequence[float]], wholes: Mapping[str, Sequence[float]]
) -> tuple[float, np.ndarray]:
    """Sum of parts over sum of wholes, and what each scene adds to its error (linearised)."""
    part, whole = _sums(parts), _sums(wholes)
    ratio = float(part.sum() / whole.sum())
    return ratio, (part - ratio * whole) / whole.mean()


def _with_interval(value: float, scattered: np.ndarray) -> dict[str, Any]:
    count = len(scattered)
    if count < 2:
        return {"mean": value, "low": None, "high": None, "scenes": count}
    error = scattered.std(ddof=1) / count**0.5
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * error)
    return {"mean": value, "low": value - half, "high": value + half, "scenes": count}


def share(
    parts: Mapping[str, Sequence[float]], wholes: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """Sum of parts over sum of wholes, with an interval that takes the scene as the unit.

    The interval is that of a ratio of two means, linearised (the delta method), with t quantiles.

    Args:
        parts: by scene, one for each of its regions.
        wholes: the same scenes and regions.

    Returns:
        As `over_scenes`.
    """
    return _with_interval(*_around_ratio(parts, wholes))


def share_difference(
    first: tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]],
    second: tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]],
) -> dict[str, Any]:
    """One share minus another, each of (parts, wholes) of the same scenes; see `share`."""
    (one, around), (other, beside) = _around_ratio(*first), _around_ratio(*second)
    return _with_interval(one - other, around - beside)


def written(found: Mapping[str, Any], unit: str = "", digits: int = 2) -> str:
    """A mean with its interval, for a table."""
    if found["mean"] is None:
        return "-"
    text = f"{found['mean']:+.{digits}f}" if unit.startswith("+") else f"{found['mean']:.{digits}f}"
    if found["low"] is not None:
        text += f" [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"
    unit = unit.removeprefix("+")
    return f"{text} {unit}".rstrip()


def verdict(found: Mapping[str, Any], least: float) -> str:
    """What an interval says of a claim that the mean exceeds `least`.

    Args:
        found: see `over_scenes`.
        least: the smallest mean that supports the claim.

    Returns:
        "supported" where the whole interval lies above, "refuted" where it lies below, else
        "undecided".
    """
    if found["low"] is None:
        return "undecided"
    if found["low"] > least:
        return "supported"
    return "refuted" if found["high"] < least else "undecided"
