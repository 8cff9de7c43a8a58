"""What a page asks for: a photograph, a task, a network, a region; checked, and as a command."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cem_jax.grid import ROI
from cem_jax.plain_text import shortened, visible
from cem_jax.plans.names import as_plan
from cem_jax.plans.plan import Plan


@dataclasses.dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph that regions are chosen in.

    Args:
        path: of its file, or the file's name alone where no more is known.
        pixels: [h, w, 3].
    """

    path: str
    pixels: np.ndarray

    @property
    def name(self) -> str:
        """Of the file."""
        return visible(Path(self.path).name)

    @property
    def stem(self) -> str:
        """The name without its ending, as scenes are called."""
        return Path(self.name).stem


@dataclasses.dataclass(frozen=True)
class Asked:
    """A map that a page asks for.

    Args:
        tab: which page; random.
        photograph: its number.
        task: its name.
        network: its label.
        roi: the region.
        plan: by its name, as on the command line.
        sigma: of the noise, in grey levels.
        seed: of the draws, the noise and the rain.
        pinned: numbers of maps that are shown beside it.
    """

    tab: str
    photograph: int
    task: str
    network: str
    roi: ROI
    plan: Plan
    plan_text: str
    sigma: float
    seed: int
    pinned: tuple[int, ...]

    @classmethod
    def read(cls, told: Any) -> "Asked":
        """What the page's JSON says.

        Raises:
            ValueError: something else; the message names it.
        """
        if not isinstance(told, dict):
            raise ValueError("expected an object that says what is asked for")
        numbers = _of(told, "roi", list)
        if len(numbers) != 4 or not all(type(one) is int for one in numbers):
            raise ValueError(f"roi={shortened(repr(numbers), 60)}: expected four whole numbers")
        pinned = _of(told, "pinned", list)
        if not all(type(one) is int for one in pinned):
            raise ValueError("pinned: expected whole numbers")
        sigma, plan = told.get("sigma"), _of(told, "plan", str)
        if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0 < sigma < 256:
            raise ValueError("sigma: expected grey levels between 0 and 255")
        return cls(
            _of(told, "tab", str), _of(told, "photograph", int), _of(told, "task", str),
            _of(told, "network", str), ROI(*numbers), as_plan(plan), plan, float(sigma),
            _of(told, "seed", int), tuple(pinned),
        )  # fmt: skip

    def command(self, photograph: Photograph, options: Sequence[str]) -> str:
        """The command that makes the same map.

        Args:
            photograph: that is asked for.
            options: words of the command line that name the network.
        """
        roi = self.roi
        told = {
            "--task": self.task.replace(" ", "-"), "--image": visible(photograph.path),
            "--roi": f"{roi.y},{roi.x},{roi.height},{roi.width}", "--plan": self.plan_text,
            "--seed": str(self.seed),
        }  # fmt: skip
        if self.task == "DN":
            told["--sigma"] = f"{self.sigma:g}"
        told["--out"] = "map"
        words = [*options, *(word for pair in told.items() for word in pair)]
        return " ".join(["cem-jax map", *map(shlex.quote, words)])


def _of(told: Mapping[str, Any], name: str, kind: type) -> Any:
    """A part of what is told.

    Raises:
        ValueError: it is of another kind.
    """
    value = told.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name}={shortened(repr(value), 60)}: expected a {kind.__name__}")
    return value
