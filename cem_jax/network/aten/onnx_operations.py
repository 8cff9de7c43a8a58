"""ONNX's operations on an image, as torch's under other names."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .layout import Laid
from .onnx_values import Attributes, integers, lifted
from .operation import elementwise
from .shape import cat, pad
from .table import TABLE

_WHOLE_NUMBERS = {2: jnp.uint8, 3: jnp.int8, 5: jnp.int16, 6: jnp.int32, 7: jnp.int32}
"""By ONNX's number of the type; JAX counts in 32 bits."""


def _of(name: str) -> Callable[..., Any]:
    """An operation of torch with the same arguments."""

    def operation(_: Attributes, *args: Any) -> Any:
        return TABLE[name](*map(lifted, args))

    return operation


def _chained(name: str) -> Callable[..., Any]:
    def operation(_: Attributes, first: Any, *rest: Any) -> Any:
        result = lifted(first)
        for value in rest:
            result = TABLE[name](result, lifted(value))
        return result

    return operation


def _axes(attributes: Attributes, args: Sequence[Any]) -> list[int] | None:
    """Of an operation that had them as an attribute before it had them as an input."""
    if args and args[0] is not None:
        return integers(args[0])
    return list(attributes["axes"]) if "axes" in attributes else None


def _refuse_auto_pad(attributes: Attributes) -> None:
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET"):
        raise NotImplementedError("auto_pad")


def _padded(attributes: Attributes, x: Laid, value: float) -> tuple[Laid, list[int]]:
    """The input with what an operation of torch cannot pad itself, and the padding that is left."""
    _refuse_auto_pad(attributes)
    count = x.ndim - 2
    pads = list(attributes.get("pads", [0] * 2 * count))
    low, high = pads[:count], pads[count:]
    if low == high:
        return x, low
    widths = [n for k in reversed(range(count)) for n in (low[k], high[k])]
    return pad(x, widths, value), [0] * count


def _conv(attributes: Attributes, x: Laid, weight: Any, bias: Any = None) -> Laid:
    x, around = _padded(attributes, x, 0)
    ones = [1] * (x.ndim - 2)
    return TABLE["convolution"](
        x, lifted(weight), lifted(bias), list(attributes.get("strides", ones)), around,
        list(attributes.get("dilations", ones)), False, 0, attributes.get("group", 1),
    )  # fmt: skip


def _conv_transpose(attributes: Attributes, x: Laid, weight: Any, bias: Any = None) -> Laid:
    _refuse_auto_pad(attributes)
    ones = [1] * (x.ndim - 2)
    pads = list(attributes.get("pads", [0] * 2 * len(ones)))
    if "output_shape" in attributes or pads[: len(ones)] != pads[len(ones) :]:
        raise NotImplementedError("uneven padding")
    return TABLE["convolution"](
        x, lifted(weight), lifted(bias), list(attributes.get("strides", ones)),
        pads[: len(ones)], list(attributes.get("dilations", ones)), True,
        list(attributes.get("output_padding", [0] * len(ones))), attributes.get("group", 1),
    )  # fmt: skip


def _pool(kind: str) -> Callable[..., Any]:
    def operation(attributes: Attributes, x: Laid) -> Laid:
        kernel = list(attributes["kernel_shape"])
        stride = list(attributes.get("strides", [1] * len(kernel)))
        if kind == "max":
            x, around = _padded(attributes, x, -np.inf)
            rest = (list(attributes.get("dilations", [1] * len(kernel))),
                    bool(attributes.get("ceil_mode", 0)))  # fmt: skip
            return TABLE["max_pool2d_with_indices"](x, kernel, stride, around, *rest)[0]
        pads = attributes.get("pads", [0] * 2 * len(kernel))
        counted = bool(attributes.get("count_include_pad", 0))
        if set(attributes.get("dilations", [1])) != {1}:
            raise NotImplementedError("means of pixels apart")
        if not counted and list(pads[: len(kernel)]) != list(pads[len(kernel) :]):
            raise NotImplementedError("uneven padding that is not counted")
        x, around = _padded(attributes, x, 0)
        return TABLE["avg_pool2d"](
            x, kernel, stride, around, bool(attributes.get("ceil_mode", 0)), counted
        )

    return operation


def _everywhere(name: str) -> Callable[..., Any]:
    return lambda _, x: TABLE[name](x, list(range(2, x.ndim)), True)


def _reduced(name: str) -> Callable[..., Any]:
    def operation(attributes: Attributes, x: Laid, *args: Any) -> Laid:
        axes = _axes(attributes, args)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return x
        axes = axes or list(range(x.ndim))
        options = (2,) if name == "linalg_vector_norm" else ()
        return TABLE[name](x, *options, axes, bool(attributes.get("keepdims", 1)))

    return operation


def _reshape(attributes: Attributes, x: Laid, shape: Any) -> Laid:
    wanted = integers(shape)
    if not attributes.get("allowzero", 0):
        wanted = [x.shape[k] if n == 0 else n for k, n in enumerate(wanted)]
    return TABLE["view"](x, wanted)


def _slice(
    _: Attributes, x: Laid, starts: Any, ends: Any, axes: Any = None, steps: Any = None
) -> Laid:
    starts, ends = integers(starts), integers(ends)
    own = list(range(len(starts))) if axes is None else integers(axes)
    strides = [1] * len(starts) if steps is None else integers(steps)
    for start, end, axis, step in zip(starts, ends, own, strides, strict=True):
        if step < 0:
            length = x.shape[axis]
            picked = range(length)[slice(start, None if end < -length else end, step)]
            x = TABLE["index_select"](x, axis, Laid.of(np.asarray(picked)))
        else:
            x = TABLE["slice"](x, axis, start, end, step)
    return x


def _split(attributes: Attributes, x: Laid, sizes: Any = None) -> tuple[Laid, ...]:
    axis = attributes.get("axis", 0)
    if sizes is None and "split" not in attributes:
        return TABLE["split"](x, -(-x.shape[axis] // attributes["outputs"]), axis)
    return TABLE["split"](x, integers(attributes["split"] if sizes is None else sizes), axis)


def _gather(attributes: Attributes, x: Any, index: Any) -> Laid:
    if isinstance(index, Laid):
        raise NotImplementedError("an index that depends on the image")
    x, axis = lifted(x), attributes.get("axis", 0)
    line = np.asarray(index).reshape(-1)
    taken = TABLE["index_select"](x, axis, Laid.of(line))
    axis %= x.ndim
    return taken.viewed((*x.shape[:axis], *np.shape(index), *x.shape[axis + 1 :]))


def _pad(
    attributes: Attributes, x: Laid, pads: Any = None, value: Any = 0, axes: Any = None
) -> Laid:
    pads = integers(attributes["pads"] if pads is None else pads)
    own = list(range(x.ndim)) if axes is None else [a % x.ndim for a in integers(axes)]
    low, high = [0] * x.ndim, [0] * x.ndim
    for number, axis in enumerate(own):
        low[axis], high[axis] = pads[number], pads[number + len(own)]
    widths = [n for k in reversed(range(x.ndim)) for n in (low[k], high[k])]
    mode = attributes.get("mode", b"constant")
    kind = mode.decode() if isinstance(mode, bytes) else mode
    if kind == "constant":
        fill = float(np.asarray(0 if value is None else value).reshape(()))
        return pad(x, widths, attributes.get("value", fill))
    return TABLE[{"reflect": "reflection_pad2d", "edge": "replication_pad2d"}[kind]](x, widths)


def _depth_to_space(attributes: Attributes, x: Laid) -> Laid:
    n, c, h, w = x.shape
    r, mode = attributes["blocksize"], attributes.get("mode", b"DCR")
    if mode in (b"CRD", "CRD"):
        return TABLE["pixel_shuffle"](x, r)
    parts = x.viewed((n, r, r, c // r**2, h, w)).permuted((0, 3, 4, 1, 5, 2))
    return parts.viewed((n, c // r**2, h * r, w * r))


def _space_to_depth(attributes: Attributes, x: Laid) -> Laid:
    n, c, h, w = x.shape
    r = attributes["blocksize"]
    parts = x.viewed((n, c, h // r, r, w // r, r)).permuted((0, 3, 5, 1, 2, 4))
    return parts.viewed((n, c * r**2, h // r, w // r))


def _resize(
    attributes: Attributes, x: Laid, _: Any = None, scales: Any = None, sizes: Any = None
) -> Laid:
    def text(key: str, default: str) -> str:
        value = attributes.get(key, default)
        return value.decode() if isinstance(value, bytes) else value

    mode, places = text("mode", "nearest"), text("coordinate_transformation_mode", "half_pixel")
    if (
        attributes.get("antialias", 0)
        or attributes.get("axes")
        or attributes.get("exclude_outside")
        or text("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        raise NotImplementedError("antialiasing, axes, excluded pixels or a kept aspect ratio")
    if scales is not None and np.size(scales):
        factors = [float(n) for n in np.asarray(scales)]
        size = [int(np.float32(n) * np.float32(f)) for n, f in zip(x.shape, factors, strict=True)]
    else:
        size, factors = integers(sizes), []
    if tuple(size[:2]) != x.shape[:2]:
        raise NotImplementedError("resizing of channels")
    space = factors[2:] or None
    if mode == "nearest":
        if places != "asymmetric" or text("nearest_mode", "round_prefer_floor") != "floor":
            raise NotImplementedError(f"nearest pixels at {places} places")
        return TABLE["upsample_nearest2d"](x, size[2:], space)
    kind = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    if places not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise NotImplementedError(f"{mode} resizing at {places} places")
    if kind == "bicubic" and abs(attributes.get("cubic_coeff_a", -0.75) + 0.75) > 1e-6:
        raise NotImplementedError("another cubic kernel")
    return TABLE[f"upsample_{kind}2d"](x, size[2:], places == "align_corners", space)


def _gemm(attributes: Attributes, a: Any, b: Any, c: Any = None) -> Laid:
    a, b = lifted(a), lifted(b)
    a = a.permuted((1, 0)) if attributes.get("transA", 0) else a
    b = b.permuted((1, 0)) if attributes.get("transB", 0) else b
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if c is None:
        return TABLE["mul"](TABLE["mm"](a, b), alpha)
    return TABLE["addmm"](lifted(c), a, b, beta, alpha)


def _matmul(_: Attributes, a: Any, b: Any) -> Laid:
    a, b = lifted(a), lifted(b)
    if a.ndim > b.ndim > 2:
        b = Laid(b.array, (*[()] * (a.ndim - b.ndim), *b.axes))
    elif b.ndim > a.ndim >= 2:
        a = Laid(a.array, (*[()] * (b.ndim - a.ndim), *a.axes))
    return TABLE["matmul"](a, b)


def _batch_norm(
    attributes: Attributes, x: Laid, scale: Any, bias: Any, mean: Any, var: Any
) -> Laid:
    if attributes.get("training_mode", 0):
        raise NotImplementedError("training mode")
    eps = attributes.get("epsilon", 1e-5)
    args = map(lifted, (scale, bias, mean, var))
    return TABLE["_native_batch_norm_legit_no_training"](x, *args, 0.0, eps)[0]


def _dropout(_: Attributes, x: Laid, ratio: Any = None, training: Any = None) -> Laid:
    if training is not None and np.any(training):
        raise NotImplementedError("training mode")
    return x


def _instance_norm(attributes: Attributes, x: Laid, scale: Any, bias: Any) -> Laid:
    n, c = x.shape[:2]
    count, eps = int(np.prod(x.shape[2:])), attributes.get("epsilon", 1e-5)
    own = map(lifted, (scale, bias))
    return TABLE["native_group_norm"](x, *own, n, c, count, c, eps)[0]


def _layer_norm(attributes: Attributes, x: Laid, scale: Any, bias: Any = None) -> Laid:
    axis = attributes.get("axis", -1) % x.ndim
    own = map(lifted, (scale, bias))
    return TABLE["native_layer_norm"](x, x.shape[axis:], *own, attributes.get("epsilon", 1e-5))[0]


def _softmax(name: str) -> Callable[..., Any]:
    def operation(attributes: Attributes, x: Laid) -> Laid:
        axis = attributes.get("axis", -1)
        if axis % x.ndim != x.ndim - 1 and attributes["version"] < 13:
            raise NotImplementedError("softmax over several axes, as before version 13")
        return TABLE[name](x, axis, False)

    return operation


def _cast_to(attributes: Attributes, x: Laid) -> Laid:
    """Floating types all stand for the image's own."""
    kinds = {**dict.fromkeys((1, 10, 11, 16)), **_WHOLE_NUMBERS, 9: jnp.bool_}
    to = kinds[attributes["to"]]
    if to is None and not jnp.issubdtype(x.dtype, jnp.floating):
        to = jnp.float32
    return x if to is None else x.like(x.array.astype(to))


def _expand(_: Attributes, x: Any, shape: Any) -> Laid:
    x, wanted = lifted(x), integers(shape)
    return TABLE["expand"](x, np.broadcast_shapes(x.shape, tuple(wanted)))


def _flatten(attributes: Attributes, x: Laid) -> Laid:
    axis = attributes.get("axis", 1)
    return TABLE["view"](x, [int(np.prod(x.shape[:axis])), -1])


def _unsqueeze(attributes: Attributes, x: Laid, *args: Any) -> Laid:
    axes = _axes(attributes, args) or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.inserted(axis)
    return x


_SAME = (
    "Abs", "Add", "Ceil", "Cos", "Div", "Erf", "Exp", "Floor", "Log", "Mul", "Neg", "Pow",
    "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Tanh",
    "Where",
)  # fmt: skip
"""Operations that have torch's name and arguments."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: _of(name.lower()) for name in _SAME},
    "And": _of("logical_and"),
    "AveragePool": _pool("avg"),
    "BatchNormalization": _batch_norm,
    "Cast": _cast_to,
    "Clip": lambda _, x, low=None, high=None: TABLE["clamp"](
        x, *(None if v is None else lifted(v) for v in (low, high))
    ),
    "Concat": lambda attributes, *parts: cat(list(map(lifted, parts)), attributes["axis"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Elu": lambda attributes, x: TABLE["elu"](x, attributes.get("alpha", 1.0)),
    "Equal": _of("eq"),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda attributes, x: TABLE["gelu"](
        x, approximate="tanh" if attributes.get("approximate") in (b"tanh", "tanh") else "none"
    ),
    "Gemm": _gemm,
    "GlobalAveragePool": _everywhere("mean"),
    "GlobalMaxPool": _everywhere("amax"),
    "Greater": _of("gt"),
    "GreaterOrEqual": _of("ge"),
    "HardSigmoid": lambda attributes, x: elementwise(
        lambda a: jnp.clip(a * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0, 1)
    )(x),
    "HardSwish": _of("hardswish"),
    "Identity": lambda _, x: x,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda attributes, x: TABLE["leaky_relu"](x, attributes.get("alpha", 0.01)),
    "Less": _of("lt"),
    "LessOrEqual": _of("le"),
    "LogSoftmax": _softmax("_log_softmax"),
    "MatMul": _matmul,
    "Max": _chained("maximum"),
    "MaxPool": _pool("max"),
    "Min": _chained("minimum"),
    "Not": _of("logical_not"),
    "Or": _of("logical_or"),
    "PRelu": lambda _, x, slope: elementwise(lambda a, s: jnp.where(a > 0, a, a * s))(
        x, lifted(slope)
    ),
    "Pad": _pad,
    "ReduceL2": _reduced("linalg_vector_norm"),
    "ReduceMax": _reduced("amax"),
    "ReduceMean": _reduced("mean"),
    "ReduceMin": _reduced("amin"),
    "ReduceProd": _reduced("prod"),
    "ReduceSum": _reduced("sum"),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda attributes, x: np.asarray(
        x.shape[attributes.get("start", 0) : attributes.get("end")], np.int64
    ),
    "Slice": _slice,
    "Softmax": _softmax("_softmax"),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": lambda attributes, x, *args: TABLE["squeeze"](x, _axes(attributes, args)),
    "Tile": lambda _, x, times: TABLE["repeat"](x, integers(times)),
    "Transpose": lambda attributes, x: x.permuted(
        attributes.get("perm", tuple(reversed(range(x.ndim))))
    ),
    "Unsqueeze": _unsqueeze,
}
"""By ONNX's name; each takes the node's attributes, then its inputs."""
