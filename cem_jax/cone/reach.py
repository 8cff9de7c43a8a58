"""How far a function reaches: which blocks a region sees, and how far a pixel does."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Integer

from .analyse import image_boxes, needs
from .graph import Graph
from .trace import trace

Rectangle = tuple[int, int, int, int]
"""Top row, left column, height, width, in pixels."""

_GROWTH = 3
"""How often an image that is too small to show a receptive field is doubled."""


def reachable(
    f: Callable[..., jax.Array],
    shape: Sequence[int],
    roi: Rectangle,
    origins: Integer[np.ndarray, "blocks 2"],
    block: int,
    params: Any = None,
) -> Bool[np.ndarray, " blocks"]:
    """Which blocks of the input can change a region of the output.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given.
        shape: of x, [1, h, w, c].
        roi: region of the output, in output pixels.
        origins: first row and column of each block, int [blocks, 2], in input pixels.
        block: side of a block, in input pixels.
        params: a pytree of arrays or shapes.

    Returns:
        bool [blocks]; where False, the effect is exactly zero.
    """
    graph = trace(with_params(f, params), params, shape, jnp.float32)
    region = image_boxes(np.asarray([roi[:2]]), roi[2:], graph.shapes[graph.output][3])
    blocks = image_boxes(origins, (block, block), shape[3])
    return needs(graph, region)[graph.image].meet(blocks).some


def receptive_radius(
    f: Callable[..., jax.Array], shape: Sequence[int], params: Any = None
) -> int | None:
    """How far an output pixel sees, counted from its own input pixel to the farthest, per axis.

    An image that is smaller than the receptive field cannot show it: up to three times the sides
    are doubled.

    Args:
        f: `f(x)`, or `f(params, x)` where params are given; NHWC with an integer scale.
        shape: of x, [1, h, w, c].
        params: a pytree of arrays or shapes.

    Returns:
        Input pixels; None if some output pixel needs all rows or columns of even the largest image.

    Raises:
        ValueError: the output is not [1, h * scale, w * scale, c'].
    """
    call = with_params(f, params)
    for doubling in range(_GROWTH + 1):
        n, h, w, c = (int(v) for v in shape)
        size = (h << doubling, w << doubling)
        graph = trace(call, params, (n, *size, c), jnp.float32)
        radius = _radius(graph, size)
        if radius is not None:
            return radius
    return None


def _radius(graph: Graph, size: tuple[int, int]) -> int | None:
    out = graph.shapes[graph.output]
    if len(out) != 4 or any(n % m or not n for n, m in zip(out[1:3], size, strict=True)):
        raise ValueError(
            f"f: an image of {size} pixels becomes {out}; expected NHWC, a whole scale"
        )
    # Rows and columns in step along the diagonal meet every row and every column.
    index = np.arange(max(out[1:3]))
    pixels = np.stack([np.minimum(index, n - 1) for n in out[1:3]], axis=1)
    box = needs(graph, image_boxes(pixels, (1, 1), out[3]))[graph.image]
    radius = 0
    for axis in (0, 1):
        lo, hi = box.lo[:, axis + 1], box.hi[:, axis + 1]
        own = pixels[:, axis] // (out[axis + 1] // size[axis])
        if (box.some & (lo == 0) & (hi == size[axis])).any():
            return None
        distance = np.where(box.some, np.maximum(own - lo, hi - 1 - own), 0)
        radius = max(radius, int(distance.max()))
    return radius


def with_params(f: Callable[..., jax.Array], params: Any) -> Callable[..., jax.Array]:
    """`f(params, x)` of either form of f."""
    return f if params is not None else lambda _, x: f(x)
