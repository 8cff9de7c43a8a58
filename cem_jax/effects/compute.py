"""How maps are computed: what changes how long that takes, and none of their numbers."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from cem_jax.arguments import whole_number
from cem_jax.effects.progress import Progress, as_progress
from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath


@dataclasses.dataclass(frozen=True)
class Compute:
    """How maps are computed; their numbers do not depend on it but for last bits.

    `causal_effect_map` and its relatives take it as `compute=`, or its fields one by one.

    Args:
        directory: where a sweep is kept, so that it resumes after any interruption with the
            identical result; a finished map is returned as it was saved. It answers only for the
            configuration that it was begun with. `s3://` and `gs://` are folders too. None keeps
            nothing.
        progress: how it is followed: `TerminalProgress()`, `TextProgress(every=60)`,
            `NotebookProgress()`, `NoProgress()` or an object like these. True takes the first one
            that suits where it runs, False the last one.
        chunk: interventions computed together, at most as many as there are; None chooses.
        devices: that compute; None takes all. Where these belong to several processes
            (`jax.distributed`), every process makes the same call and gets the same map;
            `jax.local_devices()` keeps to one process.

    Raises:
        ValueError: a field out of range; the message names it.

    Examples:
        >>> import cem_jax as cem
        >>> cem.Compute(chunk=8, progress=False)
        Compute(directory=None, progress=NoProgress(), chunk=8, devices=None)
    """

    directory: str | AnyPath | None = None
    progress: bool | Progress = True
    chunk: int | None = None
    devices: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.directory, str | AnyPath | None):
            raise ValueError(f"directory={quoted(self.directory)}: expected the path of a folder")
        put = object.__setattr__
        put(self, "progress", as_progress(self.progress))
        if self.chunk is not None:
            put(self, "chunk", whole_number("chunk", self.chunk, 1))
        if self.devices is not None:
            put(self, "devices", _devices(self.devices))

    @property
    def shared(self) -> bool:
        """Whether several processes work on one map together."""
        return self.devices is None and jax.process_count() > 1


def _devices(given: Any) -> tuple[Any, ...]:
    """Devices of this process, different ones, at least one."""
    found = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    if not found or len(set(map(id, found))) < len(found):
        raise ValueError(f"devices={quoted(given)}: expected different ones of jax.devices()")
    if not all(isinstance(device, jax.Device) for device in found):
        raise ValueError(f"devices={quoted(given)}: expected some of jax.devices()")
    return found
