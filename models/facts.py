"""What is known of every network by name; it stands in `facts.json`, so that asking costs nothing.

The file is written from the architectures by `python -m cem_jax.models.write_facts`.
"""

import dataclasses
import difflib
import functools
import json
from importlib import resources
from pathlib import Path
from typing import Any

from .argument import ArgumentFacts
from .words import listed, quoted

_FOLDER = Path(str(resources.files(__name__.rpartition(".")[0])))
FILE = _FOLDER / "facts.json"


@dataclasses.dataclass(frozen=True)
class Description:
    """Facts about a network.

    Args:
        name: its public name.
        tasks: "SR", "DN", "DR".
        scale: output pixels per input pixel.
        parameters: number of values that a checkpoint holds, mean shifts included; buffers such
            as the statistics of batch normalisation are not.
        size_multiple: sides of the input that the architecture needs; others are padded.
        size_minimum: shortest side that the architecture takes; shorter ones are padded.
        receptive_radius: farthest input pixel that reaches an output pixel; None if global.
        global_operations: operations that look at the whole image.
        official_files: names of the checkpoint files that its authors publish.
        published_at: where they publish them.
        bundled: whether weights come with the package.
        licence: note on the weights' licence.
        arguments: what shapes leave open and `cem.load` takes by name.
    """

    name: str
    tasks: tuple[str, ...]
    scale: int
    parameters: int
    size_multiple: int
    size_minimum: int
    receptive_radius: int | None
    global_operations: tuple[str, ...]
    official_files: tuple[str, ...]
    published_at: str
    bundled: bool
    licence: str
    arguments: tuple[ArgumentFacts, ...]


@functools.cache
def _known() -> dict[str, Description]:
    """All networks by name, sorted."""
    records = json.loads(FILE.read_text("utf-8"))
    return {record["name"]: _described(record) for record in records}


def _described(record: dict[str, Any]) -> Description:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
    }
    values["arguments"] = tuple(ArgumentFacts(**argument) for argument in values["arguments"])
    return Description(**values)


def names() -> tuple[str, ...]:
    """The names of all networks.

    Returns:
        They, sorted.
    """
    return tuple(_known())


def describe(name: str) -> Description:
    """Facts about a network.

    Args:
        name: one of `names()`.

    Raises:
        ValueError: the name is unknown; the nearest names are given.
    """
    if isinstance(name, str) and name in _known():
        return _known()[name]
    by_lower = {known.lower(): known for known in _known()}
    written = str(name).lower() if isinstance(name, str) else ""
    near = difflib.get_close_matches(written[:100], by_lower, n=3, cutoff=0.4)
    hint = f"nearest: {', '.join(by_lower[key] for key in near)}"
    hint = hint if near else f"known are {listed(names())} (cem-jax models, cem.models.names())"
    raise ValueError(f"name={quoted(name)} is not a known network; {hint}")


def bundled_weights(name: str) -> Path | None:
    """The file of weights that comes with the package.

    Args:
        name: one of `names()`.

    Returns:
        Its path, or None.

    Raises:
        ValueError: the name is unknown.
    """
    return _FOLDER / "weights" / f"{name}.safetensors" if describe(name).bundled else None
