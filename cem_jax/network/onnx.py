"""ONNX files as networks: as functions of JAX, or by onnxruntime where that fails."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.network import aten
from cem_jax.network.aten import onnx_graph
from cem_jax.network.host import OnHost, Original
from cem_jax.network.host_digest import digest_file
from cem_jax.network.network import Network, file_source, of_any_size
from cem_jax.plain_text import quoted, shortened, visible
from cem_jax.store.objects import as_place

_SILENT = 4
"""onnxruntime's level of messages at which it prints none of those that it raises."""

_IMAGE_CHANNELS = (1, 3)

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def wrap_onnx(
    path: str | Path,
    *,
    scale: int = 1,
    name: str | None = None,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
    providers: tuple[str, ...] = ("CPUExecutionProvider",),
) -> Network:
    """An ONNX file as a network of JAX; by onnxruntime where an operation has no counterpart.

    `network.note` says which of the two.

    Args:
        path: a model with one input and one output, NCHW in [0, 1]; of fixed height and width only
            if all images have them. A batch size fixed at 1 is called image by image.
        scale: output pixels per input pixel.
        name: what it is called; by default the file's stem.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown, and
            then the whole image is computed for every intervention.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.
        providers: onnxruntime's execution providers, the preferred one first.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: the file is unreadable or no such model, or scale, receptive_radius or
            size_multiple is out of range.
    """
    scale = whole_number("scale", scale, 1)
    if receptive_radius is not None:
        receptive_radius = whole_number("receptive_radius", receptive_radius, 0)
    multiple = whole_number("size_multiple", size_multiple, 1)
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("wrap_onnx needs onnxruntime: pip install 'cem-jax[onnx]'") from error
    place = as_place(path)
    if not isinstance(place, Path) or not place.is_file():
        raise ValueError(f"path={quoted(str(place))} is not a file on this machine")
    path = place
    if isinstance(providers, str) or not isinstance(providers, Sequence):
        raise ValueError(f"providers={quoted(providers)}: expected names of ONNX Runtime's")
    try:
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = _SILENT
        session = onnxruntime.InferenceSession(str(path), quiet, providers=list(providers))
    except Exception as error:  # onnxruntime's errors have no common class
        text = f"cannot be read by onnxruntime: {shortened(visible(str(error)), 300)}"
        raise ValueError(f"path={quoted(str(path))} {text}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
        shapes = {entry.name: entry.shape for entry in (*inputs, *outputs)}
        has = shortened(visible(str(shapes)), 300)
        raise ValueError(f"path={quoted(str(path))}: expected one image in and one out, has {has}")
    batch = inputs[0].shape[0]  # a name or None where any size will do
    if inputs[0].type not in _TYPES or (isinstance(batch, int) and batch != 1):
        raise ValueError(
            f"path={quoted(str(path))}: its input is {inputs[0].type} {inputs[0].shape}; expected "
            "floats with a batch of 1 or of any size"
        )
    _, channels, *sides = inputs[0].shape
    if sides[1] in _IMAGE_CHANNELS and channels not in (*_IMAGE_CHANNELS, 4):
        raise ValueError(
            f"path={quoted(str(path))}: its input of the shape {inputs[0].shape} looks like NHWC; "
            "expected NCHW, with a Transpose before and after the network"
        )
    dtype, alone = _TYPES[inputs[0].type], batch == 1

    def forward(x: np.ndarray) -> np.ndarray:
        parts = np.split(x, len(x)) if alone else [x]
        feeds = ({inputs[0].name: part.astype(dtype)} for part in parts)
        return np.concatenate([np.asarray(session.run(None, feed)[0]) for feed in feeds])

    name = name or path.stem
    told = f"onnxruntime {onnxruntime.__version__} {providers} {digest_file(path)}"
    original = Original(OnHost(forward, name, told), "onnxruntime")
    try:
        graph, reasons = onnx_graph.read(path), []
    except aten.NotNative as error:
        graph, reasons = None, [str(error)]
    model = _Model(original, graph, reasons, (*sides, channels), multiple)
    params = {} if model.graph is None else dict(model.graph.params)
    return Network(
        name, of_any_size(model, scale, multiple), params, scale, receptive_radius, multiple,
        channels=channels if isinstance(channels, int) and channels > 0 else None,
        reference=of_any_size(original, scale, multiple), source=file_source(path),
    )  # fmt: skip


_SIDE = 64
"""Of the image with which operations are tried, where the file leaves it open."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Model:
    """An ONNX file as `apply`.

    Args:
        original: the file, by onnxruntime.
        graph: its operations, if all have counterparts.
        reasons: why the file, or images of some size, are left to onnxruntime.
        size: height, width and channels of an image; a name or None where any will do.
        multiple: of which it needs an image's sides.
        seen: sizes of images that were restored.
    """

    original: Original
    graph: onnx_graph.OnnxGraph | None
    reasons: list[str]
    size: tuple[Any, ...]
    multiple: int
    seen: set[tuple[int, ...]] = dataclasses.field(default_factory=set)

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', c']; every image by itself."""
        graph, size = self.graph, tuple(x.shape[1:])
        if graph is None:
            return self.original(None, x)
        if any(isinstance(n, int) and n != m for n, m in zip(self.size, size, strict=True)):
            raise ValueError(
                f"network={self.original.host.name}: it cannot take an image [height, width, "
                f"channels] = {size}: the file is for {self.size}"
            )
        own = {} if params is None else params
        self.seen.add(size)
        try:
            if len(x) == 1:
                return onnx_graph.run(graph, own, x)
            return jax.vmap(lambda image: onnx_graph.run(graph, own, image[None])[0])(x)
        except aten.NotNative as error:
            y = self.original(None, x)  # which says so if the image is none that it takes
            self.reasons.append(str(error))
            return y

    @property
    def on_host(self) -> bool:
        """Whether onnxruntime is called for images of some size; tried with one if none was."""
        if self.graph is not None and not self.seen:
            side = -(-_SIDE // self.multiple) * self.multiple
            open_ = zip(self.size, (side, side, 3), strict=True)
            shape = [n if isinstance(n, int) else other for n, other in open_]
            image = jax.ShapeDtypeStruct((1, *shape), np.float32)
            with contextlib.suppress(ValueError):  # it may not take this image
                jax.eval_shape(self, self.graph.params, image)
        return bool(self.reasons)

    @property
    def note(self) -> str:
        """How the file is evaluated, in words; tried with an image if none was seen."""
        if self.on_host:
            return self.original.because(self.reasons[0])
        return "JAX runs the operations of the ONNX file"
