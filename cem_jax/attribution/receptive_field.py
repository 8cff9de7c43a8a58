"""Effective receptive fields: how much each input pixel moves a pixel of the output, on average."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.arguments import check_kind, part, whole_number
from cem_jax.by_shape import by_shape
from cem_jax.network.network import Apply, Network
from cem_jax.plain_text import quoted, reason
from cem_jax.read_only import keep_read_only
from cem_jax.scene.image import as_unit
from cem_jax.sweep.facts import check_function


@dataclasses.dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The mean size of the gradient of an output pixel at every input pixel.

    Args:
        field: [h, w], summing to 1.
        pixel: row and column of the input pixel whose output pixels are looked at.
        images: how many were averaged.
    """

    field: np.ndarray
    pixel: tuple[int, int]
    images: int

    __repr__ = by_shape

    def __post_init__(self) -> None:
        keep_read_only(self)

    def radius(self, share: float = 0.95) -> int:
        """How far the smallest square around the pixel reaches that holds a share of the field.

        Args:
            share: between 0 and 1.

        Returns:
            Input pixels.

        Raises:
            ValueError: another share.
        """
        share = part("share", share)
        y, x = np.ogrid[: self.field.shape[0], : self.field.shape[1]]
        away = np.maximum(np.abs(y - self.pixel[0]), np.abs(x - self.pixel[1]))
        held = np.cumsum(np.bincount(away.reshape(-1), self.field.reshape(-1)))
        return int(np.searchsorted(held, share * held[-1] * (1 - 1e-12)))

    def area_ratio(self, share: float = 0.99) -> float:
        """The share of the image's area in the smallest square that holds a share of the field.

        The high-contribution area ratio of Ding et al., "Scaling up your kernels to 31 x 31", CVPR
        2022, with squares around the pixel.

        Args:
            share: between 0 and 1.

        Returns:
            Between 0 and 1, without unit; more where the network uses more of the image.

        Raises:
            ValueError: another share.
        """
        side = 2 * self.radius(share) + 1
        height, width = self.field.shape
        return min(side, height) * min(side, width) / (height * width)


def effective_receptive_field(
    network: Network,
    images: Sequence[np.ndarray],
    *,
    pixel: tuple[int, int] | None = None,
) -> ReceptiveField:
    """The effective receptive field of a network.

    Luo et al., "Understanding the effective receptive field in deep convolutional neural networks",
    NeurIPS 2016: the gradient of an output pixel (of a scale s, of the s x s pixels that one input
    pixel becomes), here its absolute value summed over channels, averaged over images.

    Args:
        network: of JAX, or a torch module or ONNX file that became a function of JAX.
        images: degraded inputs of one size, each uint8, or floating in [0, 1], [h, w, c]; as of
            `Scene.degraded`.
        pixel: row and column of the input pixel; None takes the middle.

    Returns:
        The field.

    Raises:
        ValueError: images of different sizes or of other values, a pixel outside of them, or a
            network that cannot take them, is in training mode, or has no gradient, or whose
            gradient is 0 or not finite there.

    Examples:
        >>> import cem_jax as cem
        >>> found = cem.effective_receptive_field(
        ...     cem.load("EDSR-compact"), [cem.example_image("pagoda")[:48, :48] / 255]
        ... )
        >>> found.field.shape, found.radius(1.0) <= 20
        ((48, 48), True)
    """
    check_kind("network", network, Network)
    if not isinstance(images, Sequence | np.ndarray) or not len(images):
        raise ValueError(f"images={quoted(images)}: expected images, at least one")
    found = [_image(image) for image in images]
    shapes = {image.shape for image in found}
    if len(shapes) != 1 or found[0].ndim != 3 or not found[0].size:
        raise ValueError(f"images have the shapes {sorted(shapes)}; expected one [h, w, c]")
    height, width = found[0].shape[:2]
    middle = (height // 2, width // 2)
    place = middle if pixel is None else pixel
    if not isinstance(place, Sequence | np.ndarray) or len(place) != 2:
        raise ValueError(f"pixel={quoted(pixel)}: expected its row and column")
    row, column = place
    place = whole_number("pixel", row, 0, height - 1), whole_number("pixel", column, 0, width - 1)
    check_function(network, network.scale, found[0].shape)
    total = np.zeros((height, width))
    for image in found:
        try:
            slope = _slope(network.apply, network.scale, network.params, image, np.array(place))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"network={network.name}: it has no gradient in JAX ({reason(error)})"
            ) from error
        total += np.asarray(slope, np.float64)
    if not (np.isfinite(total).all() and total.any()):
        raise ValueError(
            f"network={network.name}: the gradient of the output at pixel {place} is 0 or not "
            "finite"
        )
    return ReceptiveField(total / total.sum(), place, len(found))


def _image(given: object) -> np.ndarray:
    """An image of a user in [0, 1], of any rank."""
    try:
        array = np.asarray(given)
    except Exception as error:  # lists of different lengths, objects of somebody else's class
        raise ValueError(f"images holds {quoted(given)}; expected arrays [h, w, c]") from error
    return as_unit("images", array)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _slope(apply: Apply, scale: int, params: Any, image: jax.Array, place: jax.Array) -> jax.Array:
    """Absolute gradients summed over channels, [h, w]."""

    def looked_at(x: jax.Array) -> jax.Array:
        restored = apply(params, x[None])[0]
        start = (place[0] * scale, place[1] * scale, 0)
        return jax.lax.dynamic_slice(restored, start, (scale, scale, restored.shape[2])).sum()

    return jnp.abs(jax.grad(looked_at)(image)).sum(axis=-1)
