"""Attribution by gradients: at the input, along a straight path, along the Gaussian-blur path."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from cem_jax.arguments import whole_number
from cem_jax.arrays import AnyArray
from cem_jax.attribution.integral import RegionOutcome
from cem_jax.attribution.path import (
    ImagePath,
    Sharpening,
    brightening,
    fading_from_black,
    fading_from_mean,
    kernel_radius,
)
from cem_jax.attribution.record import Attribution
from cem_jax.grid import ROI
from cem_jax.network.network import Network
from cem_jax.outcome import Outcome, clip, psnr, unit
from cem_jax.scene.image import to_bytes
from cem_jax.scene.scene import Scene

_STRAIGHT = {"black": fading_from_black, "mean": fading_from_mean}


def gradient_detector(
    restored: Float[AnyArray, "h w c"], target: Float[AnyArray, "h w c"]
) -> Float[jax.Array, ""]:
    """How much edge and texture a restored region shows: LAM's detector.

    The sum over pixels and channels of the length of the gradient, by forward differences within
    the region. It does not look at the target: detail that is wrong counts as much as detail that
    is right.

    Args:
        restored: [h, w, c], h and w at least 2.
        target: not used.

    Raises:
        ValueError: the region is smaller than 2 x 2.
    """
    height, width = restored.shape[:2]
    if min(height, width) < 2:
        raise ValueError(
            f"roi: the region has {height} x {width} pixels; gradient_detector needs at least 2 x 2"
        )
    down = restored[1:, :-1] - restored[:-1, :-1]
    right = restored[:-1, 1:] - restored[:-1, :-1]
    square = jnp.square(down) + jnp.square(right)
    # The root has no slope at 0, where the region is flat; 0 is taken, the least in size.
    length = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    return jnp.sum(jnp.where(square > 0, length, 0.0))


def local_attribution_map(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    sigma: float = 1.2,
    steps: int = 50,
    outcome: Outcome = gradient_detector,
    chunk: int | None = None,
) -> Attribution:
    """The local attribution map (LAM) of a region.

    Gu and Dong, "Interpreting Super-Resolution Networks with Local Attribution Maps", CVPR 2021:
    the integral over alpha of d D(f(gamma(alpha))) / d gamma times d gamma / d alpha, along the
    path gamma(alpha) = the input blurred with sigma * (1 - alpha). The detector D sees the raw
    output of the network, as in the paper's code.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        sigma: blur of the path's start, in input pixels; 1.2 as in the paper's code.
        steps: points of the path, by the midpoint rule.
        outcome: the detector of (restored region, true region); a score such as `cem.psnr` asks
            what makes the region better instead of sharper.
        chunk: points evaluated together; None chooses, one for each device on CPU.

    Returns:
        Attributions by input pixel; they sum to D(input) - D(blurred input) up to
        `quadrature_error`.

    Raises:
        ValueError: arguments that do not fit; the message names them.
    """
    region = RegionOutcome(network, scene, roi, _raw, outcome)
    most = (min(scene.degraded.shape[:2]) - 1) / 3
    if not (np.isfinite(sigma) and sigma > 0 and kernel_radius(sigma) <= 3 * most):
        raise ValueError(
            f"sigma={sigma!r}: expected more than 0 and at most {most:.4g} pixels in this image"
        )
    path = Sharpening(float(sigma))
    return _integral("local attribution map", region, path, steps, chunk, sigma=float(sigma))


def integrated_gradients(
    network: Network,
    scene: Scene,
    roi: ROI,
    *,
    start: str = "black",
    steps: int = 50,
    outcome: Outcome = psnr,
    chunk: int | None = None,
) -> Attribution:
    """Integrated gradients of a region's outcome.

    Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017: the integral along
    the straight path from an image without content to the input.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        start: where the path starts (their baseline): "black", or "mean", the input's mean colour.
        steps: points of the path, by the midpoint rule.
        outcome: the score of (restored region, true region), which is clipped before as in the
            sweep; PSNR by default.
        chunk: points evaluated together; None chooses, one for each device on CPU.

    Returns:
        Attributions by input pixel; they sum to Q(input) - Q(start) up to `quadrature_error`.

    Raises:
        ValueError: arguments that do not fit; the message names them.
    """
    if start not in _STRAIGHT:
        raise ValueError(f"start={start!r}: expected one of {', '.join(_STRAIGHT)}")
    region = RegionOutcome(network, scene, roi, clip, outcome)
    return _integral("integrated gradients", region, _STRAIGHT[start], steps, chunk, start=start)


def gradient_map(
    network: Network, scene: Scene, roi: ROI, *, outcome: Outcome = psnr
) -> Attribution:
    """The gradient of a region's outcome at the input.

    Simonyan et al., "Deep Inside Convolutional Networks", ICLR workshop 2014.

    Args:
        network: the network.
        scene: clean image and input.
        roi: region of interest, in output pixels.
        outcome: the score of (restored region, true region), which is clipped before as in the
            sweep; PSNR by default.

    Returns:
        d outcome / d pixel value, summed over channels, by input pixel.

    Raises:
        ValueError: arguments that do not fit; the message names them.
    """
    region = RegionOutcome(network, scene, roi, clip, outcome)
    return _record("gradient", region, region.mean_rate(brightening, np.zeros(1), 1), math.nan)


def _raw(restored: Float[jax.Array, "h w c"]) -> Float[jax.Array, "h w c"]:
    return restored


def _integral(
    method: str,
    region: RegionOutcome,
    path: ImagePath,
    steps: int,
    chunk: int | None,
    **parameters: Any,
) -> Attribution:
    """The integral along a path, by the midpoint rule."""
    steps = whole_number("steps", steps, 1)
    chunk = None if chunk is None else whole_number("chunk", chunk, 1)
    midpoints = (np.arange(steps) + 0.5) / steps
    attribution = region.mean_rate(path, midpoints, chunk)
    at_start = region.outcome_at(path, 0.0)
    return _record(method, region, attribution, at_start, steps=steps, **parameters)


def _record(
    method: str,
    region: RegionOutcome,
    attribution: Float64[np.ndarray, "h w"],
    at_start: float,
    **parameters: Any,
) -> Attribution:
    return Attribution(
        method=method,
        attribution=attribution,
        outcome=region.outcome_at(brightening, 0.0),
        outcome_at_start=at_start,
        unit=unit(region.outcome),
        roi=region.roi,
        cell=1,
        scale=region.scene.scale,
        degraded=to_bytes(region.scene.degraded),
        parameters={
            "network": region.network.name,
            "task": region.scene.task,
            "outcome": getattr(region.outcome, "__name__", repr(region.outcome)),
            **parameters,
        },
    )
