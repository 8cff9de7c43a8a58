"""The range of values that a network was trained on, which its mean colour gives away."""

from collections.abc import Mapping

import numpy as np

from .argument import Argument
from .layers import DIV2K_MEAN

RANGE = Argument(
    "range",
    "value_range",
    "largest value of the images that the network was trained on",
    choices=(1, 255),
)
FOUND_RANGE = Argument(
    "range",
    "value_range",
    "largest value of the images that the network was trained on; where it is not given, it is "
    "found from the stored mean colour",
    choices=(1, 255),
)


def range_of(bias: np.ndarray) -> int:
    """The range of values that a stored mean colour belongs to: 255 where it is larger than 1."""
    return 255 if np.abs(bias).max() > 1 else 1


def found_range(weights: Mapping[str, np.ndarray], key: str = "sub_mean.bias") -> dict[str, int]:
    """The argument of the range, if the mean colour is among a network's weights."""
    if key not in weights:
        return {}
    mean, kernel = weights[key], weights.get(key.replace(".bias", ".weight"))
    if kernel is not None and kernel.shape[:2] == (len(mean), len(mean)):
        # Some divide by the deviation of the colours too, which makes the mean larger.
        factors = np.diagonal(kernel[..., 0, 0] if kernel.ndim == 4 else kernel)
        mean = mean / np.where(factors == 0, 1, factors)
    return {"value_range": range_of(mean)}


def mean_of(value_range: int, mean: tuple[float, ...] = DIV2K_MEAN) -> tuple[float, ...]:
    """A mean colour in a range of values, rounded as float32 rounds it."""
    return tuple(float(np.float32(value_range) * np.float32(part)) for part in mean)
