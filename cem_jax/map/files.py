"""Finished maps in a sweep's directory."""

from collections.abc import Mapping
from typing import Any

from cem_jax.map.effect_map import EffectMap
from cem_jax.store.objects import AnyPath
from cem_jax.store.record import as_record, differences


def map_paths(folder: AnyPath, names: list[str]) -> dict[str, AnyPath]:
    """Where finished maps are kept."""
    return {
        name: folder / ("map.npz" if number == 0 else f"map.{name}.npz")
        for number, name in enumerate(names)
    }


def finished_maps(
    folder: AnyPath, configuration: Mapping[str, Any], names: list[str]
) -> dict[str, EffectMap] | None:
    """The maps of a sweep that is done, as they were saved; None if there are none or damaged ones.

    Args:
        folder: the sweep's directory.
        configuration: what its outcomes depend on.
        names: of the outcomes.

    Raises:
        ValueError: a map is of another sweep; the message names what differs.
    """
    paths = map_paths(folder, names)
    if not all(path.exists() for path in paths.values()):
        return None
    found, wanted = {}, as_record(configuration)
    for name, path in paths.items():
        try:
            found[name] = EffectMap.load(path)
        except (ValueError, TypeError, KeyError):  # damaged: the outcomes are still there
            return None
        different = differences(found[name].provenance, wanted)
        if found[name].outcome != name:
            different = f"outcome was {found[name].outcome!r}, is {name!r}"
        if different:
            raise ValueError(
                f"directory={str(folder)!r}: {path.name} is of another sweep: {different}; take it "
                "away to have it made again"
            )
    return found
