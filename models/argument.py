"""What a network must be told, since the shapes of its weights leave it open."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .words import escaped, listed, quoted


@dataclasses.dataclass(frozen=True)
class ArgumentFacts:
    """An argument of a network as `describe` tells it.

    Args:
        name: what `cem.load` calls it.
        meaning: what it is, and how its value is found where it is not given.
        default: the value where none is given and none is found; None where it must be given.
        accepted: which values are accepted, in words.
    """

    name: str
    meaning: str
    default: Any
    accepted: str


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of an architecture: its public name, and what it stands for.

    Args:
        name: what users call it; one name means one thing in all architectures.
        keyword: the constructor's name for it.
        meaning: what it is, and how its value is found where it is not given.
        choices: the values that are accepted; none: numbers between `least` and `most`.
        least: smallest number.
        most: largest number.
        whole: whether numbers must be whole.
    """

    name: str
    keyword: str
    meaning: str
    choices: tuple[Any, ...] = ()
    least: float = 0
    most: float = math.inf
    whole: bool = False

    @property
    def accepted(self) -> str:
        """Which values are accepted, in words."""
        if self.choices:
            return " or ".join(map(repr, self.choices))
        kind = "a whole number" if self.whole else "a number"
        if math.isinf(self.most):
            return f"{kind} of at least {self.least:g}"
        return f"{kind} in {self.least:g} .. {self.most:g}"

    def checked(self, value: Any) -> Any:
        """The value as Python's own number or text.

        Raises:
            ValueError: it is not accepted.
        """
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if self.choices:
            found = [choice for choice in self.choices if choice == value]
            if found and not isinstance(value, bool):
                return found[0]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            fits = self.least <= value <= self.most and math.isfinite(value)
            if fits and not self.whole:
                return float(value)
            if fits and value == int(value):
                return int(value)
        raise ValueError(f"{self.name}={quoted(value)}: expected {self.accepted}")


class NoiseLevel(Argument):
    """The deviation of the noise, in [0, 1]; numbers above 1 are grey levels of 255."""

    def __init__(self, keyword: str):
        super().__init__(
            "noise_level",
            keyword,
            "deviation of the noise that the network is told; where it is not given, that of the "
            "scene, which has to say it; 50/255 without a scene",
            most=255,
        )

    @property
    def accepted(self) -> str:
        """Which values are accepted, in words."""
        return "0 .. 1, or grey levels of 255 where it is larger than 1"

    def checked(self, value: Any) -> Any:
        """The value in [0, 1]."""
        level = super().checked(value)
        return level if level <= 1 else level / 255


def keywords(name: str, known: Sequence[Argument], told: Mapping[str, Any]) -> dict[str, Any]:
    """What users tell a network as arguments of its constructor.

    Args:
        name: the network's name, for the message.
        known: the arguments of its architecture.
        told: values by public name.

    Raises:
        ValueError: an argument is unknown, or a value is not accepted.
    """
    by_name = {argument.name: argument for argument in known}
    unknown = [key for key in told if key not in by_name]
    if unknown:
        takes = ", ".join(by_name) or "none: its file tells all of it"
        raise ValueError(
            f"{escaped(unknown[0])}={quoted(told[unknown[0]])}: {name} takes no argument "
            f"{listed(unknown)}; accepted: {takes}"
        )
    return {by_name[key].keyword: by_name[key].checked(value) for key, value in told.items()}
