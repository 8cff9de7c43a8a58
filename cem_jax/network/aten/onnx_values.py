"""What an operation of ONNX is given: attributes, values of the image, and known ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .layout import Laid

Attributes = Mapping[str, Any]
"""Of a node, by name; with `version`, of the operators, and `outputs`, how many are asked for."""


def lifted(value: Any) -> Any:
    """A known array as one that operations take.

    Args:
        value: anything; what is no array of numpy is returned.
    """
    return Laid.of(value) if isinstance(value, np.ndarray) else value


def integers(value: Any) -> list[int]:
    """The numbers of a known array.

    Args:
        value: the array, or one number.

    Raises:
        NotImplementedError: it depends on the image.
    """
    if isinstance(value, Laid):
        raise NotImplementedError("a size that depends on the image")
    return [int(n) for n in np.asarray(value).reshape(-1)]
