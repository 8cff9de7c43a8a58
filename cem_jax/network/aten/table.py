"""The table of operations: torch's core ATen operations by name, as functions of `Laid` arrays."""

from . import (
    convolution,
    elementwise,
    fourier,
    indexing,
    linear,
    matrices,
    pooling,
    reduction,
    resampling,
    sampling,
    shape,
)
from .operation import Operation

TABLE: dict[str, Operation] = {
    name: operation
    for module in (
        convolution, elementwise, fourier, indexing, linear, matrices, pooling, reduction,
        resampling, sampling, shape,
    )
    for name, operation in module.OPERATIONS.items()
}  # fmt: skip
"""By torch's name without overload: `add` for `aten.add.Tensor`; the arguments tell overloads.

Those of other packages are told apart by it: `torchvision.deform_conv2d`."""
