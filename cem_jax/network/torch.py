"""Torch modules as networks, called on the host in batches."""

import threading
from typing import Any

import numpy as np

from cem_jax.network.host import OnHost
from cem_jax.network.network import Network, wrap


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

    function = OnHost(forward, name)
    return wrap(
        function, scale=scale, name=name, receptive_radius=receptive_radius,
        size_multiple=size_multiple,
    )  # fmt: skip
