"""Discrete Fourier transforms along counted axes."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .layout import Laid
from .operation import Operation, plain


def _factor(lengths: Sequence[int], norm: int, inverse: bool) -> float:
    """What numpy's transform is multiplied by: torch counts none, root and whole as 0, 1, 2."""
    count = float(np.prod(lengths))
    wanted = {0: 1.0, 1: count**-0.5, 2: 1 / count}[norm]
    return wanted * count if inverse else wanted


def _real_to_complex(x: Any, axes: Sequence[int], norm: int, onesided: bool) -> Any:
    lengths = [x.shape[axis] for axis in axes]
    y = jnp.fft.rfftn(x, axes=axes) if onesided else jnp.fft.fftn(x, axes=axes)
    return y * _factor(lengths, norm, False)


def _complex_to_real(x: Any, axes: Sequence[int], norm: int, last: int) -> Any:
    lengths = [*(x.shape[axis] for axis in axes[:-1]), last]
    return jnp.fft.irfftn(x, s=lengths, axes=axes) * _factor(lengths, norm, True)


def _complex_to_complex(x: Any, axes: Sequence[int], norm: int, forward: bool) -> Any:
    lengths = [x.shape[axis] for axis in axes]
    transform = jnp.fft.fftn if forward else jnp.fft.ifftn
    return transform(x, axes=axes) * _factor(lengths, norm, not forward)


def _as_real(x: Laid) -> Any:
    return jnp.stack([jnp.real(x), jnp.imag(x)], -1)  # type: ignore[arg-type]


OPERATIONS: dict[str, Operation] = {
    "_fft_c2c": plain(_complex_to_complex),
    "_fft_c2r": plain(_complex_to_real),
    "_fft_r2c": plain(_real_to_complex),
    "view_as_complex": plain(lambda x: lax.complex(x[..., 0], x[..., 1])),
    "view_as_real": plain(_as_real),
}
