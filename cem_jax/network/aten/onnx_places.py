"""ONNX's operations that find, pick and replace elements by their places, and sums over them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .layout import Laid
from .onnx_values import Attributes, integers, lifted
from .operation import plain
from .table import TABLE

_MODES = {"bilinear": 0, "linear": 0, "nearest": 1, "bicubic": 2, "cubic": 2}
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
_KINDS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
"""ONNX's names of reductions, and torch's."""

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""Alpha and gamma, where a node states none."""


def _text(attributes: Attributes, key: str, default: str = "") -> str:
    value = attributes.get(key, default)
    return value.decode() if isinstance(value, bytes) else value


def _arg(name: str) -> Callable[..., Any]:
    def operation(attributes: Attributes, x: Laid) -> Laid:
        axis, keep = attributes.get("axis", 0) % x.ndim, bool(attributes.get("keepdims", 1))
        if x.shape[axis] == 1:
            first = x.like(jnp.zeros(x.array.shape, jnp.int32))
            return first if keep else first.dropped(axis)
        if not attributes.get("select_last_index", 0):
            return TABLE[name](x, axis, keep)
        found = TABLE[name](TABLE["flip"](x, [axis]), axis, keep)
        return found.like(x.shape[axis] - 1 - found.array)

    return operation


def _top_k(attributes: Attributes, x: Laid, k: Any) -> tuple[Laid, Laid]:
    (count,), largest = integers(k), bool(attributes.get("largest", 1))
    return TABLE["topk"](x, count, attributes.get("axis", -1), largest)


def _grid_sample(attributes: Attributes, x: Any, grid: Any) -> Laid:
    x, grid = lifted(x), lifted(grid)
    mode = _MODES[_text(attributes, "mode", "bilinear")]
    padding = _PADDINGS[_text(attributes, "padding_mode", "zeros")]
    aligned = bool(attributes.get("align_corners", 0))
    return TABLE[f"grid_sampler_{x.ndim - 2}d"](x, grid, mode, padding, aligned)


def _from_front(index: Any, length: int) -> Laid:
    """Places of which negative ones are counted from the end."""
    index = lifted(index)
    where = np.where if isinstance(index.array, np.ndarray) else jnp.where
    return index.like(where(index.array < 0, index.array + length, index.array))


def _gather_elements(attributes: Attributes, x: Any, index: Any) -> Laid:
    x, axis = lifted(x), attributes.get("axis", 0)
    return TABLE["gather"](x, axis, _from_front(index, x.shape[axis]))


def _scatter_elements(attributes: Attributes, x: Any, index: Any, updates: Any) -> Laid:
    x, axis, kind = lifted(x), attributes.get("axis", 0), _text(attributes, "reduction", "none")
    own = (x, axis, _from_front(index, x.shape[axis]), lifted(updates))
    return TABLE["scatter"](*own) if kind == "none" else TABLE["scatter_reduce"](*own, _KINDS[kind])


def _scatter_nd(attributes: Attributes, x: Any, index: Any, updates: Any) -> Laid:
    kind = _text(attributes, "reduction", "none")
    method = {"none": "set", "mul": "multiply"}.get(kind, kind)

    def put(x: Any, index: Any, updates: Any) -> Any:
        spot = jnp.asarray(x).at[tuple(jnp.moveaxis(jnp.asarray(index), -1, 0))]
        return getattr(spot, method)(jnp.asarray(updates, x.dtype))

    return plain(put)(*map(lifted, (x, index, updates)))


def _gather_nd(attributes: Attributes, x: Any, index: Any) -> Laid:
    def pick(x: Any, index: Any) -> Any:
        return x[tuple(jnp.moveaxis(index, -1, 0))]

    picked = pick
    for _ in range(attributes.get("batch_dims", 0)):
        picked = jax.vmap(picked)
    own = plain(lambda x, index: picked(jnp.asarray(x), jnp.asarray(index)))
    return own(lifted(x), lifted(index))


def _one_hot(attributes: Attributes, index: Any, depth: Any, values: Any) -> Laid:
    (count,), axis = integers(depth), attributes.get("axis", -1)

    def chosen(index: Any, values: Any) -> Any:
        off, on = jnp.asarray(values)
        index = jnp.asarray(index, jnp.int32)
        own = jnp.where(index < 0, index + count, index)
        each = [jnp.where(own == place, on, off) for place in range(count)]
        return jnp.stack(each, axis)

    return plain(chosen)(lifted(index), lifted(values))


def _cumulative_sum(attributes: Attributes, x: Any, axis: Any) -> Laid:
    x, (axis,) = lifted(x), integers(axis)
    back = bool(attributes.get("reverse", 0))
    turned = TABLE["flip"](x, [axis]) if back else x
    found = TABLE["cumsum"](turned, axis)
    if attributes.get("exclusive", 0):
        found = TABLE["sub"](found, turned)
    return TABLE["flip"](found, [axis]) if back else found


def _modulo(attributes: Attributes, x: Any, y: Any) -> Laid:
    name = "fmod" if attributes.get("fmod", 0) else "remainder"
    return TABLE[name](lifted(x), lifted(y))


def _einsum(attributes: Attributes, *operands: Any) -> Laid:
    equation = _text(attributes, "equation").replace(" ", "")
    return plain(lambda *own: jnp.einsum(equation, *own))(*map(lifted, operands))


def _selu(attributes: Attributes, x: Laid) -> Laid:
    alpha, gamma = _SELU
    return TABLE["elu"](x, attributes.get("alpha", alpha), attributes.get("gamma", gamma))


def _celu(attributes: Attributes, x: Laid) -> Laid:
    alpha = attributes.get("alpha", 1.0)
    return TABLE["elu"](x, alpha, 1, 1 / alpha)


def _trilu(attributes: Attributes, x: Laid, k: Any = None) -> Laid:
    diagonal = 0 if k is None else integers(k)[0]
    return TABLE["triu" if attributes.get("upper", 1) else "tril"](x, diagonal)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "ArgMax": _arg("argmax"),
    "ArgMin": _arg("argmin"),
    "Celu": _celu,
    "CumSum": _cumulative_sum,
    "Einsum": _einsum,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "GridSample": _grid_sample,
    "Mod": _modulo,
    "OneHot": _one_hot,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Selu": _selu,
    "TopK": _top_k,
    "Trilu": _trilu,
}
"""By ONNX's name; each takes the node's attributes, then its inputs."""
