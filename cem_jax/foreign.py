"""Networks of other frameworks: torch modules and ONNX files, called on the host in batches."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback

from cem_jax.network import Network, wrap

_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclasses.dataclass(frozen=True, eq=False)
class _OnHost:
    """A function of the host as a function of JAX; the size of its output is found by trying.

    Args:
        forward: float32 [n, c, h, w] -> [n, c', h', w'].
        name: for messages.
        sizes: what is known: input [h, w, c] -> output [h', w', c'].
    """

    forward: Callable[[np.ndarray], np.ndarray]
    name: str
    sizes: dict[tuple[int, ...], tuple[int, ...]] = dataclasses.field(default_factory=dict)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', c']."""
        size = tuple(x.shape[1:])
        if size not in self.sizes:
            self.sizes[size] = self._try(size)
        out = jax.ShapeDtypeStruct((x.shape[0], *self.sizes[size]), jnp.float32)
        # JAX hands pure_callback a copy that is made on the very threads which, on CPU devices, may
        # all be waiting in callbacks: with large images it hangs. Buffers are not copied.
        return jax.lax.platform_dependent(
            x.astype(jnp.float32),
            cpu=buffer_callback(self._into, out, vmap_method="expand_dims"),
            default=lambda x: jax.pure_callback(self._run, out, x, vmap_method="expand_dims"),
        )

    def _try(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The size of the output, from an image of zeros."""
        try:
            return self._run(np.zeros((1, *size), np.float32)).shape[1:]
        except Exception as error:  # every framework and module has its own
            text = " ".join(str(error).split())[:300]
            raise ValueError(
                f"network={self.name}: it cannot take an image [height, width, channels] = "
                f"{size}: {text}"
            ) from error

    def _run(self, x: Any) -> np.ndarray:
        """NHWC -> NHWC, with any axes of vmap before them; the input is never written to."""
        images = np.asarray(x)
        batch = images.reshape(-1, *images.shape[-3:]).transpose(0, 3, 1, 2)
        y = np.asarray(self.forward(np.array(batch, np.float32, order="C")), np.float32)
        if y.ndim != 4 or len(y) != len(batch):
            raise ValueError(f"it turned {batch.shape} into {y.shape}; expected [n, c, h, w]")
        y = y.transpose(0, 2, 3, 1)
        return y.reshape(*images.shape[:-3], *y.shape[1:])

    def _into(self, context: Any, out: Any, x: Any) -> None:
        np.asarray(out)[...] = self._run(x)


def wrap_torch(
    module: Any,
    *,
    scale: int = 1,
    name: str | None = None,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
) -> Network:
    """A torch module as a network, evaluated in batches on the device where it lies.

    Args:
        module: a `torch.nn.Module`, NCHW in [0, 1] in and out; it is put into evaluation mode.
        scale: output pixels per input pixel.
        name: what it is called; by default the module's class.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown, and
            then the whole image is computed for every intervention.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.

    Raises:
        ImportError: torch is not installed.
        ValueError: module is no torch module, or scale, receptive_radius or size_multiple is out
            of range.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("wrap_torch needs torch: pip install 'cem-jax[torch]'") from error
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module={type(module).__name__}: expected a torch.nn.Module")
    name = name or type(module).__name__
    lock = threading.Lock()  # JAX calls from one thread a device; modules may keep state

    def forward(x: np.ndarray) -> np.ndarray:
        tensors = (*module.parameters(), *module.buffers())
        like = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
        with lock, torch.inference_mode():
            module.eval()
            y = module(torch.from_numpy(x).to(like.device, like.dtype))
            if not isinstance(y, torch.Tensor):
                raise ValueError(f"it returned a {type(y).__name__}; expected one tensor")
            return y.to("cpu", torch.float32).numpy()

    function = _OnHost(forward, name)
    return wrap(
        function, scale=scale, name=name, receptive_radius=receptive_radius,
        size_multiple=size_multiple,
    )  # fmt: skip


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
    if inputs[0].type not in _ONNX_TYPES or (isinstance(batch, int) and batch != 1):
        raise ValueError(
            f"path={str(path)!r}: its input is {inputs[0].type} {inputs[0].shape}; expected floats "
            "with a batch of 1 or of any size"
        )
    dtype, alone = _ONNX_TYPES[inputs[0].type], batch == 1

    def forward(x: np.ndarray) -> np.ndarray:
        parts = np.split(x, len(x)) if alone else [x]
        feeds = ({inputs[0].name: part.astype(dtype)} for part in parts)
        return np.concatenate([np.asarray(session.run(None, feed)[0]) for feed in feeds])

    name = name or path.stem
    function = _OnHost(forward, name)
    return wrap(
        function, scale=scale, name=name, receptive_radius=receptive_radius,
        size_multiple=size_multiple,
    )  # fmt: skip
