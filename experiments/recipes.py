"""What each network is trained on: architecture, task, patches, optimiser, length.

Preset `compact`: the architectures made small, half an hour or more on one CPU core. Preset
`full`: the papers' sizes, on accelerators. Within a preset all networks of one scale have the same
batch and patch, and siblings (one architecture at one scale) the same steps: equal budgets, with a
quarter more for compact networks of seven tasks. Preset `series`: small networks of three widths
and three depths, minutes each, all trained alike.
"""

import dataclasses
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from cem_jax import models
from cem_jax.experiments.series import SERIES, Member
from cem_jax.models.compact import COMPACT
from cem_jax.models.entry import Entry
from cem_jax.models.registry import entries

_KINDS = ("mix", "MIO")
_STEPS = {
    ("SRCNN", 1): 45_000, ("FSRCNN", 4): 24_000, ("EDSR", 4): 12_000, ("SRResNet", 4): 9_000,
    ("RCAN", 4): 12_000, ("SwinIR", 4): 9_000, ("RNAN", 4): 10_000, ("DnCNN", 1): 20_000,
    ("SRResNet", 1): 28_000, ("RCAN", 1): 18_000, ("SwinIR", 1): 16_000,
    ("Restormer", 1): 12_000, ("PReNet", 1): 5_000,
}  # fmt: skip
"""Of compact networks, by architecture and scale: half an hour to an hour of one core."""
_TIMES = {"MIO": 1.25}
"""How many times as long a network of many tasks is trained."""

_SERIES_STEPS = {"EDSR": 2_000, "FSRCNN": 4_000}
"""Of every network of a series: minutes of one core. FSRCNN learns slower, by cheaper steps."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One training run.

    Args:
        name: the trained network's public name.
        preset: "compact", "full" or "series".
        architecture: its class.
        config: its constructor arguments.
        task: "SR", "DN", "DR", "mix" or "MIO", see `degradations.DEGRADATIONS`.
        scale: output pixels per input pixel.
        size_multiple: of which it needs an input's sides; photographs are padded.
        steps: number of optimiser steps.
        patch: side of a training patch, in input pixels.
        batch: patches in a step, on all devices together.
        learning_rate: of the constant phase, which takes the first 60 % of the steps.
        hardware: what the length is meant for.
        report: steps between two validations.
        introduce: steps after which a further degradation joins; 0: all are mixed from the start.
    """

    name: str
    preset: str
    architecture: Callable[..., Any]
    config: Mapping[str, Any]
    task: str
    scale: int
    size_multiple: int
    steps: int
    patch: int
    batch: int
    learning_rate: float
    hardware: str
    report: int
    introduce: int = 0


def _task(entry: Entry) -> str:
    """A network of several tasks says so in its name; of the others a name has one task."""
    return next((kind for kind in _KINDS if f"_{kind}" in entry.name), entry.tasks[0])


def _architecture(entry: Entry) -> str:
    return entry.name.removesuffix("-compact").split("_")[0]


def _recipe(entry: Entry, preset: str, **budget: Any) -> Recipe:
    task = _task(entry)
    return Recipe(
        entry.name, preset, entry.architecture, entry.config, task, entry.scale,
        entry.size_multiple, **budget,
    )  # fmt: skip


def _compact(entry: Entry) -> Recipe:
    patch, batch = (24, 8) if entry.scale > 1 else (40, 4)
    steps = _STEPS[_architecture(entry), entry.scale]
    return _recipe(
        entry,
        "compact",
        steps=round(_TIMES.get(_task(entry), 1) * steps),
        patch=patch,
        batch=batch,
        learning_rate=1e-3,
        hardware="one CPU core",
        report=2_000 if _task(entry) in _KINDS else 1_000,
    )


def _full(entry: Entry) -> Recipe:
    patch, batch = (48, 32) if entry.scale > 1 else (128, 16)
    return _recipe(
        entry,
        "full",
        steps=500_000,
        patch=patch,
        batch=batch,
        learning_rate=2e-4,
        hardware="8 GPUs or TPU cores with 40 GB each",
        report=5_000,
    )


def _member(member: Member) -> Recipe:
    base = models.find(member.architecture)
    return _recipe(
        dataclasses.replace(base, name=member.name, config=member.config),
        "series",
        steps=_SERIES_STEPS[member.architecture],
        patch=24,
        batch=4,
        learning_rate=2e-3,
        hardware="one CPU core",
        report=1_000,
    )


PRESETS = {
    "compact": {name: _compact(entry) for name, entry in COMPACT.items()},
    "full": {
        name: _full(models.find(name))
        for name in (compact.removesuffix("-compact") for compact in COMPACT)
        if name in [entry.name for entry in entries()]
    },
    "series": {member.name: _member(member) for member in chain(*SERIES.values())},
}
"""Recipes by preset and name."""
