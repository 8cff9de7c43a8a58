"""What each compact network is trained on: architecture, task, patches, optimiser, length."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cem_jax.models.dncnn import DnCNN
from cem_jax.models.edsr import EDSR
from cem_jax.models.srresnet import SRResNet


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One training run.

    Args:
        architecture: the network's class.
        config: its constructor arguments.
        task: "SR", "DN" or "DR".
        steps: number of optimiser steps.
        patch: side of a training patch, in input pixels.
        batch: patches in a step.
        learning_rate: of the constant phase, which takes the first 60 % of the steps.
        scale: output pixels per input pixel.
    """

    architecture: Callable[..., Any]
    config: Mapping[str, int]
    task: str
    steps: int
    patch: int = 40
    batch: int = 8
    learning_rate: float = 1e-3
    scale: int = 1


RECIPES = {
    "EDSR-compact": Recipe(EDSR, {"width": 32, "depth": 8}, "SR", steps=9_000, patch=24, scale=4),
    "DnCNN-compact": Recipe(DnCNN, {"nc": 48, "nb": 12}, "DN", steps=9_000),
    "SRResNet_DR-compact": Recipe(
        SRResNet, {"num_feat": 32, "num_block": 6}, "DR", steps=5_000, patch=48
    ),
}
