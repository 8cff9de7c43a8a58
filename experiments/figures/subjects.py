"""The networks of a figure: bundled, of a series, or official ones from the user's folder."""

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Any

import cem_jax as cem
from cem_jax.experiments.series import SERIES, Member


class Missing(ValueError):
    """A network, or an image, that is not there."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network of a figure.

    Args:
        name: under which `cem.load` knows it.
        weights: its checkpoint; None: bundled.
        arguments: what its checkpoint does not tell, by name.
        called: how it is written in a figure; "" takes its name.
    """

    name: str
    weights: Path | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    called: str = ""

    @property
    def label(self) -> str:
        """As it is written in a figure: bundled networks without the ending of their name."""
        return self.called or self.name.removesuffix("-compact")

    @functools.cached_property
    def digest(self) -> str:
        """A fingerprint of its file of weights: one name may have been trained several times."""
        path = self.weights or cem.models.bundled_weights(self.name)
        return hashlib.sha256(path.read_bytes() if path else b"").hexdigest()[:8]

    def load(self) -> cem.Network:
        """The network."""
        return cem.load(self.name, self.weights, label=self.name, **dict(self.arguments))


def _bundled(name: str) -> Subject:
    compact = f"{name}-compact"
    if compact not in cem.models.names():
        raise Missing(f"{compact} is not bundled yet")
    return Subject(compact)


def _official(name: str, weights: Path | None) -> Subject:
    facts = cem.models.describe(name)
    files = facts.official_files
    where = f" (published at {facts.published_at})" if facts.published_at else ""
    if weights is None:
        raise Missing(f"{name}: its weights need --weights DIR with {' or '.join(files)}{where}")
    found = [path for file in files for path in sorted(weights.rglob(file))]
    if not found:
        raise Missing(f"{name}: no {' or '.join(files) or 'official file'} in {weights}{where}")
    return Subject(name, found[0])


def of_series(member: Member) -> Subject:
    """A network of a series."""
    return Subject(member.architecture, member.weights, called=member.name)


def of_all_series() -> list[Subject]:
    """All networks of all series."""
    return [of_series(member) for members in SERIES.values() for member in members]


def find(name: str, preferred: str, weights: Path | None) -> Subject:
    """A network by the name of its architecture.

    Args:
        name: for instance "RCAN"; "RCAN-compact" stands for it where bundled networks are meant.
        preferred: "bundled" (official weights where there is none), or "official" (these alone).
        weights: folder with official checkpoints under their published names, at any depth.

    Raises:
        Missing: there are no weights; the message says which file would do.
    """
    if preferred == "official":
        return _official(name, weights)
    try:
        return _bundled(name)
    except Missing as missing:
        if weights is None or name not in cem.models.names():
            raise
        try:
            return _official(name, weights)
        except Missing as also:
            raise Missing(f"{missing}; {also}") from None
