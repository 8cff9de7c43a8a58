"""The maps of a job as one table: a row for each map and outcome."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cem_jax.arguments import several
from cem_jax.jobs.asked import MapOf
from cem_jax.jobs.records import recorded_ends, recorded_job
from cem_jax.map.effect_map import EffectMap
from cem_jax.map.files import map_paths
from cem_jax.map.summary import summarise
from cem_jax.plain_text import quoted, reason
from cem_jax.store.atomic import write_file
from cem_jax.store.npz import Damaged
from cem_jax.store.objects import AnyPath, as_place

PLACE = ("network", "scene", "y", "x", "height", "width", "outcome")
"""Columns that say which map a row is of."""
COLUMNS = (
    *PLACE, "task", "psnr_out", "positive", "negative", "zero", "min", "max",
    "largest_standard_error", "evaluations", "seconds", "network_source", "directory", "problem",
)  # fmt: skip
_TEXTS = ("network", "scene", "outcome", "task", "network_source", "directory", "problem")
_WHOLE = ("y", "x", "height", "width", "evaluations")


def job_table(out: str | AnyPath) -> list[dict[str, Any]]:
    """One row for each map and outcome of a job, in the job's order.

    Args:
        out: folder of the results; `s3://` and `gs://` are folders too.

    Returns:
        Rows by column: network, scene, corner and sides of the region in output pixels, outcome;
        the numbers of `summarise`, where psnr_out is the outcome without an intervention whatever
        its unit; the map's folder; why it could not be made. What is not known is None.

    Raises:
        ValueError: no job was begun there.
        OSError: the store does not answer.
    """
    folder = as_place(out, "out")
    maps, outcomes = recorded_job(folder)
    rows = []
    for result in recorded_ends(folder, maps):
        one = result.asked
        found = result.rows or _from_files(folder, one, outcomes)
        place = dict(
            zip(PLACE, (one.network, one.scene, one.roi.y, one.roi.x, one.roi.height,
                        one.roi.width), strict=False)
        )  # fmt: skip
        for row in found or ({"problem": result.problem},):
            # The label is what tells networks of a job apart.
            own = {**row, **place, "directory": str(one)}
            rows.append({name: own.get(name) for name in COLUMNS})
    return rows


def _from_files(folder: AnyPath, one: MapOf, outcomes: list[str]) -> list[dict[str, Any]]:
    """The numbers of a map that nobody has recorded; none if it is not there."""
    rows = []
    for name, path in map_paths(folder / str(one), outcomes).items():
        if not path.exists():
            return []
        try:
            rows.append(row_of(EffectMap.load(path), name))
        except (ValueError, Damaged):
            return []
    return [{key: _known(value) for key, value in row.items()} for row in rows]


def row_of(effect_map: EffectMap, outcome: str) -> dict[str, Any]:
    """A finished map's numbers, and the file that its network came from.

    Args:
        effect_map: the map.
        outcome: its name in the job.
    """
    source = effect_map.provenance.get("network_source")
    return {"outcome": outcome, **summarise(effect_map), "network_source": source}


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_table(rows: Sequence[Mapping[str, Any]], path: str | AnyPath) -> None:
    """Writes a job's table as `.csv` or `.parquet`, by the ending.

    Args:
        rows: see `job_table`.
        path: the file.

    Raises:
        ValueError: another ending, no pyarrow for Parquet, or the file cannot be written.
    """
    place = as_place(path)
    if not isinstance(rows, list) or rows:  # a job without a finished map has a table without rows
        rows = several("rows", rows, Mapping, "rows")
    if place.suffix == ".csv":
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([row.get(name) for name in COLUMNS] for row in rows)
        write_file(place, text.getvalue().encode())
    elif place.suffix == ".parquet":
        write_file(place, _parquet(rows))
    else:
        raise ValueError(f"path={quoted(str(path))}: expected a name that ends in .csv or .parquet")


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow: pip install 'cem-jax[table]'") from error
    kinds = {
        name: pyarrow.string() if name in _TEXTS
        else pyarrow.int64() if name in _WHOLE else pyarrow.float64()
        for name in COLUMNS
    }  # fmt: skip
    units = {"psnr_out": "of the outcome", "min": "of the outcome", "max": "of the outcome",
             "positive": "%", "negative": "%", "zero": "%", "seconds": "s"}  # fmt: skip
    schema = pyarrow.schema(list(kinds.items()), {"units": json.dumps(units)})
    table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=schema)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


def read_table(path: str | AnyPath) -> list[dict[str, Any]]:
    """Reads what `write_table` wrote.

    Args:
        path: the file.

    Raises:
        ValueError: the file cannot be read, or is no table of a job.
    """
    place = as_place(path)
    try:
        data = place.read_bytes()
        if place.suffix == ".parquet":
            import pyarrow.parquet  # pyright: ignore[reportMissingImports]

            found = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
        else:
            found = [_typed(row) for row in csv.DictReader(io.StringIO(data.decode("utf-8")))]
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow: pip install 'cem-jax[table]'") from error
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"path={quoted(str(path))} cannot be read: {reason(error)}") from error
    # Tables that older versions wrote do not tell the network's file.
    if not found or not set(COLUMNS) - {"network_source"} <= found[0].keys():
        raise ValueError(f"path={quoted(str(path))}: expected the columns {', '.join(COLUMNS)}")
    return found


def _typed(row: Mapping[str, str | None]) -> dict[str, Any]:
    """A row of CSV: empty cells are None, numbers are numbers."""
    kinds: dict[str, Any] = {**dict.fromkeys(_TEXTS, str), **dict.fromkeys(_WHOLE, int)}
    return {name: kinds.get(name, float)(text) if text else None for name, text in row.items()}
