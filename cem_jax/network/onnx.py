"""ONNX files as networks, evaluated by onnxruntime in batches."""

from pathlib import Path

import numpy as np

from cem_jax.network.host import OnHost
from cem_jax.network.network import Network, wrap

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
    """An ONNX file as a network, evaluated by onnxruntime.

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
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("wrap_onnx needs onnxruntime: pip install 'cem-jax[onnx]'") from error
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path={str(path)!r} is not a file")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=list(providers))
    except Exception as error:  # onnxruntime's errors have no common class
        text = " ".join(str(error).split())[:300]
        raise ValueError(f"path={str(path)!r} cannot be read by onnxruntime: {text}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
        shapes = {entry.name: entry.shape for entry in (*inputs, *outputs)}
        raise ValueError(f"path={str(path)!r}: expected one image in and one out, has {shapes}")
    batch = inputs[0].shape[0]  # a name or None where any size will do
    if inputs[0].type not in _TYPES or (isinstance(batch, int) and batch != 1):
        raise ValueError(
            f"path={str(path)!r}: its input is {inputs[0].type} {inputs[0].shape}; expected floats "
            "with a batch of 1 or of any size"
        )
    dtype, alone = _TYPES[inputs[0].type], batch == 1

    def forward(x: np.ndarray) -> np.ndarray:
        parts = np.split(x, len(x)) if alone else [x]
        feeds = ({inputs[0].name: part.astype(dtype)} for part in parts)
        return np.concatenate([np.asarray(session.run(None, feed)[0]) for feed in feeds])

    name = name or path.stem
    function = OnHost(forward, name)
    return wrap(
        function, scale=scale, name=name, receptive_radius=receptive_radius,
        size_multiple=size_multiple,
    )  # fmt: skip
