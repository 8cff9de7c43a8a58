"""Checkpoints of architectures that are not in the zoo, as spandrel knows and builds them.

A file is read by our own reader, which executes nothing; spandrel sees tensors by their keys and
never the file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cem_jax.network.network import Network
from cem_jax.network.torch import wrap_torch


def from_spandrel(state_dict: Mapping[str, np.ndarray], *, name: str | None = None) -> Network:
    """A network whose architecture spandrel recognises by the keys and shapes of its weights.

    Scale, what is done with the image's range, and the sides that it takes are those that spandrel
    tells.

    Args:
        state_dict: arrays in torch layout under torch keys.
        name: what it is called; by default the architecture's name.

    Raises:
        ImportError: spandrel or torch is not installed.
        ValueError: the architecture is unknown, or restores no images of as many channels as it
            takes.
    """
    try:
        import spandrel  # pyright: ignore[reportMissingImports]
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "recognising this architecture needs spandrel and torch: pip install 'cem-jax[torch]'"
        ) from error
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in state_dict.items()}
    try:
        with torch.random.fork_rng(devices=[]):  # it fills weights before it loads them
            found = spandrel.MAIN_REGISTRY.load(tensors)
    except Exception as error:  # each architecture fails on strange shapes in its own way
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
        raise ValueError(f"weights: not recognised by spandrel ({reason})") from error
    called = found.architecture.name
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ValueError(f"weights: {called} needs a mask beside the image")
    if found.input_channels != found.output_channels:
        raise ValueError(
            f"weights: {called} makes {found.output_channels} channels of {found.input_channels}"
        )
    size = found.size_requirements
    if size.square:
        raise ValueError(f"weights: {called} takes square images only")
    return wrap_torch(
        _as_module(torch, found), scale=found.scale, name=name or called,
        size_multiple=size.multiple_of, size_minimum=max(size.minimum, 1),
    )  # fmt: skip


def _as_module(torch: Any, found: Any) -> Any:
    """A model with what spandrel does before and after it, but for padding and clipping."""

    class Recognised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = found.model
            self.call = found._call_fn

        def forward(self, x: Any) -> Any:
            return self.call(self.model, x)

    module = Recognised()
    module.__class__.__name__ = found.architecture.name
    return module.eval()
