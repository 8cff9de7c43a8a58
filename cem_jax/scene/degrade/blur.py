"""Blur by any kernel, mirrored at the borders."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from cem_jax.arguments import number_in
from cem_jax.scene.degrade.kernel import gaussian, in_fixed_point, line
from cem_jax.scene.degrade.step import ONE, Degradation, to_levels
from cem_jax.scene.image import as_numbers

_LARGEST = 101
"""Pixels of a kernel's side."""


@dataclasses.dataclass(frozen=True)
class Blur(Degradation):
    """Blur: every pixel becomes a weighted mean of those around it, rounded to 8 bits.

    The image is mirrored at its borders, the border pixel not repeated.

    Args:
        kernel: weights, at least 0, [n, n] with n odd; they are brought to a sum of 1, and kept
            as whole 1/65536. Correlation: weight [0, 0] is of the pixel above to the left.

    Raises:
        ValueError: another shape, or weights that are negative, not finite or all zero.

    Examples:
        >>> import cem_jax as cem
        >>> scene = cem.Scene.degraded_by(cem.example_image("dog"), [cem.Blur.gaussian(2)])
        >>> scene.degraded.shape
        (256, 256, 3)
    """

    kernel: Any

    def __post_init__(self) -> None:
        kernel = as_numbers("kernel", self.kernel)
        side = len(kernel) if kernel.ndim == 2 else 0
        if kernel.shape != (side, side) or side % 2 == 0 or side > _LARGEST:
            raise ValueError(
                f"kernel has shape {kernel.shape}; expected [n, n], n odd and at most {_LARGEST}"
            )
        if not (kernel.min() >= 0 and kernel.sum() > 0):
            raise ValueError("kernel: expected weights of at least 0, not all 0")
        fixed = in_fixed_point(kernel)
        object.__setattr__(self, "kernel", tuple(map(tuple, fixed.tolist())))

    @classmethod
    def gaussian(cls, sigma: float, radius: int | None = None) -> "Blur":
        """A Gaussian.

        Args:
            sigma: standard deviation, in pixels.
            radius: pixels on either side of the centre; None takes three standard deviations.

        Raises:
            ValueError: sigma is not above 0, or so large that the kernel has more than 101 pixels.
        """
        sigma = number_in("sigma", sigma, 0.01, 16.5, "in pixels")
        return cls(gaussian(sigma, int(np.ceil(3 * sigma)) if radius is None else radius))

    @classmethod
    def motion(cls, length: float, angle: float = 0.0) -> "Blur":
        """A straight movement of the camera.

        Args:
            length: in pixels.
            angle: degrees counter-clockwise from the horizontal.

        Raises:
            ValueError: a length outside 1 .. 99, or an angle that is not finite.
        """
        length = number_in("length", length, 1, _LARGEST - 2, "in pixels")
        return cls(line(length, number_in("angle", angle, -np.inf, unit="in degrees")))

    @property
    def radius(self) -> int:
        """Pixels on either side of the centre."""
        return len(self.kernel) // 2

    def changed(self, low: int, high: int) -> tuple[int, int]:
        return low - self.radius, high + self.radius

    def needed(self, low: int, high: int) -> tuple[int, int]:
        return low - self.radius, high + self.radius

    def apply(self, image: Int32[jax.Array, "h w c"], drawn: Any) -> Int32[jax.Array, "h w c"]:
        # Every partial sum is a whole number below 2^24, which float32 holds exactly.
        r, weights = self.radius, jnp.asarray(self.kernel, jnp.float32)
        planes = jnp.moveaxis(image, 2, 0)[..., None].astype(jnp.float32)
        planes = jnp.pad(planes, ((0, 0), (r, r), (r, r), (0, 0)), mode="reflect")
        total = jax.lax.conv_general_dilated(
            planes, weights[..., None, None], (1, 1), "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=jax.lax.Precision.HIGHEST,
        )  # fmt: skip
        return to_levels(jnp.moveaxis(total[..., 0], 0, 2).astype(jnp.int32))


assert ONE * 255 < 2**24  # what `apply` rests on
