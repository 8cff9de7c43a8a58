"""The maps of a job as one array store: Zarr, which xarray reads, with a chunk for each map.

Zarr's second format is JSON and compressed arrays, so that nothing has to be installed to write it.
"""

import itertools
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cem_jax.jobs.asked import MapOf
from cem_jax.jobs.records import recorded_job
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import map_paths
from cem_jax.store.atomic import write_atomically
from cem_jax.store.objects import AnyPath, as_place

_CELLS = {
    "effect": "<f8", "standard_error": "<f8", "samples": "<i4", "undecided": "|b1",
    "inside_roi": "|b1",
}  # fmt: skip
_NUMBERS = {"baseline": "<f8", "tolerance": "<f8", "evaluations": "<i8", "seconds": "<f8"}
_EMPTY = {"f": "NaN", "i": -1, "b": False, "U": ""}
_MAPS = ("network", "scene", "region")


def gather(out: str | AnyPath, path: str | AnyPath, outcome: str | None = None) -> int:
    """Writes the finished maps of a job as one Zarr store, for `xarray.open_zarr`.

    Dimensions are network, scene, region, row and column; region n of a scene is its n-th one, and
    what a smaller scene, or a map that is not there, leaves is NaN, -1 or false. Variables: effect,
    standard error, draws, undecided and inside_roi of every block; baseline, tolerance,
    evaluations and seconds of every map; corner and sides of every region, in output pixels. What
    the maps' records have in common is the attribute `provenance`, and the digests of parameters
    and images, in which they differ, are variables.

    Args:
        out: folder of the results; `s3://` and `gs://` are folders too.
        path: the store, a new or an empty folder.
        outcome: which of several; None takes the first.

    Returns:
        How many maps it holds.

    Raises:
        ValueError: no job was begun there, no map is finished, no such outcome, the store exists,
            or a map cannot be read.
        OSError: it cannot be written.
    """
    folder, store = as_place(out), as_place(path)
    maps, outcomes = recorded_job(folder)
    name = outcomes[0] if outcome is None else outcome
    if name not in outcomes:
        raise ValueError(f"outcome={outcome!r}: expected {', '.join(outcomes)}")
    files = {one: map_paths(folder / str(one), outcomes)[name] for one in maps}
    there = {one: file for one, file in files.items() if file.exists()}
    if not there:
        raise ValueError(f"out={str(out)!r}: no map is finished")
    if store.exists() and (not store.is_dir() or any(True for _ in store.iterdir())):
        raise ValueError(f"path={str(path)!r}: expected a new or an empty folder")
    networks = list(dict.fromkeys(one.network for one in maps))
    scenes = list(dict.fromkeys(one.scene for one in maps))
    regions = {scene: list(dict.fromkeys(one.roi for one in maps if one.scene == scene))
               for scene in scenes}  # fmt: skip
    grids = [EffectMap.load(file).effect.shape for file in _one_a_scene(there)]
    rows, columns = np.max(grids, axis=0).tolist()
    most = max(map(len, regions.values()))
    sides = (len(networks), len(scenes), most, rows, columns)
    written = _Zarr(store, dict(zip((*_MAPS, "row", "column"), sides, strict=True)))
    files_at = {
        (networks.index(one.network), scenes.index(one.scene), regions[one.scene].index(one.roi)):
        file for one, file in there.items()
    }  # fmt: skip
    shared, unit = _write_maps(written, files_at, sides)
    written.array("network", ("network",), np.array(networks))
    written.array("scene", ("scene",), np.array(scenes))
    corners = np.full((4, len(scenes), most), -1, "<i4")
    for n, scene in enumerate(scenes):
        for k, roi in enumerate(regions[scene]):
            corners[:, n, k] = roi.y, roi.x, roi.height, roi.width
    for key, values in zip(("y", "x", "height", "width"), corners, strict=True):
        written.array(f"roi_{key}", ("scene", "region"), values, {"units": "output pixel"})
    for key in ("effect", "standard_error", "baseline", "tolerance"):
        written.attributes(key, {"units": unit})
    written.close({"outcome": name, "provenance": json.dumps(shared)})
    return len(there)


def _write_maps(
    written: "_Zarr", files_at: Mapping[tuple[int, ...], AnyPath], sides: tuple[int, ...]
) -> tuple[dict[str, Any] | None, str]:
    """Writes what maps hold, by their places.

    Args:
        written: the store.
        files_at: files of the maps that are there, by number of network, scene and region.
        sides: networks, scenes, regions, rows and columns.

    Returns:
        What the maps' records have in common, and the unit of the effects.
    """
    *maps, rows, columns = sides
    numbers = {key: np.full(maps, _empty(kind), kind) for key, kind in _NUMBERS.items()}
    digests = {"parameters": [""] * maps[0], "images": [""] * maps[1]}
    for key, kind in _CELLS.items():
        written.declare(key, (*_MAPS, "row", "column"), kind, chunk=(1, 1, 1, rows, columns))
    for place in set(np.ndindex(*maps)) - set(files_at):
        for key, kind in _CELLS.items():
            if np.dtype(kind).kind != "f":
                written.put(key, (*place, 0, 0), np.full((rows, columns), _empty(kind), kind))
    shared: dict[str, Any] | None = None
    unit = ""
    for place, file in files_at.items():
        found = EffectMap.load(file)
        for key, kind in _CELLS.items():
            cells = np.full((rows, columns), _empty(kind), kind)
            height, width = found.effect.shape
            cells[:height, :width] = getattr(found, key)
            written.put(key, (*place, 0, 0), cells)
        record = dict(found.provenance)
        for key in _NUMBERS:
            numbers[key][place] = getattr(found, key) if key != "seconds" else record["seconds"]
        digests["parameters"][place[0]] = str(record.get("parameters", ""))
        digests["images"][place[1]] = str(record.get("images", ""))
        shared = record if shared is None else {
            key: value for key, value in shared.items() if record.get(key) == value
        }  # fmt: skip
        unit = found.unit
    for key, values in numbers.items():
        written.array(key, _MAPS, values, {"units": "s"} if key == "seconds" else {})
    written.array("parameters", ("network",), np.array(digests["parameters"]))
    written.array("images", ("scene",), np.array(digests["images"]))
    return shared, unit


def _one_a_scene(there: Mapping[MapOf, AnyPath]) -> Iterator[AnyPath]:
    for _, alike in itertools.groupby(sorted(there, key=lambda one: one.scene), lambda m: m.scene):
        yield there[next(alike)]


def _empty(kind: str) -> Any:
    value = _EMPTY[np.dtype(kind).kind]
    return float("nan") if value == "NaN" else value


class _Zarr:
    """A group of arrays in Zarr's second format, written chunk by chunk."""

    def __init__(self, folder: AnyPath, sizes: Mapping[str, int]):
        self._folder, self._sizes = folder, sizes
        self._told: dict[str, Any] = {".zgroup": {"zarr_format": 2}}

    def declare(
        self, name: str, dims: Sequence[str], kind: str, chunk: Sequence[int] | None = None
    ) -> None:
        """An array; chunks that are never put hold nothing."""
        shape = [self._sizes[dim] for dim in dims]
        self._told[f"{name}/.zarray"] = {
            "zarr_format": 2, "shape": shape, "chunks": list(chunk or shape), "dtype": kind,
            "compressor": {"id": "zlib", "level": 1},
            # Readers take what is filled in for missing, and so only NaN is.
            "fill_value": "NaN" if np.dtype(kind).kind == "f" else None,
            "order": "C", "filters": None,
        }  # fmt: skip
        self._told[f"{name}/.zattrs"] = {"_ARRAY_DIMENSIONS": list(dims)}

    def attributes(self, name: str, told: Mapping[str, Any]) -> None:
        """What is said of an array, such as its units."""
        self._told[f"{name}/.zattrs"] |= told

    def put(self, name: str, chunk: Sequence[int], values: np.ndarray) -> None:
        """One chunk of an array."""
        data = zlib.compress(np.ascontiguousarray(values).tobytes(), 1)
        self._write(f"{name}/{'.'.join(map(str, chunk))}", data)

    def array(
        self, name: str, dims: Sequence[str], values: np.ndarray,
        told: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """A whole array, as one chunk."""
        self.declare(name, dims, values.dtype.str)
        self.attributes(name, told or {})
        self.put(name, [0] * values.ndim, values)

    def close(self, told: Mapping[str, Any]) -> None:
        """Writes what is said of the arrays, last: before, there is no store."""
        self._told[".zattrs"] = dict(told)
        for name, content in self._told.items():
            if name != ".zgroup":
                self._write(name, json.dumps(content).encode())
        whole = {"zarr_consolidated_format": 1, "metadata": self._told}
        self._write(".zmetadata", json.dumps(whole).encode())
        self._write(".zgroup", json.dumps(self._told[".zgroup"]).encode())

    def _write(self, name: str, data: bytes) -> None:
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, data)
