"""The outcome Y = Q(restored region, true region) that an intervention changes.

Every outcome here grows as the restoration gets better, so that a positive effect always helps.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32

from cem_jax.arguments import whole_number
from cem_jax.arrays import AnyArray
from cem_jax.plain_text import quoted

Outcome = Callable[..., jax.Array]
"""`outcome(restored, target)`: float32 [h, w, c] in [0, 1], both -> scalar; larger is better.

One that takes `(restored, target, degraded)` also gets the region of the input as it is without an
intervention, [h / scale, w / scale, c].
"""

_SMALLEST_ERROR = 1e-10
_TOLERANCE = 0.01
"""Of PSNRs, in dB: the paper's."""
# ITU-R BT.601 luma of R, G, B in [0, 1], in 8-bit steps above black at 16.
_LUMA = (65.481, 128.553, 24.966)

_WINDOW = 11
_WINDOW_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def _decibel(error: Float[jax.Array, ""]) -> Float[jax.Array, ""]:
    """PSNR of a mean squared error, the peak being 1."""
    return -10.0 * jnp.log10(jnp.maximum(error, _SMALLEST_ERROR))


def psnr(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """Peak signal-to-noise ratio over all channels.

    Args:
        restored: [h, w, c] in [0, 1].
        target: [h, w, c] in [0, 1].

    Returns:
        dB; at most 100, which a perfect restoration gets.

    Examples:
        >>> import cem_jax as cem
        >>> import numpy as np
        >>> truth = np.zeros((8, 8, 3), np.float32)
        >>> print(f"{cem.psnr(truth + 0.1, truth):.2f} dB")
        20.00 dB
    """
    return _decibel(jnp.mean(jnp.square(restored - target)))


def psnr_y(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """PSNR of the luma Y alone, as the super-resolution literature computes it.

    Y = 16 + 65.481 R + 128.553 G + 24.966 B (ITU-R BT.601, MATLAB's `rgb2ycbcr`), from 16 to 235
    and not rounded; the peak is 255 all the same. A grey image is its own luma, in full range: its
    `psnr_y` is its `psnr`.

    Args:
        restored: [h, w, 3] or [h, w, 1], in [0, 1].
        target: of the same shape.

    Returns:
        dB; at most 100.

    Raises:
        ValueError: the images have neither three channels nor one.
    """
    if restored.shape[-1] == 1:
        return psnr(restored, target)
    if restored.shape[-1] != 3:
        raise ValueError(f"restored has shape {restored.shape}; psnr_y needs [h, w, 3 or 1]")
    difference = restored - target
    luma = sum(weight / 255 * difference[..., c] for c, weight in enumerate(_LUMA))
    return _decibel(jnp.mean(jnp.square(luma)))


def _windows(size: int) -> Float32[np.ndarray, "{size}-10 {size}"]:
    """Weights of the 1-D Gaussian windows that lie inside a line, float32 [size - 10, size]."""
    offsets = np.arange(size) - np.arange(size - _WINDOW + 1)[:, None]
    distances = offsets - _WINDOW // 2
    weights = np.exp(-np.square(distances) / (2 * _WINDOW_SIGMA**2))
    weights[np.abs(distances) > _WINDOW // 2] = 0
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _window_means(image: Float[jax.Array, "h w c"]) -> Float[jax.Array, "h-10 w-10 c"]:
    """Gaussian means over all 11x11 windows that lie inside, [h, w, c] -> [h - 10, w - 10, c]."""
    rows, columns = (_windows(size) for size in image.shape[:2])
    highest = jax.lax.Precision.HIGHEST
    return jnp.einsum("ih,hwc,jw->ijc", rows, image, columns, precision=highest)


def ssim(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """Structural similarity, the mean over windows and channels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
    TIP 2004: Gaussian windows of 11x11 with sigma 1.5 that lie inside the region, K1 = 0.01,
    K2 = 0.03, each channel by itself.

    Args:
        restored: [h, w, c] in [0, 1], h and w at least 11.
        target: [h, w, c] in [0, 1].

    Returns:
        At most 1, which a perfect restoration gets; without unit.

    Raises:
        ValueError: the region is smaller than a window.
    """
    height, width = restored.shape[:2]
    if min(height, width) < _WINDOW:
        raise ValueError(
            f"roi: the region has {height} x {width} pixels; ssim needs at least "
            f"{_WINDOW} x {_WINDOW}"
        )
    # Variances do not mind a shift, and lose less to rounding about 0.
    shift = jnp.mean(target)
    restored, target = jnp.subtract(restored, shift), jnp.subtract(target, shift)
    mean_r, mean_t = _window_means(restored), _window_means(target)
    covariance = _window_means(restored * target) - mean_r * mean_t
    squares = _window_means(jnp.square(restored)) + _window_means(jnp.square(target))
    variances = squares - jnp.square(mean_r) - jnp.square(mean_t)
    mean_r, mean_t = mean_r + shift, mean_t + shift
    luminance = (2 * mean_r * mean_t + _C1) / (jnp.square(mean_r) + jnp.square(mean_t) + _C1)
    return jnp.mean(luminance * (2 * covariance + _C2) / (variances + _C2))


def negative_mse(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """Minus the mean squared error over all channels.

    Args:
        restored: [h, w, c] in [0, 1].
        target: [h, w, c] in [0, 1].

    Returns:
        At most 0; without unit.
    """
    return -jnp.mean(jnp.square(restored - target))


def negative_l1(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """Minus the mean absolute error over all channels.

    Args:
        restored: [h, w, c] in [0, 1].
        target: [h, w, c] in [0, 1].

    Returns:
        At most 0; without unit.
    """
    return -jnp.mean(jnp.abs(restored - target))


def _parts(
    restored: Float[AnyArray, "h w c"],
    target: Float[AnyArray, "h w c"],
    degraded: Float[AnyArray, "h w c"],
) -> tuple[Float[jax.Array, "h w c"], Float[jax.Array, "h w c"]]:
    """The error in two parts at right angles: along what the degradation did, and the rest."""
    if restored.shape != degraded.shape:
        raise ValueError(
            f"degraded has shape {degraded.shape}, restored {restored.shape}: removal and "
            "background need a scene whose input has the output's size"
        )
    error, done = jnp.subtract(restored, target), jnp.subtract(degraded, target)
    size = jnp.sum(jnp.square(done))
    left = jnp.sum(error * done) / jnp.where(size > 0, size, 1.0)
    along = left * done
    return along, error - along


def removal(
    restored: Float[AnyArray, "h w c"],
    target: Float[AnyArray, "h w c"],
    degraded: Float[AnyArray, "h w c"],
) -> Float[jax.Array, ""]:
    """How well the degradation was removed, whatever else became of the image.

    The error, restored - target, is split into its part along the degradation, degraded - target,
    and the rest at right angles to it; this is the PSNR of the first part. 10^(-removal / 10) and
    10^(-background / 10) add up to the mean squared error.

    Args:
        restored: [h, w, c] in [0, 1].
        target: of the same shape.
        degraded: of the same shape.

    Returns:
        dB; at most 100.

    Raises:
        ValueError: the input has another size than the output.
    """
    return _decibel(jnp.mean(jnp.square(_parts(restored, target, degraded)[0])))


def background(
    restored: Float[AnyArray, "h w c"],
    target: Float[AnyArray, "h w c"],
    degraded: Float[AnyArray, "h w c"],
) -> Float[jax.Array, ""]:
    """How well the image was kept, whatever became of the degradation; see `removal`.

    Args:
        restored: [h, w, c] in [0, 1].
        target: of the same shape.
        degraded: of the same shape.

    Returns:
        dB of the error at right angles to the degradation; at most 100.

    Raises:
        ValueError: the input has another size than the output.
    """
    return _decibel(jnp.mean(jnp.square(_parts(restored, target, degraded)[1])))


def sees_degraded(outcome: Outcome) -> bool:
    """Whether an outcome takes (restored, target, degraded)."""
    try:
        taken = inspect.signature(outcome).parameters.values()
    except (TypeError, ValueError):  # functions of other languages do not tell
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in taken if one.kind in kinds and one.default is one.empty]
    return len(needed) == 3


@dataclasses.dataclass(frozen=True)
class _Cropped:
    """An outcome of what lies inside a border."""

    outcome: Outcome
    border: int

    @property
    def __name__(self) -> str:
        return f"{getattr(self.outcome, '__name__', 'outcome')}-crop{self.border}"

    def __call__(
        self, restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
    ) -> Float[jax.Array, ""]:
        border = self.border
        if min(restored.shape[:2]) <= 2 * border:
            raise ValueError(
                f"roi: the region has {restored.shape[0]} x {restored.shape[1]} pixels, nothing is "
                f"left inside a border of {border}"
            )
        inside = (slice(border, -border), slice(border, -border))
        return self.outcome(restored[inside], target[inside])


def cropped(outcome: Outcome, border: int) -> Outcome:
    """An outcome without a region's border, as the super-resolution literature scores images.

    Args:
        outcome: the score of (restored, target), such as `psnr_y`.
        border: pixels that are left out on every side; as a rule the scale.

    Returns:
        The outcome, named such as "psnr_y-crop4", which is taken as a name as well.

    Raises:
        ValueError: no border, or an outcome that sees the input.

    Examples:
        >>> import cem_jax as cem
        >>> cem.cropped(cem.psnr_y, 4).__name__
        'psnr_y-crop4'
    """
    if sees_degraded(outcome):
        raise ValueError(
            f"outcome={quoted(outcome)}: one of (restored, target, degraded) has no border"
        )
    return _Cropped(outcome, whole_number("border", border, 1))


def unit(outcome: Outcome) -> str:
    """The unit of an outcome.

    Args:
        outcome: the score.

    Returns:
        "dB" of PSNRs, "" of anything else.

    Examples:
        >>> import cem_jax as cem
        >>> cem.unit(cem.psnr), cem.unit(cem.ssim)
        ('dB', '')
    """
    outcome = outcome.outcome if isinstance(outcome, _Cropped) else outcome
    return "dB" if outcome in (psnr, psnr_y, removal, background) else ""


def tolerance(outcome: Outcome, baseline: float) -> float:
    """Changes of an outcome that count as none: what 0.01 dB of PSNR is, in its unit.

    0.01 dB are a mean squared error that is larger or smaller by 0.23 %. So the tolerance of
    `negative_mse` is 0.23 % of the baseline's error, that of `negative_l1` half as much of its own,
    and that of `ssim` 0.23 % of what the baseline lacks to 1, which is proportional to the mean
    squared error as long as that is small.

    Args:
        outcome: the score.
        baseline: its value without an intervention.

    Returns:
        In the outcome's unit; 0 for any other outcome, of which nothing is known: then every effect
        counts as positive or negative.

    Examples:
        >>> import cem_jax as cem
        >>> from cem_jax.outcome import tolerance
        >>> tolerance(cem.psnr, 28.0), round(tolerance(cem.ssim, 0.8), 6)
        (0.01, 0.000461)
    """
    relative = 10 ** (_TOLERANCE / 10) - 1
    outcome = outcome.outcome if isinstance(outcome, _Cropped) else outcome
    if outcome in (psnr, psnr_y, removal, background):
        return _TOLERANCE
    if outcome is ssim:
        return (1 - baseline) * relative
    if outcome is negative_mse:
        return -baseline * relative
    if outcome is negative_l1:
        return -baseline * (10 ** (_TOLERANCE / 20) - 1)
    return 0.0


def clip_and_round(restored: Float[AnyArray, "h w c"]) -> Float[jax.Array, "h w c"]:
    """The output as the paper's code scores it: clipped to [0, 1] and rounded to 8 bits."""
    return jnp.round(255 * clip(restored)) / 255


def clip(restored: Float[AnyArray, "h w c"]) -> Float[jax.Array, "h w c"]:
    """The output clipped to [0, 1]; what is not finite is NaN, and stays in sight."""
    return jnp.where(jnp.isfinite(restored), jnp.clip(restored, 0.0, 1.0), jnp.nan)


NAMES: Mapping[str, Outcome] = {
    function.__name__: function
    for function in (psnr, psnr_y, ssim, negative_mse, negative_l1, removal, background)
}
"""Outcomes by the names that the command line and job files take."""


def is_known(outcome: Outcome) -> bool:
    """Whether it is one of `NAMES`, with a border or without."""
    return (outcome.outcome if isinstance(outcome, _Cropped) else outcome) in NAMES.values()


def as_outcome(given: Outcome | str) -> Outcome:
    """An outcome from what a user gives.

    Args:
        given: a function, or one of `NAMES`, with `-crop4` for `cropped(..., 4)`.

    Raises:
        ValueError: something else.
    """
    if isinstance(given, str):
        name, border = re.fullmatch(r"(.*?)(?:-crop([0-9]{1,4}))?", given, re.DOTALL).groups()  # type: ignore[union-attr]
        if name in NAMES:
            return NAMES[name] if border is None else cropped(NAMES[name], int(border))
    if isinstance(given, str) or not callable(given) or isinstance(given, type):
        raise ValueError(
            f"outcome={quoted(given)}: expected a function of (restored, target), or one of "
            f"{', '.join(NAMES)}"
        )
    return given
