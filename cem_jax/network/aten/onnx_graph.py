"""ONNX files as functions of JAX, through the table of torch's operations.

What does not depend on the image (shapes, sizes, indices) is computed by onnx's own reference while
the function is traced; the rest are torch's operations under other names.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import onnx_operations, onnx_places
from .layout import Laid
from .program import NotNative, without_counterpart

OPERATIONS = {**onnx_operations.OPERATIONS, **onnx_places.OPERATIONS}
"""By ONNX's name; each takes the node's attributes, then its inputs."""

_SETTINGS = ("Clip", "Pad", "Resize")
"""Operations whose further inputs are no weights."""

_DOMAINS = ("", "ai.onnx")
"""Of ONNX's own operations; those of others may have their names."""

_KNOWN_ONLY = {"Constant", "ConstantOfShape", "Range", "Mod", "NonZero", "Size", "CumSum",
              "ReduceProd", "Xor", "OneHot"}  # fmt: skip
"""Operations that are computed by onnx's reference, where nothing of the image enters."""

_OLDEST = 11
"""Version of ONNX's operators from which on they mean what is written here."""


@dataclasses.dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A model of one image.

    Args:
        nodes: of onnx, in order.
        known: arrays that are no parameters, by name.
        params: floating arrays, by name.
        image: name of the input.
        output: name of the output.
        opsets: versions of the operators by domain.
    """

    nodes: tuple[Any, ...]
    known: Mapping[str, np.ndarray]
    params: Mapping[str, np.ndarray]
    image: str
    output: str
    opsets: Mapping[str, int]


def read(path: Path) -> OnnxGraph:
    """The graph of a file.

    Args:
        path: of a model with one input, one output, and its weights inside.

    Raises:
        NotNative: an operation has no counterpart, or onnx is not installed.
    """
    try:
        import onnx  # pyright: ignore[reportMissingImports]
        from onnx import numpy_helper  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NotNative("the package onnx, which reads the file, is not installed") from error
    model = _of_known_version(onnx.load(str(path)))
    graph = model.graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in arrays]
    opsets = {own.domain: own.version for own in model.opset_import}
    missing = {
        f"{node.domain or 'ONNX'}'s {node.op_type}"
        for node in graph.node
        if node.domain not in _DOMAINS or node.op_type not in _KNOWN_ONLY.union(OPERATIONS)
    }
    if missing:
        raise without_counterpart(sorted(missing))
    settings = {name for node in graph.node if node.op_type in _SETTINGS for name in node.input[1:]}
    params = {
        key: value
        for key, value in arrays.items()
        if value.ndim and value.dtype.kind == "f" and key not in settings
    }
    return OnnxGraph(
        tuple(graph.node), {key: v for key, v in arrays.items() if key not in params}, params,
        inputs[0], graph.output[0].name, opsets,
    )  # fmt: skip


def _of_known_version(model: Any) -> Any:
    """A model whose operators mean what is written here; onnx's own converter rewrites old ones.

    Raises:
        NotNative: it cannot.
    """
    from onnx import version_converter  # pyright: ignore[reportMissingImports]

    version = max((own.version for own in model.opset_import if own.domain in _DOMAINS), default=0)
    if version >= _OLDEST:
        return model
    try:
        return version_converter.convert_version(model, _OLDEST)
    except Exception as error:  # it has no class of its own for what it does not know
        raise NotNative(
            f"the file has ONNX's operators of version {version}, JAX has counterparts from "
            f"version {_OLDEST} on, and onnx cannot rewrite them"
        ) from error


def run(graph: OnnxGraph, params: Mapping[str, Any], x: jax.Array) -> jax.Array:
    """A model's output.

    Args:
        graph: of the model.
        params: its floating arrays by name.
        x: one image, floating [1, h, w, c].

    Returns:
        [1, h', w', c'], of the image's type.

    Raises:
        NotNative: an operation does not take its arguments.
    """
    values: dict[str, Any] = {"": None, graph.image: Laid.of(x, (0, 2, 3, 1)), **graph.known}
    values.update({key: Laid.of(jnp.asarray(v, x.dtype)) for key, v in params.items()})
    for node in graph.nodes:
        own = [values[name] for name in node.input]
        if not any(isinstance(value, Laid) for value in own):
            results = _computed(graph, node, own)
        else:
            results = _applied(node, own, graph.opsets[""])
        values.update(zip(node.output, results, strict=False))
    y = values[graph.output]
    if not isinstance(y, Laid) or y.ndim != 4:
        raise NotNative("its result is no image")
    return y.arranged((0, 2, 3, 1)).astype(x.dtype)


def _applied(node: Any, own: Sequence[Any], version: int) -> Sequence[Any]:
    import onnx  # pyright: ignore[reportMissingImports]

    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes |= {"version": version, "outputs": len(node.output)}
    if node.op_type not in OPERATIONS:
        raise without_counterpart([f"ONNX's {node.op_type} of an image"])
    try:
        result = OPERATIONS[node.op_type](attributes, *own)
    except Exception as error:  # whatever an operation raises on arguments that it cannot take
        text = " ".join(str(error).split())[:200]
        raise NotNative(
            f"JAX does not compute ONNX's {node.op_type} ({type(error).__name__}: {text})"
        ) from error
    results = result if isinstance(result, tuple) else (result,)
    if any(node.output[len(results) :]):
        raise NotNative(f"JAX computes the first result of ONNX's {node.op_type} alone")
    return results


def _computed(graph: OnnxGraph, node: Any, own: Sequence[Any]) -> Sequence[np.ndarray]:
    """A node of known values."""
    from onnx.reference import ReferenceEvaluator  # pyright: ignore[reportMissingImports]

    named = {name: value for name, value in zip(node.input, own, strict=True) if name}
    values: Any = ReferenceEvaluator(node, opsets=dict(graph.opsets)).run(None, named)
    return values
