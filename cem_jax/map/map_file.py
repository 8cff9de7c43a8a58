"""A map as a `.npz` file, and back, with a stranger's file checked (`docs/map-format.md`)."""

import dataclasses
import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cem_jax.arguments import as_json_value
from cem_jax.grid import ROI
from cem_jax.map.extremes import Extremes
from cem_jax.map.images import Images
from cem_jax.plain_text import path_text, quoted, reason
from cem_jax.plans.estimate import CONFIDENCE, interval, is_decided
from cem_jax.store.npz import Damaged, read_npz, record_of
from cem_jax.store.objects import AnyPath, as_place

FORMAT_VERSION = 2

_CELLS = {
    "effect": "f", "standard_error": "f", "samples": "iu", "undecided": "b", "inside_roi": "b"
}  # fmt: skip
"""Arrays [rows, columns] and their kinds."""
_ARRAYS = (*_CELLS, "values", "degraded")
_PARTS = {
    part: tuple(f"{part}_{field.name}" for field in dataclasses.fields(kind))
    for part, kind in (("extremes", Extremes), ("images", Images))
}
"""Records that a map may have, and what their arrays are called."""


def map_bytes(fields: Mapping[str, Any]) -> bytes:
    """What a map's file holds: the arrays by name and one JSON text `record` with the rest.

    Args:
        fields: of an `EffectMap`, by name.
    """
    record = {name: value for name, value in fields.items() if name not in (*_ARRAYS, *_PARTS)} | {
        "roi": dataclasses.asdict(fields["roi"]),
        "format_version": FORMAT_VERSION,
    }
    arrays = {name: fields[name] for name in _ARRAYS}
    for part, names in _PARTS.items():
        if fields[part] is not None:
            arrays |= {name: getattr(fields[part], name.removeprefix(f"{part}_")) for name in names}
    buffer = io.BytesIO()
    text = json.dumps(record, default=as_json_value)
    np.savez_compressed(buffer, allow_pickle=False, record=text, **arrays)
    return buffer.getvalue()


def read_map(path: str | AnyPath) -> dict[str, Any]:
    """The fields of the map that a file holds, by name.

    Args:
        path: the file.

    Raises:
        ValueError: the file is missing, damaged, or of a newer format; the message names it.
    """
    try:
        wanted = (*_ARRAYS, "record", *(name for names in _PARTS.values() for name in names))
        arrays = read_npz(as_place(path), wanted)
        record = record_of(arrays)
        version = record.pop("format_version", None)
        if version == 1:
            _complete(arrays, record)
        elif version != FORMAT_VERSION:
            raise Damaged(
                f"it has format {quoted(version)}; this version reads up to {FORMAT_VERSION}"
            )
        facts = _facts(record)
        _check_arrays(arrays, facts)
        parts = {
            "extremes": _extremes(arrays, facts["roi"]), "images": _images(arrays, facts["scale"])
        }  # fmt: skip
    except ValueError as error:
        raise ValueError(f"path={path_text(path)} holds no effect map: {reason(error)}") from error
    return {name: arrays[name] for name in _ARRAYS} | facts | parts


def _complete(arrays: dict[str, np.ndarray], record: dict[str, Any]) -> None:
    """Adds what maps of format 1 did not say: which blocks are undecided, and of which outcome."""
    try:
        ends = interval(
            arrays["effect"], arrays["standard_error"], arrays["samples"] - 1.0, CONFIDENCE
        )
        arrays["undecided"] = ~is_decided(*ends, record["tolerance"]) & ~arrays["inside_roi"]
        record["outcome"] = record["provenance"]["outcome"]
    except (KeyError, TypeError, IndexError) as error:
        raise Damaged(f"its record does not fit format 1: {error}") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_provenance(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("network", ""), str)
        and _is_number(value.get("seconds", 0))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FACTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "baseline": (_is_number, "a number"),
    "tolerance": (lambda value: _is_number(value) and value >= 0, "a number of at least 0"),
    "block": (_is_count, "a whole number of at least 1"),
    "scale": (_is_count, "a whole number of at least 1"),
    "task": (_is_text, "a text"),
    "provenance": (_is_provenance, "keys and values, the network's name among them"),
    "outcome": (_is_text, "a text"),
    "unit": (_is_text, "a text"),
}
_DEFAULTS = {"outcome": "psnr", "unit": "dB"}


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a record, each of its kind."""
    record = {**_DEFAULTS, **record}
    missing = [name for name in (*_FACTS, "roi") if name not in record]
    unknown = [name for name in record if name not in (*_FACTS, "roi")]
    if missing or unknown:
        told = {"missing": missing, "unknown": unknown}
        listed = "; ".join(f"{k} {', '.join(names)}"[:200] for k, names in told.items() if names)
        raise Damaged(f"its record has other keys: {listed}")
    for name, (suits, expected) in _FACTS.items():
        if not suits(record[name]):
            raise Damaged(f"{name} is {quoted(str(record[name])[:40])}; expected {expected}")
    try:
        return {name: record[name] for name in _FACTS} | {"roi": ROI(**record["roi"])}
    except TypeError as error:
        raise Damaged("roi is no region") from error


def _check(name: str, array: np.ndarray, kinds: str, shape: tuple[int | None, ...]) -> None:
    """Refuses an array of another kind or shape; a side of None may have any length."""
    same = array.ndim == len(shape) and all(
        side is None or side == length for side, length in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not same:
        sides = ["any" if side is None else side for side in shape]
        raise Damaged(f"{name} is {array.dtype}{list(array.shape)}; expected the shape {sides}")


def _check_arrays(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """All arrays are there and belong to one map."""
    for name in _ARRAYS:
        if name not in arrays:
            raise Damaged(f"it holds no {name}")
    degraded, block, scale = arrays["degraded"], facts["block"], facts["scale"]
    _check("degraded", degraded, "u", (None, None, None))
    height, width, channels = degraded.shape
    if degraded.dtype != np.uint8 or 0 in degraded.shape or channels not in (1, 3):
        raise Damaged(f"degraded is {degraded.dtype}{list(degraded.shape)}; expected an image")
    cells = -(-height // block), -(-width // block)
    for name, kinds in _CELLS.items():
        _check(name, arrays[name], kinds, cells)
    _check("values", arrays["values"], "f", (*cells, None))
    facts["roi"].check(height * scale, width * scale, scale)


def _part(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray] | None:
    """The fields of a record that the map may have, if it has it."""
    there = {name: arrays[name] for name in _PARTS[part] if name in arrays}
    if not there:
        return None
    if len(there) < len(_PARTS[part]):
        raise Damaged(f"it holds no {min(set(_PARTS[part]) - set(there))}")
    return {name.removeprefix(f"{part}_"): array for name, array in there.items()}


def _images(arrays: Mapping[str, np.ndarray], scale: int) -> Images | None:
    """The whole images, if the map has kept them."""
    there = _part(arrays, "images")
    if there is None:
        return None
    height, width, channels = arrays["degraded"].shape
    for name, image in there.items():
        _check(f"images_{name}", image, "u", (height * scale, width * scale, channels))
        if image.dtype != np.uint8:
            raise Damaged(f"images_{name} is {image.dtype}; expected uint8")
    return Images(**there)


def _extremes(arrays: Mapping[str, np.ndarray], roi: ROI) -> Extremes | None:
    """The extreme draws, if the map has kept them."""
    there = _part(arrays, "extremes")
    if there is None:
        return None
    extremes = Extremes(**there)
    many, channels = len(np.atleast_1d(extremes.cells)), arrays["degraded"].shape[2]
    picture = roi.height, roi.width, channels
    shapes = {
        "cells": ("iu", (many,)), "draws": ("iu", (many, 2)),
        "patches": ("u", (many, 2, None, None, None)), "regions": ("u", (many, 2, *picture)),
        "restored": ("u", picture), "clean": ("u", picture),
    }  # fmt: skip
    for name, (kinds, shape) in shapes.items():
        _check(f"extremes_{name}", getattr(extremes, name), kinds, shape)
    most = {"cells": arrays["effect"].size, "draws": arrays["values"].shape[2]}
    for name, end in most.items():
        array = getattr(extremes, name)
        if array.size and not (array.min() >= 0 and array.max() < end):
            raise Damaged(f"extremes_{name} lie outside 0 .. {end - 1}")
    return extremes
