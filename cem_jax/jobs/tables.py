"""Tables of a TOML file, checked: what is wrong is told with its place and what is accepted."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cem_jax.plain_text import quoted

KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          list: "a list", dict: "a table"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in a file something stands, for messages."""

    text: str

    def at(self, key: str) -> "Place":
        """The place of a key."""
        return Place(f"{self.text}: {key}")

    def wrong(self, message: object) -> ValueError:
        """An error with the place in front."""
        return ValueError(f"{self.text}: {message}")

    def table(self, value: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
        """A table with known keys of the right kinds."""
        if not isinstance(value, dict):
            raise self.wrong(f"{quoted(value)}: expected a table")
        for key, found in value.items():
            if key not in keys:
                raise self.wrong(f"unknown key {quoted(key)}; expected {', '.join(keys)}")
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
                named = " or ".join(KINDS[kind] for kind in kinds)
                raise self.at(key).wrong(f"{quoted(found)}: expected {named}")
        return value

    def checked(self, make: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """What `make` returns; its complaint with the place in front."""
        try:
            return make(*args, **more)
        except ValueError as error:
            raise self.wrong(error) from error


def tables(file: Place, found: Mapping[str, Any], name: str) -> list[tuple[Place, Any]]:
    """All tables `[[name]]` of a file, at least one, each with its place."""
    if not found.get(name):
        raise file.wrong(f"it has no [[{name}]]")
    return [(file.at(f"[[{name}]] {n}"), table) for n, table in enumerate(found[name], 1)]
