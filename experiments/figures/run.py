"""Makes figures: computes what is not there yet, keeps it, draws it."""

import dataclasses
import hashlib
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import matplotlib
import matplotlib.pyplot as plt

import cem_jax as cem
from cem_jax.experiments.figures.anew import Remade
from cem_jax.experiments.figures.clock import Clock
from cem_jax.experiments.figures.commit import commit
from cem_jax.experiments.figures.names import check_name
from cem_jax.experiments.figures.panels import STYLE
from cem_jax.experiments.figures.preset import PRESETS
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study


@dataclasses.dataclass(frozen=True)
class Made:
    """What became of a figure.

    Args:
        name: of the figure.
        files: pictures that were drawn.
        expected: its numbers, in words.
        missing: a line for each network that was not there.
        problem: why it could not be made; empty if it was.
        seconds: of computing from an empty folder, though other figures or earlier runs may have
            made some of the maps.
    """

    name: str
    files: tuple[Path, ...] = ()
    expected: str = ""
    missing: tuple[str, ...] = ()
    problem: str = ""
    seconds: float = 0.0


def find(name: str) -> ModuleType:
    """A figure's module.

    Args:
        name: one of `NAMES`.

    Raises:
        ValueError: there is no such figure.
    """
    return importlib.import_module(f"{__package__}.{check_name(name).replace('-', '_')}")


def claim(name: str) -> str:
    """What a figure shows, in a line."""
    return (find(name).__doc__ or "").partition("\n")[0]


def make(
    wanted: Sequence[str],
    out: Path,
    preset: str = "quick",
    weights: Path | None = None,
    *,
    colour_map: str = "RdBu_r",
    add_to: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
    progress: bool = True,
) -> Iterator[Made]:
    """Computes and draws figures, one after another; one that fails does not stop the others.

    What was computed with the same preset and the same networks is not computed again.

    Args:
        wanted: names of figures.
        out: folder for OUT/PRESET/NAME.png, .pdf and .json, and the maps behind them.
        preset: one of `PRESETS`.
        weights: folder with official checkpoints under their published names.
        colour_map: diverging colours by their name in matplotlib; the paper's are "seismic".
        add_to: folder of earlier results; the networks in them are not computed again, in figures
            that are made of a part for each network.
        tell: receives a line for each network that is not there.
        progress: show each map's progress on a terminal.

    Yields:
        What became of each figure.

    Raises:
        ValueError: no such figure, preset, folder of weights or of earlier results.
    """
    modules = {name: find(name) for name in wanted}
    if preset not in PRESETS:
        raise ValueError(f"preset={preset!r}: expected one of {', '.join(PRESETS)}")
    if weights is not None and not weights.is_dir():
        raise ValueError(f"weights={str(weights)!r}: no such folder")
    if add_to is not None and not add_to.is_dir():
        raise ValueError(f"add_to={str(add_to)!r}: no such folder")
    store, earlier = Store(out / preset), None if add_to is None else Store(add_to)
    for name, module in modules.items():
        missing: list[str] = []

        def note(line: str, name: str = name, missing: list[str] = missing) -> None:
            missing.append(line)
            tell(f"{name}: {line}")

        study = Study(PRESETS[preset], store, Clock(store.times), weights, note, progress, earlier)
        basis = _basis(preset, weights, module, study.parts.known(name))
        record = store.read(name)
        try:
            if record is None or record["basis"] != basis:
                results = module.compute(study)
                record = {
                    "figure": name,
                    "preset": preset,
                    "command": _command(name, preset, weights),
                    "commit": commit(),
                    "version": importlib.metadata.version("cem-jax"),
                    "basis": basis,
                    "seconds": round(study.clock.seconds, 1),
                    "devices": f"{jax.device_count()} {jax.default_backend()}",
                    "missing": missing,
                    "results": results,
                }
                store.write(name, record)
            yield _draw(store, record, module, colour_map)
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            yield Made(name, problem=" ".join(str(error).split()), missing=tuple(missing))


def redraw(
    wanted: Sequence[str], out: Path, preset: str = "quick", *, colour_map: str = "RdBu_r"
) -> Iterator[Made]:
    """Draws figures again from what was computed.

    Args:
        wanted: names of figures.
        out: folder that `make` wrote.
        preset: one of `PRESETS`.
        colour_map: diverging colours by their name in matplotlib.

    Yields:
        What became of each figure.
    """
    store = Store(out / preset)
    for name in wanted:
        module, record = find(name), store.read(name)
        if record is None:
            yield Made(name, problem=f"{store.folder} holds no results of this figure")
            continue
        yield _drawn(store, record, module, colour_map)


def draw_anew(
    wanted: Sequence[str], published: Path, out: Path, weights: Path | None = None, *,
    colour_map: str = "RdBu_r", tell: Callable[[str], None] = lambda line: None,
    progress: bool = True,
) -> Iterator[Made]:  # fmt: skip
    """Draws figures from published records; of the maps only those that are shown are made again.

    Args:
        wanted: names of figures.
        published: folder with the records, NAME.json.
        out: folder for records, pictures and maps, as `make` writes them.
        weights: folder with official checkpoints under their published names.
        colour_map: diverging colours by their name in matplotlib.
        tell: receives a line for each file in `weights` that is no network of the zoo.
        progress: show each map's progress on a terminal.

    Yields:
        What became of each figure; a problem where a map does not repeat its published numbers.
    """
    for name in wanted:
        module, record = find(name), Store(published).read(name)
        if record is None:
            yield Made(name, problem=f"{published} holds no results of this figure")
            continue
        store = Store(out / record["preset"])
        if store.read(name) not in (None, record):
            yield Made(name, problem=f"{store.folder} holds other results of this figure")
            continue
        study = Study(PRESETS[record["preset"]], store, Clock(store.times), weights, tell, progress)
        made = _drawn(Remade.of(study, record), record, module, colour_map)
        if not made.problem:
            store.write(name, record)
        yield made


def _drawn(store: Store, record: dict[str, Any], module: ModuleType, colour_map: str) -> Made:
    try:
        return _draw(store, record, module, colour_map)
    except ValueError as error:
        return Made(record["figure"], problem=" ".join(str(error).split()))


def _draw(store: Store, record: dict[str, Any], module: ModuleType, colour_map: str) -> Made:
    name, results = record["figure"], record["results"]
    with matplotlib.rc_context(STYLE):
        try:
            figure, expected = module.draw(store, results, colour_map), module.expected(results)
        except KeyError as key:
            path = store.folder / f"{name}.json"
            raise ValueError(
                f"{path}: written by another version, without {key}; remove it to compute it anew"
            ) from key
        files = tuple(store.folder / f"{name}.{suffix}" for suffix in ("png", "pdf"))
        for file in files:
            figure.savefig(file)
        plt.close(figure)
    return Made(name, files, expected, tuple(record["missing"]), seconds=record["seconds"])


def _basis(
    preset: str, weights: Path | None, module: ModuleType, parts: Sequence[dict[str, Any]]
) -> str:
    """Digest of what results depend on: preset, scenes, version, networks, earlier parts."""
    bundled = map(cem.models.bundled_weights, cem.models.names())
    files = [path for path in bundled if path is not None]
    files += module.files() if hasattr(module, "files") else ()
    scenes = cem.example_names()
    facts = (PRESETS[preset], scenes, importlib.metadata.version("cem-jax"))
    digest = hashlib.sha256(repr(facts).encode())
    digest.update("".join(sorted(part["digest"] for part in parts)).encode())
    for path in files:
        digest.update(path.read_bytes())
    for path in sorted(weights.rglob("*")) if weights is not None else ():
        if path.is_file():
            digest.update(f"{path} {path.stat().st_size}".encode())
    return digest.hexdigest()[:16]


def _command(name: str, preset: str, weights: Path | None) -> str:
    return f"cem-jax figures {name} --preset {preset}" + (" --weights DIR" if weights else "")
