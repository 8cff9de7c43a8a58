"""Matrix products, softmax, and normalisation."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .elementwise import OPERATIONS as ELEMENTWISE
from .layout import Laid, aligned
from .operation import Operation, elementwise
from .reduction import places, reduced


def contracted(a: Laid, b: Laid, batch: int, over: tuple[int, int]) -> Laid:
    """Sum of products over one counted axis of each, for each index of the first ones.

    Args:
        a: [*batch, ...].
        b: [*batch, ...].
        batch: how many of the first axes run along with each other.
        over: the axis of a and that of b that are summed over.

    Returns:
        [*batch, the other axes of a, the other axes of b].
    """
    pairs = [(k, k) for k in range(batch)] + [over]
    large, small, swap = (a, b, False) if a.array.size >= b.array.size else (b, a, True)
    for pair in pairs:
        own, other = reversed(pair) if swap else pair
        small = small.conformed(other, large.sizes(own))
    a, b = (small, large) if swap else (large, small)
    a_first, b_first = ([k for i in range(batch) for k in x.axes[i]] for x in (a, b))
    sums = (a.axes[over[0]], b.axes[over[1]])
    array = lax.dot_general(a.array, b.array, (sums, (a_first, b_first)))
    axes: list[tuple[int, ...]] = []
    taken = 0
    for i in range(batch):
        axes.append(tuple(range(taken, taken + len(a.axes[i]))))
        taken += len(a.axes[i])
    for x, own, summed in ((a, a_first, sums[0]), (b, b_first, sums[1])):
        rest = [k for k in range(x.array.ndim) if k not in own and k not in summed]
        place = {k: taken + number for number, k in enumerate(rest)}
        skipped = over[0] if x is a else over[1]
        axes += [
            tuple(place[k] for k in group)
            for i, group in enumerate(x.axes)
            if i >= batch and i != skipped
        ]
        taken += len(rest)
    return Laid(array, tuple(axes))


def mm(a: Laid, b: Laid) -> Laid:
    """[i, k] times [k, j]."""
    return contracted(a, b, 0, (1, 0))


def bmm(a: Laid, b: Laid) -> Laid:
    """[n, i, k] times [n, k, j], for each n."""
    return contracted(a, b, 1, (2, 1))


def _plus(x: Laid, product: Laid, beta: Any, alpha: Any) -> Laid:
    scaled = elementwise(lambda a, b: (a if beta == 1 else a * beta)
                         + (b if alpha == 1 else b * alpha))  # fmt: skip
    return scaled(x, product)


def _linear(x: Laid, weight: Laid, bias: Laid | None = None) -> Laid:
    y = contracted(x, weight, 0, (x.ndim - 1, 1))
    return y if bias is None else _plus(bias, y, 1, 1)


def _matmul(a: Laid, b: Laid) -> Laid:
    if a.ndim == 1 or b.ndim == 1:
        return contracted(a, b, 0, (a.ndim - 1, max(b.ndim - 2, 0)))
    if b.ndim == 2:
        return contracted(a, b, 0, (a.ndim - 1, 0))
    shape = tuple(map(max, zip(a.shape[:-2], b.shape[:-2], strict=True)))
    a, b = a.expanded((*shape, *a.shape[-2:])), b.expanded((*shape, *b.shape[-2:]))
    return contracted(a, b, len(shape), (a.ndim - 1, b.ndim - 2))


def _exponentials(x: Laid, axis: int) -> tuple[Any, Any, tuple[int, ...]]:
    own = places(x, axis)
    shifted = x.array - jnp.max(x.array, axis=own, keepdims=True)
    return shifted, jnp.exp(shifted), own


def softmax(x: Laid, axis: int, *_: Any) -> Laid:
    """Exponentials over their sum along a counted axis."""
    _, parts, own = _exponentials(x, axis)
    return x.like(parts / jnp.sum(parts, axis=own, keepdims=True))


def _log_softmax(x: Laid, axis: int, *_: Any) -> Laid:
    shifted, parts, own = _exponentials(x, axis)
    return x.like(shifted - jnp.log(jnp.sum(parts, axis=own, keepdims=True)))


def _standardised(x: Laid, own: Sequence[int], eps: float) -> Laid:
    mean = jnp.mean(x.array, axis=tuple(own), keepdims=True)
    centred = x.array - mean
    variance = jnp.mean(jnp.square(centred), axis=tuple(own), keepdims=True)
    return x.like(centred * lax.rsqrt(variance + eps))


def _scaled(x: Laid, weight: Laid | None, bias: Laid | None) -> Laid:
    x = x if weight is None else ELEMENTWISE["mul"](x, weight)
    return x if bias is None else ELEMENTWISE["add"](x, bias)


def layer_norm(
    x: Laid, shape: Sequence[int], weight: Laid | None, bias: Laid | None, eps: float, *_: Any
) -> tuple[Laid, None, None]:
    """Standardised over the last axes."""
    own = places(x, [axis - len(shape) for axis in range(len(shape))])
    return _scaled(_standardised(x, own, eps), weight, bias), None, None


def _per_channel(value: Laid, ndim: int) -> Laid:
    """[c] as [c, 1, 1]."""
    return Laid(value.array, (*value.axes, *[()] * (ndim - 2)))


def _scaled_by_channel(x: Laid, weight: Laid | None, bias: Laid | None) -> Laid:
    weight, bias = (v if v is None else _per_channel(v, x.ndim) for v in (weight, bias))
    return _scaled(x, weight, bias)


def group_norm(
    x: Laid, weight: Laid | None, bias: Laid | None, n: int, c: int, _: int, groups: int,
    eps: float,
) -> tuple[Laid, None, None]:  # fmt: skip
    """Standardised over space and the channels of each group."""
    rest = x.shape[2:]
    parts = x.viewed((n, groups, c // groups, *rest))
    y = _standardised(parts, places(parts, list(range(2, parts.ndim))), eps)
    y = y.viewed((n, c, *rest))
    return _scaled_by_channel(y, weight, bias), None, None


def batch_norm(
    x: Laid, weight: Laid | None, bias: Laid | None, mean: Laid, variance: Laid,
    *rest: Any,
) -> tuple[Laid, None, None]:  # fmt: skip
    """Standardised by stored statistics."""
    eps = rest[-1]
    mean, variance = (_per_channel(value, x.ndim) for value in (mean, variance))
    scale = elementwise(lambda v: lax.rsqrt(v + eps))(variance)
    y = ELEMENTWISE["mul"](ELEMENTWISE["sub"](x, mean), scale)
    return _scaled_by_channel(y, weight, bias), None, None


def _batch_statistics(
    x: Laid, weight: Laid | None, bias: Laid | None, training: bool, _: float, eps: float
) -> tuple[Laid, None, None]:
    """Standardised by the batch's own statistics, as instance norm is written."""
    own = places(x, [0, *range(2, x.ndim)])
    y = _standardised(x, own, eps)
    return _scaled_by_channel(y, weight, bias), None, None


def _native_batch_norm(
    x: Laid, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, momentum: float,
    eps: float,
) -> tuple[Laid, None, None]:  # fmt: skip
    if training:
        return _batch_statistics(x, weight, bias, True, momentum, eps)
    return batch_norm(x, weight, bias, mean, variance, eps)


def _attention(
    q: Laid, k: Laid, v: Laid, mask: Laid | None = None, dropout: float = 0.0,
    causal: bool = False, *, scale: float | None = None, attn_mask: Laid | None = None, **_: Any,
) -> Laid:  # fmt: skip
    """Scaled dot-product attention: [..., i, d], [..., j, d], [..., j, e] -> [..., i, e]."""
    mask = attn_mask if mask is None else mask
    if dropout:
        raise NotImplementedError("attention with dropout")
    if causal:
        mask = Laid.of(np.tri(q.shape[-2], k.shape[-2], dtype=bool))
    last = q.ndim - 1
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    score = contracted(q.like(q.array * factor), k, last - 1, (last, last))
    if mask is not None:
        arrays, axes = aligned([score, mask])
        known = arrays[1]
        biased = jnp.where(known, arrays[0], -jnp.inf) if known.dtype == bool else sum(arrays)
        score = Laid(biased, axes)
    return contracted(softmax(score, last), v, last - 1, (last, last - 1))


def _trilinear(
    a: Laid, b: Laid, c: Laid, first: Sequence[int], second: Sequence[int], third: Sequence[int],
    over: Sequence[int], *_: Any,
) -> Laid:  # fmt: skip
    """The product of three arrays, each with further axes, summed over some."""
    for value, added in ((a, first), (b, second), (c, third)):
        for axis in added:
            value = value.inserted(axis)
        a = value if added is first else ELEMENTWISE["mul"](a, value)
    return reduced(a, jnp.sum(a.array, axis=places(a, list(over))), list(over), False)


def _first(operation: Operation) -> Operation:
    """The other results, which training needs, are never looked at."""
    return lambda *args, **options: (operation(*args, **options), None)


OPERATIONS: dict[str, Operation] = {
    "_log_softmax": _log_softmax,
    "_native_batch_norm_legit": lambda x, w, b, *rest: (
        _batch_statistics(x, w, b, *rest) if len(rest) == 3 else _native_batch_norm(x, w, b, *rest)
    ),
    "_native_batch_norm_legit_no_training": batch_norm,
    "_scaled_dot_product_flash_attention_for_cpu": _first(
        lambda q, k, v, dropout=0.0, causal=False, **options: _attention(
            q, k, v, None, dropout, causal, **options
        )
    ),
    "_softmax": softmax,
    "_trilinear": _trilinear,
    "addmm": lambda x, a, b, beta=1, alpha=1: _plus(x, mm(a, b), beta, alpha),
    "baddbmm": lambda x, a, b, beta=1, alpha=1: _plus(x, bmm(a, b), beta, alpha),
    "bmm": bmm,
    "dot": lambda a, b: contracted(a, b, 0, (0, 0)),
    "linear": _linear,
    "matmul": _matmul,
    "mm": mm,
    "mv": lambda a, b: contracted(a, b, 0, (1, 0)),
    "native_batch_norm": _native_batch_norm,
    "native_group_norm": group_norm,
    "native_layer_norm": layer_norm,
    "scaled_dot_product_attention": _attention,
}
