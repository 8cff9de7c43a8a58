"""Finished maps in a sweep's directory."""

from pathlib import Path

from cem_jax.map.effect_map import EffectMap


def map_paths(folder: Path, names: list[str]) -> dict[str, Path]:
    """Where finished maps are kept."""
    return {
        name: folder / ("map.npz" if number == 0 else f"map.{name}.npz")
        for number, name in enumerate(names)
    }


def finished_maps(folder: Path, names: list[str]) -> dict[str, EffectMap] | None:
    """The maps of a sweep that is done, as they were saved."""
    paths = map_paths(folder, names)
    if not all(path.exists() for path in paths.values()):
        return None
    try:
        return {name: EffectMap.load(path) for name, path in paths.items()}
    except ValueError:  # damaged, or of another version: the outcomes are still there
        return None
