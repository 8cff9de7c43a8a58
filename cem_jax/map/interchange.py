"""Maps in the formats of other programs: the paper's code, NetCDF and CSV (`docs/map-format.md`).

Each function takes a map and writes whole files or none.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from cem_jax.map.effect_map import EffectMap
from cem_jax.plain_text import quoted
from cem_jax.plans.coarse_to_fine import CoarseToFine
from cem_jax.plans.names import plan_text, recorded_plan
from cem_jax.store.atomic import write_file
from cem_jax.store.objects import AnyPath, as_place

_COLUMNS = (
    "row", "column", "y", "x", "effect", "standard_error", "low", "high", "samples",
    "sign_probability", "undecided", "selected", "inside_roi",
)  # fmt: skip


def _write(path: AnyPath, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"path={quoted(str(path))} cannot be written: {error.strerror}") from error
    write_file(path, data)


def write_csv(effect_map: EffectMap, path: str | AnyPath) -> None:
    """Writes a table with one line for each block, row by row.

    Columns: row and column of the block; y and x of its corner in output pixels; effect, standard
    error and the ends of the 95 % interval in the outcome's unit; draws; probability of the sign;
    undecided, selected and inside_roi as 0 or 1. What is not known (NaN) is empty.

    Args:
        effect_map: the map.
        path: the file.

    Raises:
        ValueError: the file cannot be written.
    """
    rows, columns = np.indices(effect_map.effect.shape)
    step = effect_map.block * effect_map.scale
    low, high = effect_map.interval()
    cells = (
        rows, columns, rows * step, columns * step, effect_map.effect, effect_map.standard_error,
        low, high, effect_map.samples, effect_map.sign_probability,
        effect_map.undecided.astype(int), effect_map.selected.astype(int),
        effect_map.inside_roi.astype(int),
    )  # fmt: skip
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for line in zip(*(cell.reshape(-1).tolist() for cell in cells), strict=True):
        table.writerow(["" if value != value else value for value in line])
    _write(as_place(path), text.getvalue().encode())


def write_netcdf(effect_map: EffectMap, path: str | AnyPath) -> None:
    """Writes `EffectMap.to_xarray` as a NetCDF 3 file, which every NetCDF reader opens.

    Args:
        effect_map: the map.
        path: the file.

    Raises:
        ValueError: the file cannot be written, or xarray is not installed.
    """
    try:
        dataset = effect_map.to_xarray()
    except ImportError as error:
        raise ValueError("NetCDF needs xarray: pip install 'cem-jax[xarray]'") from error
    _write(as_place(path), bytes(dataset.to_netcdf(engine="scipy", format="NETCDF3_64BIT")))


def reference_arrays(effect_map: EffectMap) -> dict[str, Float64[np.ndarray, "..."]]:
    """A map as the arrays `PSNR` of the paper's code, by the end of the files' names.

    A block without fine draws is 0 there. Blocks that were not evaluated, because they cannot
    reach the region or lie inside it, get the baseline as their coarse outcomes: for the former
    this is what an evaluation gives, and the latter the paper's code leaves out of its maps.

    Args:
        effect_map: a map of PSNRs by the plan `CoarseToFine`, with square sides.

    Returns:
        float64: "Origin" [1, 1], "all_perturb-C<coarse>" [rows, columns, coarse] and
        "all_perturb-F<fine>" [rows, columns, fine], in dB.

    Raises:
        ValueError: the paper's code has no place for such a map; the message says why.
    """
    told = effect_map.provenance.get("plan")
    plan, (rows, columns) = recorded_plan(told), effect_map.effect.shape
    if not isinstance(plan, CoarseToFine):
        raise ValueError(f"plan={plan_text(told)}: the paper's code knows CoarseToFine only")
    if effect_map.outcome != "psnr" or effect_map.task not in ("SR", "DN", "DR"):
        raise ValueError(
            f"outcome={quoted(effect_map.outcome)}, task={quoted(effect_map.task)}: the paper's "
            "code maps psnr of SR, DN and DR"
        )
    if rows != columns or effect_map.roi.height != effect_map.roi.width:
        raise ValueError(
            f"{rows} x {columns} blocks, roi={effect_map.roi}: the paper's code takes square "
            "images and regions only"
        )
    coarse, fine = plan.coarse, plan.fine
    values = np.asarray(effect_map.values, np.float64)
    if coarse + fine != values.shape[2]:
        raise ValueError(
            f"plan={plan_text(told)}: the map holds {values.shape[2]} draws of a block"
        )
    first, second = values[..., :coarse], values[..., coarse:]
    return {
        "Origin": np.full((1, 1), effect_map.baseline),
        f"all_perturb-C{coarse}": np.where(np.isnan(first), effect_map.baseline, first),
        f"all_perturb-F{fine}": np.nan_to_num(second),
    }


def write_reference(
    effect_map: EffectMap, folder: str | Path, image: str = "image.png", prefix: str = "DEMO"
) -> list[Path]:
    """Writes the `.mat` files that the paper's code writes, where it looks for them.

    FOLDER/TASK-CEM/PREFIX-R<region>M<block>/NETWORK/IMAGE-PSNR-....mat: in a checkout of that code,
    its figures are then drawn from this map.

    Args:
        effect_map: the map; see `reference_arrays`.
        folder: where the paper's code is started.
        image: the photograph's file name there.
        prefix: of its configuration.

    Returns:
        The files.

    Raises:
        ValueError: the paper's code has no place for such a map, or it cannot be written.
    """
    from scipy.io import savemat

    arrays = reference_arrays(effect_map)
    network = str(effect_map.provenance.get("network", ""))
    parts = {"network": network, "image": image, "prefix": prefix, "block": str(effect_map.block)}
    for name, value in parts.items():
        _check_part(name, value)
    folder = Path(folder)
    place = folder.joinpath(
        f"{effect_map.task}-CEM", f"{prefix}-R{effect_map.roi.width}M{effect_map.block}", network
    )
    files = {
        place / f"{image}-PSNR{'-' if end == 'Origin' else '_'}{end}.mat": array
        for end, array in arrays.items()
    }
    for path in files:
        if not path.resolve().is_relative_to(folder.resolve()):
            link = f"a link there leads out of {quoted(str(folder))}"
            raise ValueError(f"path={quoted(str(path))}: {link}")
    for path, array in files.items():
        buffer = io.BytesIO()
        content: Mapping[str, Any] = {"PSNR": array}
        savemat(buffer, content)
        _write(path, buffer.getvalue())
    return list(files)


def _check_part(name: str, value: str) -> None:
    """Refuses what is no single part of a path, on any system."""
    if not value.strip(". ") or not value.isprintable() or set(value) & set("/\\:"):
        raise ValueError(f"{name}={quoted(value)}: expected the name of a file, without a folder")
